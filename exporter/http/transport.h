#pragma once

#include <cstdint>
#include <functional>

#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/http/message.h"

namespace registry_backend {

enum class CallId : std::uint64_t {};

// Sends HTTP requests. Network thread only.
class Transport {
 public:
  using Done = std::function<void(Result<Response>)>;

  virtual ~Transport() = default;

  // `done` runs once, later, from the loop, with any status at all or an error: kTimeout (the
  // deadline covers name resolution to the last body byte), kDns, kConnect, kTls, kProtocol (over a
  // cap, or no HTTP), kInternal.
  virtual CallId Start(Request request, Time deadline, Done done) = 0;

  // `done` of this call will not run. Never waits, not even for a name server. A call that has
  // ended is ignored.
  virtual void Cancel(CallId call) = 0;
};

}  // namespace registry_backend
