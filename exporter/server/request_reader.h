#pragma once

#include <optional>
#include <string>

#include "exporter/common/time.h"
#include "exporter/server/connection.h"
#include "exporter/server/request_head.h"

namespace registry_backend::server {

// Takes one request after another off a connection, whole and within bounds. Bodies are read and
// dropped: no route has a use for one.
class RequestReader {
 public:
  struct Times {
    Duration idle;  // until a request begins
    Duration read;  // from its first byte to its last
  };

  // What came of it: a head, a refusal, or neither where no more requests come.
  struct Received {
    std::optional<RequestHead> head;
    std::optional<HeadRefusal> refusal;
    Time begun;
  };

  RequestReader(Connection& connection, const Times& times)
      : connection_(connection), times_(times) {}

  Received Next();

 private:
  // Until a request begins; an empty line before it is passed over (RFC 9112 §2.2). False: none
  // does, and the client is told nothing.
  bool AwaitRequest();
  // Reads on. Nothing: there is more; else what it comes to.
  std::optional<Received> Fill(Time until);
  std::optional<Received> DropBody(const RequestHead& head, Time until);

  Connection& connection_;
  const Times times_;
  std::string unread_;
};

}  // namespace registry_backend::server
