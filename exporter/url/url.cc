#include "exporter/url/url.h"

#include <curl/curl.h>
#include <idn2.h>

#include <algorithm>
#include <charconv>
#include <memory>

namespace registry_backend {
namespace {

constexpr std::size_t kMaxUrlLength = 16 * 1024;

struct UrlDeleter {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using UrlHandle = std::unique_ptr<CURLU, UrlDeleter>;

// The part, or empty where the URL has none.
std::string Part(CURLU* handle, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

// What a broken URL may show of itself: no userinfo, no query, no control characters.
std::string Shown(std::string_view text) {
  text = text.substr(0, text.find_first_of("?#"));
  const std::size_t scheme = text.find("//");
  const std::size_t authority = scheme == std::string_view::npos ? 0 : scheme + 2;
  const std::string_view host = text.substr(authority, text.find('/', authority) - authority);
  const std::size_t at = host.rfind('@');
  const std::size_t after_userinfo = at == std::string_view::npos ? 0 : at + 1;
  std::string shown(text.substr(0, authority));
  shown += text.substr(authority + after_userinfo);
  for (char& c : shown) {
    if (c < ' ' || c >= 0x7f) c = '?';
  }
  return shown.substr(0, 200);
}

Error Invalid(std::string_view text, std::string_view why) {
  return {ErrorKind::kProtocol, "'" + Shown(text) + "' is not a usable URL: " + std::string(why)};
}

// The name in A-labels (RFC 5891) if it is UTF-8, by UTS #46's non-transitional rules, as browsers
// read it. libcurl's own conversion depends on the process's locale.
Result<std::string> ToALabels(std::string name) {
  if (std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    return name;
  }
  char* ascii = nullptr;
  const int fault = idn2_to_ascii_8z(name.c_str(), &ascii, IDN2_NONTRANSITIONAL);
  if (fault != IDN2_OK) return Error{ErrorKind::kProtocol, idn2_strerror(fault)};
  std::string labels(ascii);
  idn2_free(ascii);
  return labels;
}

// Whether the reference names an authority that begins with a third slash, which libcurl would
// skip.
bool HasEmptyAuthority(std::string_view reference) {
  const std::size_t slashes = reference.find("//");
  const bool has_authority =
      slashes == 0 || (slashes != std::string_view::npos && reference[slashes - 1] == ':');
  return has_authority && reference.substr(slashes + 2).starts_with('/');
}

std::uint16_t NonDefaultPort(const std::string& scheme, const std::string& port) {
  std::uint16_t number = 0;
  std::from_chars(port.data(), port.data() + port.size(), number);
  const std::uint16_t standard = scheme == "https" ? 443 : 80;
  return number == standard ? std::uint16_t{0} : number;
}

}  // namespace

Result<Url> Url::Parse(std::string_view text) {
  // libcurl would guess a scheme or accept one slash; a URL from outside has to be written out.
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) {
    return Invalid(text, "it does not begin with https:// or http://");
  }
  return ParseAgainst({}, text);
}

Result<Url> Url::Resolve(std::string_view reference) const {
  if (reference.empty()) return Invalid(reference, "it is empty");
  return ParseAgainst(text(), reference);
}

Result<Url> Url::ParseAgainst(const std::string& base, std::string_view reference) {
  if (reference.size() > kMaxUrlLength) return Invalid(reference, "it is too long");
  // A backslash or a control character is read differently by different parsers: refused outright.
  for (const unsigned char c : reference) {
    if (c <= ' ' || c == 0x7f || c == '\\') return Invalid(reference, "a character is not allowed");
  }
  if (HasEmptyAuthority(reference)) return Invalid(reference, "it names no host");
  const UrlHandle handle(curl_url());
  if (handle == nullptr) return Error{ErrorKind::kInternal, "no memory for a URL"};
  if (!base.empty()) curl_url_set(handle.get(), CURLUPART_URL, base.c_str(), 0);
  const CURLUcode fault =
      curl_url_set(handle.get(), CURLUPART_URL, std::string(reference).c_str(), 0);
  if (fault != CURLUE_OK) return Invalid(reference, curl_url_strerror(fault));

  const std::string scheme = Part(handle.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Invalid(reference, "its scheme is neither https nor http");
  }
  const Result<std::string> name = ToALabels(Part(handle.get(), CURLUPART_HOST));
  if (!name) return Invalid(reference, name.error().message);
  const std::string port = Part(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (port == "0") return Invalid(reference, "its port is 0");
  Result<Host> host = Host::Make(*name, NonDefaultPort(scheme, port));
  if (!host) return Invalid(reference, host.error().message);

  const bool userinfo = !Part(handle.get(), CURLUPART_USER).empty() ||
                        !Part(handle.get(), CURLUPART_PASSWORD).empty();
  std::string path = Part(handle.get(), CURLUPART_PATH);
  if (path.empty()) path = "/";
  return Url(Origin{scheme, *std::move(host)}, std::move(path), Part(handle.get(), CURLUPART_QUERY),
             userinfo);
}

std::string Url::text() const { return query_.empty() ? shown() : shown() + "?" + query_; }

std::string PercentEncode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const unsigned char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      encoded += static_cast<char>(c);
    } else {
      encoded += '%';
      encoded += kHex[c >> 4U];
      encoded += kHex[c & 0xfU];
    }
  }
  return encoded;
}

}  // namespace registry_backend
