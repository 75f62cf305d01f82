#include "exporter/commands/healthcheck.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>

#include "exporter/commands/build.h"
#include "exporter/commands/exit_code.h"
#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"

namespace registry_backend {
namespace {

constexpr std::string_view kPath = "/-/healthy";
constexpr std::chrono::seconds kDeadline{5};

void PrintError(const std::string& message) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", message.c_str());
}

// Of /-/healthy below the exporter's own URL, which may have a path.
Result<Url> HealthUrl(const std::string& text) {
  Result<Url> base = Url::Parse(text);
  if (!base) return base;
  if (base->has_userinfo() || !base->query().empty()) {
    return Error{ErrorKind::kInternal,
                 base->shown() + ": expected a URL without a user name and a query"};
  }
  std::string path = base->path();
  while (path.ends_with('/')) path.pop_back();
  if (!path.ends_with(kPath)) path += kPath;
  return Url::Parse(base->origin().text() + path);
}

Result<Response> Get(Request request) {
  CurlTransport transport({"registry_backend_exporter/" + ThisBuild().version}, nullptr);
  NetworkLoop loop(transport);
  Result<Response> answer = Error{};
  transport.Start(std::move(request), loop.Now() + kDeadline,
                  [&answer, &loop](Result<Response> result) {
                    answer = std::move(result);
                    loop.Stop();
                  });
  loop.Run();
  return answer;
}

}  // namespace

int RunHealthcheck(const HealthcheckCommand& command) {
  Result<Url> url = HealthUrl(command.url);
  if (!url) {
    PrintError("--url: " + url.error().message);
    return kExitUsage;
  }
  ConnectionOptions connection;
  connection.insecure_skip_verify = command.insecure_skip_verify;
  Request request{.url = *url,
                  .body_use = BodyUse::kDiscard,
                  .connection = std::make_shared<const ConnectionOptions>(std::move(connection))};
  const Result<Response> answer = Get(std::move(request));
  if (answer && answer->status == 200) return kExitComplete;
  PrintError(answer ? url->shown() + ": status " + std::to_string(answer->status)
                    : answer.error().message);
  return kExitFailed;
}

}  // namespace registry_backend
