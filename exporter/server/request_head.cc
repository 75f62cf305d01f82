#include "exporter/server/request_head.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "exporter/server/text.h"

namespace registry_backend::server {
namespace {

constexpr std::string_view kEnd = "\r\n\r\n";
constexpr std::size_t kMaxFieldLine = 8190;

bool IsTokenCharacter(char c) {
  constexpr std::string_view kSymbols = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kSymbols.find(c) != std::string_view::npos;
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, IsTokenCharacter);
}

bool IsVisible(char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; }

bool IsFieldCharacter(char c) { return c == '\t' || c == ' ' || IsVisible(c); }

bool HasBareLineFeed(std::string_view text) {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos;
       at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

// Whether a field with a list of words has this one.
bool HasWord(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (SameText(Trimmed(list.substr(0, comma)), word)) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

bool IsKnownMethod(std::string_view method) {
  constexpr std::array<std::string_view, 9> kMethods = {
      "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

// A target in absolute form without its scheme and authority (RFC 9112 §3.2.2); others as they are.
std::string PathAndQuery(std::string_view target) {
  const std::size_t colon = target.find("://");
  const std::string_view scheme = target.substr(0, std::min(colon, target.size()));
  if (!SameText(scheme, "http") && !SameText(scheme, "https")) return std::string(target);
  target.remove_prefix(colon + 3);
  target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
  return (target.starts_with('/') ? "" : "/") + std::string(target);
}

// The version, or none of those that are served.
std::optional<std::string_view> ReadRequestLine(std::string_view line, RequestHead& head) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  head.method = line.substr(0, first);
  head.target = PathAndQuery(target);
  const bool is_served = version == "HTTP/1.1" || version == "HTTP/1.0";
  if (!IsToken(head.method) || target.empty() || !std::ranges::all_of(target, IsVisible) ||
      !is_served) {
    return std::nullopt;
  }
  return version;
}

bool ReadField(std::string_view line, RequestHead& head) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trimmed(line.substr(colon + 1));
  if (!IsToken(name) || !std::ranges::all_of(value, IsFieldCharacter)) return false;
  head.fields.emplace_back(name, value);
  return true;
}

// What the fields say of where the request ends and what comes then.
std::optional<HeadRefusal> ReadFraming(std::string_view version, RequestHead& head) {
  std::size_t hosts = 0;
  std::size_t lengths = 0;
  // Those of HTTP/1.0 would have to be told that the connection stays, and gain little by it.
  bool closes = version == "HTTP/1.0";
  for (const auto& [name, value] : head.fields) {
    if (SameText(name, "transfer-encoding")) return HeadRefusal{411};
    if (SameText(name, "content-encoding")) return HeadRefusal{415};
    if (SameText(name, "host")) ++hosts;
    if (SameText(name, "connection") && HasWord(value, "close")) closes = true;
    if (SameText(name, "expect") && version != "HTTP/1.0") {
      head.expects_100 = SameText(value, "100-continue");
    }
    if (!SameText(name, "content-length")) continue;
    ++lengths;
    if (value.empty() || value.find_first_not_of("0123456789") != std::string::npos) {
      return HeadRefusal{400};
    }
    const auto read = std::from_chars(value.data(), value.data() + value.size(), head.body_bytes);
    if (read.ec != std::errc() || head.body_bytes > kMaxBody) return HeadRefusal{413};
  }
  if (lengths > 1 || hosts > 1 || (hosts == 0 && version == "HTTP/1.1")) return HeadRefusal{400};
  head.keep_alive = !closes;
  return std::nullopt;
}

}  // namespace

HeadEnd FindHeadEnd(std::string_view received) {
  const std::size_t line = received.find("\r\n");
  if (std::min(line, received.size()) > kMaxRequestLine) return {0, HeadRefusal{414}};
  const std::size_t end = received.find(kEnd);
  if (std::min(end, received.size()) > kMaxHead) return {0, HeadRefusal{431}};
  if (end != std::string_view::npos) return {end + kEnd.size(), std::nullopt};
  // One whose lines end otherwise has no end to wait for.
  if (received.starts_with("\r\n") || HasBareLineFeed(received)) return {0, HeadRefusal{400}};
  return {};
}

std::optional<HeadRefusal> ReadHead(std::string_view text, RequestHead& head) {
  std::optional<std::string_view> version;
  for (bool is_first = true;; is_first = false) {
    const std::size_t end = text.find("\r\n");
    if (end == std::string_view::npos) return HeadRefusal{400};
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (is_first) {
      version = ReadRequestLine(line, head);
      if (!version) return HeadRefusal{400};
      continue;
    }
    if (line.empty()) break;
    if (line.size() > kMaxFieldLine || head.fields.size() == kMaxFields) return HeadRefusal{431};
    if (!ReadField(line, head)) return HeadRefusal{400};
  }
  if (!IsKnownMethod(head.method)) return HeadRefusal{501};
  return ReadFraming(*version, head);
}

std::optional<Duration> ScrapeTimeout(const RequestHead& head) {
  for (const auto& [name, value] : head.fields) {
    if (!SameText(name, "x-prometheus-scrape-timeout-seconds")) continue;
    double seconds = 0;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), seconds);
    const bool is_whole = read.ec == std::errc() && read.ptr == value.data() + value.size();
    if (!is_whole || !(seconds > 0) || seconds > 3600) return std::nullopt;
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
  }
  return std::nullopt;
}

}  // namespace registry_backend::server
