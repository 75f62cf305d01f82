#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/common/result.h"

namespace registry_backend {

// The name of a host as this program shows, stores and compares it, with the port where it is not
// the scheme's own: `cdn.example.com`, `minio.corp:9000`, `[2001:db8::1]:5000`. Lower case, no
// trailing dot, IPv6 literals in brackets (RFC 3986 §3.2.2), labels of at most 63 letters, digits,
// `-` and `_` (RFC 1123 §2.1, and the underscore that real bucket names have). A value; always
// valid.
class Host {
 public:
  // `name` without a port; IPv6 literals with or without brackets. `port` 0 means the default one.
  // Error: kProtocol, naming what is wrong.
  static Result<Host> Make(std::string_view name, std::uint16_t port = 0);

  // `name` or `name:port`, as text() gives it.
  static Result<Host> Parse(std::string_view text);

  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] std::string_view name() const {
    return std::string_view(text_).substr(0, name_length_);
  }
  [[nodiscard]] bool is_ip_address() const;
  // 127.0.0.0/8, ::1 or the name localhost (RFC 6761 §6.3).
  [[nodiscard]] bool is_loopback() const;
  // is_loopback, or an address of this machine or of its link only: unspecified (0.0.0.0/8, ::),
  // link-local (169.254.0.0/16, fe80::/10; fd00:ec2::254, where AWS has its metadata), also in
  // IPv6's IPv4-mapped and -compatible forms.
  [[nodiscard]] bool is_local() const;

  auto operator<=>(const Host& other) const { return text_ <=> other.text_; }
  bool operator==(const Host& other) const { return text_ == other.text_; }

 private:
  Host(std::string text, std::size_t name_length)
      : text_(std::move(text)), name_length_(name_length) {}

  std::string text_;
  std::size_t name_length_;
};

// Whether one organisation answers for both: the same name, or names below the same registrable
// domain of the Public Suffix List. IP addresses match only themselves. Ports are not looked at.
bool SameSite(const Host& a, const Host& b);

// Whether names below it belong to whoever asks for one, by the Public Suffix List with its private
// section: `co.uk`, `github.io`. What the list does not know is none, `corp` for instance. The port
// is not looked at.
bool IsPublicSuffix(const Host& host);

}  // namespace registry_backend
