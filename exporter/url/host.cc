#include "exporter/url/host.h"

#include <arpa/inet.h>
#include <libpsl.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxNameLength = 253;  // RFC 1035 §2.3.4, without the root's dot
constexpr std::size_t kMaxLabelLength = 63;

Error Invalid(std::string_view name, std::string_view why) {
  return {ErrorKind::kProtocol,
          "'" + Printable(name, 80) + "' is not a host name: " + std::string(why)};
}

bool IsLabelCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// The one canonical spelling of an IPv6 address (RFC 5952), or empty.
std::string CanonicalIpv6(const std::string& literal) {
  in6_addr address;
  char text[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET6, literal.c_str(), &address) != 1) return {};
  return inet_ntop(AF_INET6, &address, text, sizeof text);
}

bool IsIpv4(const std::string& name) {
  in_addr address;
  return inet_pton(AF_INET, name.c_str(), &address) == 1;
}

// Unspecified, loopback or link-local (RFC 6890).
bool IsLocalIpv4(std::uint32_t address) {
  return (address >> 24U) == 0 || (address >> 24U) == 127 || (address >> 16U) == 0xa9fe;
}

// Empty if every label is fine, else what is wrong.
std::string_view NameFault(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kMaxNameLength) return "it is longer than 253 characters";
  while (true) {
    const std::size_t dot = name.find('.');
    const std::string_view label = name.substr(0, dot);
    if (label.empty()) return "a label is empty";
    if (label.size() > kMaxLabelLength) return "a label is longer than 63 characters";
    if (!std::ranges::all_of(label, IsLabelCharacter)) return "a character is not allowed";
    if (label.front() == '-' || label.back() == '-') return "a label begins or ends with '-'";
    if (dot == std::string_view::npos) break;
    name.remove_prefix(dot + 1);
  }
  return {};
}

// A last label that is a number, hexadecimal ones included, is an address to resolvers, however
// many labels there are.
bool LooksLikeIpv4(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
  if (last.starts_with("0x")) {
    return last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
  }
  return last.find_first_not_of("0123456789") == std::string_view::npos;
}

Result<std::string> CanonicalName(std::string_view name) {
  std::string lower = LowerAscii(name);
  if (!lower.empty() && lower.front() == '[' && lower.back() == ']') {
    lower = lower.substr(1, lower.size() - 2);
  }
  if (lower.find(':') != std::string::npos) {
    const std::string address = CanonicalIpv6(lower);
    if (address.empty()) return Invalid(name, "it is no IPv6 address");
    return "[" + address + "]";
  }
  if (!lower.empty() && lower.back() == '.') lower.pop_back();
  if (const std::string_view fault = NameFault(lower); !fault.empty()) return Invalid(name, fault);
  if (LooksLikeIpv4(lower) && !IsIpv4(lower)) return Invalid(name, "it is no IPv4 address");
  return lower;
}

}  // namespace

Result<Host> Host::Make(std::string_view name, std::uint16_t port) {
  Result<std::string> canonical = CanonicalName(name);
  if (!canonical) return canonical.error();
  const std::size_t length = canonical->size();
  std::string text = *std::move(canonical);
  if (port != 0) text += ":" + std::to_string(port);
  return Host(std::move(text), length);
}

Result<Host> Host::Parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && text.find(':') == colon;
  const bool bracketed_port =
      colon != std::string_view::npos && colon > 0 && text[colon - 1] == ']';
  if (!has_port && !bracketed_port) return Make(text);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (fault != std::errc() || end != digits.data() + digits.size() || port == 0) {
    return Invalid(text, "its port is no number from 1 to 65535");
  }
  return Make(text.substr(0, colon), port);
}

bool Host::is_ip_address() const { return text_.front() == '[' || IsIpv4(std::string(name())); }

bool Host::is_loopback() const {
  const std::string_view own = name();
  if (own == "localhost" || own.ends_with(".localhost") || own == "[::1]") return true;
  return own.starts_with("127.") && IsIpv4(std::string(own));
}

bool Host::is_local() const {
  if (is_loopback()) return true;
  std::string own(name());
  in_addr v4{};
  if (inet_pton(AF_INET, own.c_str(), &v4) == 1) return IsLocalIpv4(ntohl(v4.s_addr));
  if (own.front() != '[') return false;
  in6_addr v6{};
  own = own.substr(1, own.size() - 2);
  if (inet_pton(AF_INET6, own.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6) || IN6_IS_ADDR_V4COMPAT(&v6)) {
    std::uint32_t inner = 0;
    std::memcpy(&inner, &v6.s6_addr[12], sizeof inner);
    return IsLocalIpv4(ntohl(inner));
  }
  static constexpr std::array<std::uint8_t, 16> kAwsMetadata = {0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0,
                                                                0,    0, 0,    0,    0, 0, 2, 0x54};
  if (std::memcmp(&v6, kAwsMetadata.data(), sizeof v6) == 0) return true;
  return IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6);
}

bool SameSite(const Host& a, const Host& b) {
  if (a.name() == b.name()) return true;
  if (a.is_ip_address() || b.is_ip_address()) return false;
  const psl_ctx_t* list = psl_builtin();
  if (list == nullptr) return false;
  const std::string first(a.name());
  const std::string second(b.name());
  const char* domain_a = psl_registrable_domain(list, first.c_str());
  const char* domain_b = psl_registrable_domain(list, second.c_str());
  return domain_a != nullptr && domain_b != nullptr &&
         std::string_view(domain_a) == std::string_view(domain_b);
}

bool IsPublicSuffix(const Host& host) {
  const psl_ctx_t* list = psl_builtin();
  const std::string name(host.name());
  return list != nullptr && !host.is_ip_address() &&
         psl_is_public_suffix2(list, name.c_str(), PSL_TYPE_ANY | PSL_TYPE_NO_STAR_RULE) != 0;
}

}  // namespace registry_backend
