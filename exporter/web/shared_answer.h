#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "exporter/common/time.h"
#include "exporter/server/message.h"

namespace registry_backend {

// An answer that is the same for everyone. Requests that come while it is being made share the next
// one, so that a crowd costs as much as two. Thread-safe.
class SharedAnswer {
 public:
  using Make = std::function<server::Response()>;

  explicit SharedAnswer(Make make) : make_(std::move(make)) {}

  // Never older than the call.
  server::Response Get();

 private:
  const Make make_;
  std::mutex mutex_;
  Time begun_;                             // guarded by mutex_, as all below
  server::Response newest_;                // without its body
  std::weak_ptr<const std::string> body_;  // kept by those that send it
};

}  // namespace registry_backend
