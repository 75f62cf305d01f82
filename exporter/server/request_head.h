#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/common/time.h"

namespace registry_backend::server {

// What a client may send at most, in bytes.
constexpr std::size_t kMaxRequestLine = 8190;
constexpr std::size_t kMaxHead = std::size_t{32} * 1024;
constexpr std::size_t kMaxFields = 100;
constexpr std::size_t kMaxBody = std::size_t{64} * 1024;

// A request's head (RFC 9112 §3, §5), strictly read: what two readers could read differently is
// none.
struct RequestHead {
  std::string method;
  std::string target;  // its path and query, where it came in absolute form
  std::vector<std::pair<std::string, std::string>> fields;
  std::size_t body_bytes = 0;
  bool keep_alive = false;  // the client may send another one
  bool expects_100 = false;
};

// A head that is not served, by the status to answer with; the connection cannot go on then.
struct HeadRefusal {
  int status = 400;
};

// Where the head ends in what has come so far, its empty line included; 0: not yet. A refusal where
// it is certain that it is too long, or will not be one.
struct HeadEnd {
  std::size_t bytes = 0;
  std::optional<HeadRefusal> refusal;
};
HeadEnd FindHeadEnd(std::string_view received);

// Reads a whole head, its empty line included. Pure.
std::optional<HeadRefusal> ReadHead(std::string_view text, RequestHead& head);

// How long Prometheus waits for the answer, where it says so.
std::optional<Duration> ScrapeTimeout(const RequestHead& head);

}  // namespace registry_backend::server
