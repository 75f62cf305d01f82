#include "exporter/http/proxy.h"

#include <algorithm>
#include <array>
#include <optional>

#include "exporter/url/curl_url.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

// Percent-decoded; empty where that yields control characters, which libcurl refuses.
std::optional<std::string> DecodedPart(CURLU* handle, CURLUPart part) {
  if (CurlUrlPart(handle, part).empty()) return "";
  char* text = nullptr;
  if (curl_url_get(handle, part, &text, CURLU_URLDECODE) != CURLUE_OK) return std::nullopt;
  std::string copy(text);
  curl_free(text);
  return copy;
}

Error Invalid(std::string_view text, std::string_view why) {
  std::string_view shown = text.substr(text.rfind('@') + 1);
  shown = shown.substr(0, shown.find_first_of("?#"));
  // Of `http://user:password`, the host forgotten, what would be the port is the password, which
  // may hold colons itself.
  const std::size_t scheme = shown.find("://");
  const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  const std::size_t colon = shown.find(':', host);
  if (colon != std::string_view::npos &&
      shown.find_first_not_of("0123456789", colon + 1) != std::string_view::npos) {
    shown = shown.substr(0, colon);
  }
  return {ErrorKind::kProtocol, "'" + Printable(shown) + "' is not a usable proxy: " +
                                    std::string(why) + " (expected one like http://proxy:3128)"};
}

}  // namespace

Result<Proxy> ParseProxy(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return Invalid(text, "it holds a NUL");
  if (text.find_first_of("?#") != std::string_view::npos) {
    return Invalid(text, "it has a path or a query");
  }
  // Who connects reads the host once more, and decoded it may be another one: `%30` is 0.0.0.0.
  if (text.find('%', text.rfind('@') + 1) != std::string_view::npos) {
    return Invalid(text, "its host holds a %");
  }
  const CurlUrl handle(curl_url());
  const bool has_scheme = text.find("://") != std::string_view::npos;
  const std::string whole = (has_scheme ? "" : "http://") + std::string(text);
  const CURLUcode code =
      curl_url_set(handle.get(), CURLUPART_URL, whole.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) return Invalid(text, curl_url_strerror(code));

  static constexpr std::array<std::string_view, 4> kSchemes = {"http", "https", "socks5",
                                                               "socks5h"};
  const std::string scheme = CurlUrlPart(handle.get(), CURLUPART_SCHEME);
  if (std::ranges::find(kSchemes, scheme) == kSchemes.end()) {
    return Invalid(text, "its scheme is none of http, https, socks5, socks5h");
  }
  const std::string path = CurlUrlPart(handle.get(), CURLUPART_PATH);
  if (path != "/" && !path.empty()) return Invalid(text, "it has a path or a query");
  const auto username = DecodedPart(handle.get(), CURLUPART_USER);
  const auto password = DecodedPart(handle.get(), CURLUPART_PASSWORD);
  if (!username || !password) {
    return Invalid(text, "its user name or password holds a control character");
  }
  std::string port = CurlUrlPart(handle.get(), CURLUPART_PORT);
  // libcurl would take 1080 for every scheme.
  if (port.empty()) port = scheme == "http" ? "80" : scheme == "https" ? "443" : "1080";
  return Proxy{scheme + "://" + CurlUrlPart(handle.get(), CURLUPART_HOST) + ":" + port, *username,
               *password};
}

}  // namespace registry_backend
