#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "exporter/common/result.h"

namespace registry_backend::server {

// Where to listen.
struct ListenAddress {
  std::string host;  // empty: every address of the machine, IPv6 and IPv4; IPv6 without brackets
  std::uint16_t port = 0;  // 0: any free one

  // As it is written in flags and logs: `:9877`, `127.0.0.1:9877`, `[::1]:9877`.
  [[nodiscard]] std::string text() const;
};

// Reads `:port`, `host:port` or `[v6]:port`. The error shows what was given.
Result<ListenAddress> ParseListenAddress(std::string_view text);

}  // namespace registry_backend::server
