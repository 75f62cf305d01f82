#pragma once

#include <string>
#include <string_view>

#include "exporter/common/result.h"

namespace registry_backend {

// A forward proxy. A value; empty: none.
struct Proxy {
  std::string url;  // `http://proxy:3128`, without user and password
  std::string username;
  std::string password;

  [[nodiscard]] bool empty() const { return url.empty(); }
  bool operator==(const Proxy&) const = default;
};

// Reads `[scheme://][user[:password]@]host[:port]`; the scheme is http (the default), https, socks5
// or socks5h. Error kProtocol, without the user and the password.
Result<Proxy> ParseProxy(std::string_view text);

}  // namespace registry_backend
