#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace registry_backend::testing {

// Every member has an initializer, so that {.timeout = …} draws no warning about the others.
struct HttpOptions {
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string username = {};  // empty: no Basic authentication
  std::string password = {};
  std::filesystem::path ca_file = {};  // https: the certificates to trust (nothing else is trusted)
  bool decompress = false;             // undo a Content-Encoding; otherwise the body is as it came
  std::chrono::milliseconds timeout = std::chrono::seconds(10);  // to connect, and for each read
};

struct HttpAnswer {
  int status = 0;                                            // 0: no answer, `error` says why
  std::string error;                                         // empty when there is an answer
  std::vector<std::pair<std::string, std::string>> headers;  // names in the server's spelling
  std::string body;

  // The first header of that name, in any case; empty when there is none.
  [[nodiscard]] std::string Header(std::string_view name) const;
};

// One blocking request on a connection of its own; HTTP/1.1, no redirect is followed, no proxy is
// used, no Accept-Encoding is sent unless the caller does. `url` is http(s)://host:port/path?query,
// already percent-encoded. For tests on loopback. Never throws for what a server does. Thread-safe.
[[nodiscard]] HttpAnswer HttpGet(const std::string& url, const HttpOptions& options = {});
[[nodiscard]] HttpAnswer HttpPost(const std::string& url, const std::string& body = "",
                                  const std::string& content_type = "text/plain",
                                  const HttpOptions& options = {});
[[nodiscard]] HttpAnswer HttpPut(const std::string& url, const std::string& body,
                                 const std::string& content_type, const HttpOptions& options = {});

// `text` as one percent-encoded component of a query or path.
[[nodiscard]] std::string PercentEncode(std::string_view text);

}  // namespace registry_backend::testing
