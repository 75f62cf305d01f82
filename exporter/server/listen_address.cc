#include "exporter/server/listen_address.h"

#include <charconv>

namespace registry_backend::server {

std::string ListenAddress::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const auto invalid = [text](std::string_view why) {
    return Error{ErrorKind::kInternal, "listen address '" + std::string(text) +
                                           "': " + std::string(why) +
                                           " (expected :port, host:port or [v6]:port)"};
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return invalid("it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  ListenAddress address;
  const auto [end, fault] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (fault != std::errc() || end != digits.data() + digits.size()) {
    return invalid("its port is no number from 0 to 65535");
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) {
      return invalid("its brackets hold no IPv6 address");
    }
  } else if (host.find(':') != std::string_view::npos) {
    return invalid("an IPv6 address needs brackets");
  }
  address.host = host;
  return address;
}

}  // namespace registry_backend::server
