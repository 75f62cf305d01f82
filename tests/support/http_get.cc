#include "tests/support/http_get.h"

#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace registry_backend::testing {
namespace {

bool SameName(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, [](unsigned char a, unsigned char b) {
    return std::tolower(a) == std::tolower(b);
  });
}

// "http://host:port/path?query" as its two halves.
std::pair<std::string, std::string> SplitUrl(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) throw std::invalid_argument("not a URL: " + url);
  const std::size_t path = url.find('/', scheme + 3);
  if (path == std::string::npos) return {url, "/"};
  return {url.substr(0, path), url.substr(path)};
}

HttpAnswer Send(const std::string& method, const std::string& url, const std::string& body,
                const HttpOptions& options) {
  const auto [origin, path] = SplitUrl(url);
  httplib::Client client(origin);
  client.set_connection_timeout(options.timeout);
  client.set_read_timeout(options.timeout);
  client.set_write_timeout(options.timeout);
  client.set_url_encode(false);
  client.set_decompress(options.decompress);
  client.set_follow_location(false);
  client.set_tcp_nodelay(true);  // as Prometheus does
  if (!options.ca_file.empty()) client.set_ca_cert_path(options.ca_file.string());

  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  for (const auto& [name, value] : options.headers) request.headers.emplace(name, value);
  if (!options.username.empty()) {
    request.headers.insert(
        httplib::make_basic_authentication_header(options.username, options.password));
  }
  HttpAnswer answer;
  const httplib::Result result = client.send(request);
  if (!result) {
    answer.error = httplib::to_string(result.error());
    return answer;
  }
  answer.status = result->status;
  answer.headers.assign(result->headers.begin(), result->headers.end());
  answer.body = result->body;
  return answer;
}

HttpOptions WithContentType(HttpOptions options, const std::string& content_type) {
  options.headers.emplace_back("Content-Type", content_type);
  return options;
}

}  // namespace

std::string HttpAnswer::Header(std::string_view name) const {
  const auto found = std::ranges::find_if(
      headers, [&](const auto& header) { return SameName(header.first, name); });
  return found == headers.end() ? "" : found->second;
}

HttpAnswer HttpGet(const std::string& url, const HttpOptions& options) {
  return Send("GET", url, "", options);
}

HttpAnswer HttpPost(const std::string& url, const std::string& body,
                    const std::string& content_type, const HttpOptions& options) {
  return Send("POST", url, body, WithContentType(options, content_type));
}

HttpAnswer HttpPut(const std::string& url, const std::string& body, const std::string& content_type,
                   const HttpOptions& options) {
  return Send("PUT", url, body, WithContentType(options, content_type));
}

std::string PercentEncode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (std::isalnum(byte) != 0 || std::string_view("-._~").find(character) != std::string::npos) {
      result += character;
    } else {
      result += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return result;
}

}  // namespace registry_backend::testing
