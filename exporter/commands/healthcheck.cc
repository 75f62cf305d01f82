#include "exporter/commands/healthcheck.h"

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/commands/build.h"
#include "exporter/commands/exit_code.h"
#include "exporter/commands/running_exporter.h"
#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"

namespace registry_backend {
namespace {

constexpr std::string_view kPath = "/-/healthy";
constexpr std::chrono::seconds kDeadline{5};

void PrintError(const std::string& message) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", message.c_str());
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
  ExporterAccess access = command.access;
  while (access.url.ends_with('/')) access.url.pop_back();
  if (access.url.ends_with(kPath)) access.url.resize(access.url.size() - kPath.size());
  const Result<RunningExporter> exporter = RunningExporter::Make(access);
  if (!exporter) {
    PrintError(exporter.error().message);
    return kExitUsage;
  }
  Request request = exporter->MakeRequest(Method::kGet, kPath);
  request.body_use = BodyUse::kDiscard;
  const Result<Response> answer = Get(std::move(request));
  if (answer && answer->status == 200) return kExitComplete;
  PrintError(answer ? exporter->Shown(kPath) + ": status " + std::to_string(answer->status)
                    : answer.error().message);
  return kExitFailed;
}

}  // namespace registry_backend
