#include "exporter/url/url.h"

#include <idn2.h>

#include <algorithm>
#include <charconv>

#include "exporter/url/curl_url.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxUrlLength = std::size_t{16} * 1024;
// No repository's path of a blob is longer. Messages are kept by the thousand.
constexpr std::size_t kMaxShownPath = 512;

// `https://` of `https://…`, or empty. What stands before other slashes may be a secret.
std::string_view SchemeOf(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return {};
  const std::string_view scheme = text.substr(0, colon + 3);
  return scheme.find_first_of("/?#@") == colon + 1 ? scheme : std::string_view();
}

// What a broken URL may show of itself: nothing up to its last @, no query, no control characters.
std::string Shown(std::string_view text) {
  std::string shown;
  const std::size_t query = text.find_first_of("?#");
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    shown = SchemeOf(text);
    // Of `https://h?sig=a@b` what follows the @ is a secret as well, and where in
    // `https://user:pa?ss@h` the secret is cannot be told.
    if (query < at) return Printable(shown, 200);
    text.remove_prefix(at + 1);
  }
  return Printable(shown + std::string(text.substr(0, text.find_first_of("?#"))), 200);
}

Error Invalid(std::string_view text, std::string_view why) {
  return {ErrorKind::kProtocol, "'" + Shown(text) + "' is not a usable URL: " + std::string(why)};
}

// What stands before the query and the fragment. Signatures are long: find_first_of would look each
// character up in its list.
std::string_view WithoutQuery(std::string_view text) {
  const auto end = std::ranges::find_if(text, [](char c) { return c == '?' || c == '#'; });
  return {text.begin(), end};
}

bool IsAscii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool IsBeyondAscii(char c) { return !IsAscii(c); }

// libcurl reads one slash or three after a scheme as two; others do not. Empty, or what is wrong.
std::string_view AuthorityFault(std::string_view reference) {
  reference = WithoutQuery(reference);
  const std::size_t colon = reference.find(':');
  const bool has_scheme = colon != std::string_view::npos && colon < reference.find('/');
  if (has_scheme) reference.remove_prefix(colon + 1);
  if (!reference.starts_with("//")) return has_scheme ? "no // follows its scheme" : "";
  return reference.substr(2).starts_with('/') ? "it names no host" : "";
}

// Raw bytes beyond ASCII have no place in a URL (RFC 3986 §2); servers that send them mean the
// encoded form.
std::string EncodeBeyondAscii(std::string text) {
  if (!HasAny(text, IsBeyondAscii)) return text;
  std::string encoded;
  for (const char c : text) {
    if (IsAscii(c)) {
      encoded += c;
    } else {
      encoded += PercentEncode({&c, 1});
    }
  }
  return encoded;
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
  // What names a scheme says all itself (RFC 3986 §5.2.2); its parts are looked at all the same.
  const std::size_t colon = reference.find("://");
  const bool absolute = colon != std::string_view::npos && colon < reference.find_first_of("/?#");
  return ParseAgainst(absolute ? std::string() : text(), reference);
}

Result<Url> Url::ParseAgainst(const std::string& base, std::string_view reference) {
  if (reference.size() > kMaxUrlLength) return Invalid(reference, "it is too long");
  // A backslash or a control character is read differently by different parsers: refused outright.
  if (HasAny(reference,
             [](char c) { return (IsAscii(c) && c <= ' ') || c == 0x7f || c == '\\'; })) {
    return Invalid(reference, "a character is not allowed");
  }
  if (const std::string_view fault = AuthorityFault(reference); !fault.empty()) {
    return Invalid(reference, fault);
  }
  const CurlUrl handle(curl_url());
  if (handle == nullptr) return Error{ErrorKind::kInternal, "no memory for a URL"};
  if (!base.empty()) curl_url_set(handle.get(), CURLUPART_URL, base.c_str(), 0);
  const CURLUcode fault =
      curl_url_set(handle.get(), CURLUPART_URL, std::string(reference).c_str(), 0);
  if (fault != CURLUE_OK) return Invalid(reference, curl_url_strerror(fault));

  const std::string scheme = CurlUrlPart(handle.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Invalid(reference, "its scheme is neither https nor http");
  }
  const Result<std::string> name = ToALabels(CurlUrlPart(handle.get(), CURLUPART_HOST));
  if (!name) return Invalid(reference, name.error().message);
  const std::string port = CurlUrlPart(handle.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (port == "0") return Invalid(reference, "its port is 0");
  Result<Host> host = Host::Make(*name, NonDefaultPort(scheme, port));
  if (!host) return Invalid(reference, host.error().message);

  const bool userinfo = !CurlUrlPart(handle.get(), CURLUPART_USER).empty() ||
                        !CurlUrlPart(handle.get(), CURLUPART_PASSWORD).empty();
  std::string path = EncodeBeyondAscii(CurlUrlPart(handle.get(), CURLUPART_PATH));
  if (path.empty()) path = "/";
  return Url(Origin{scheme, *std::move(host)}, std::move(path),
             EncodeBeyondAscii(CurlUrlPart(handle.get(), CURLUPART_QUERY)), userinfo);
}

std::string Url::text() const {
  std::string text = origin_.text() + path_;
  if (!query_.empty()) text.append("?").append(query_);
  return text;
}

std::string Url::shown() const {
  if (path_.size() <= kMaxShownPath) return origin_.text() + path_;
  return origin_.text() + path_.substr(0, kMaxShownPath) + "...";
}

// libcurl's own conversion depends on the process's locale.
Result<std::string> ToALabels(std::string name) {
  if (std::ranges::all_of(name, IsAscii)) return name;
  char* ascii = nullptr;
  const int fault = idn2_to_ascii_8z(name.c_str(), &ascii, IDN2_NONTRANSITIONAL);
  if (fault != IDN2_OK) return Error{ErrorKind::kProtocol, idn2_strerror(fault)};
  std::string labels(ascii);
  idn2_free(ascii);
  return labels;
}

std::string PercentEncode(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      encoded += c;
    } else {
      encoded += '%';
      const auto byte = static_cast<unsigned char>(c);
      encoded += kHex[byte >> 4U];
      encoded += kHex[byte & 0xfU];
    }
  }
  return encoded;
}

std::optional<std::string> PercentDecode(std::string_view text) {
  std::string decoded;
  while (!text.empty()) {
    if (text.front() != '%') {
      decoded += text.front();
      text.remove_prefix(1);
      continue;
    }
    unsigned char byte = 0;
    const std::string_view digits = text.substr(1, 2);
    const char* const end = digits.data() + digits.size();
    if (digits.size() != 2 || std::from_chars(digits.data(), end, byte, 16).ptr != end) {
      return std::nullopt;
    }
    decoded += static_cast<char>(byte);
    text.remove_prefix(3);
  }
  return decoded;
}

}  // namespace registry_backend
