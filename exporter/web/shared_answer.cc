#include "exporter/web/shared_answer.h"

#include <utility>

namespace registry_backend {

server::Response SharedAnswer::Get() {
  const Time asked = Clock::now();
  const std::lock_guard lock(mutex_);
  auto body = body_.lock();
  if (body == nullptr || begun_ <= asked) {
    begun_ = Clock::now();
    newest_ = make_();
    body = std::exchange(newest_.body, nullptr);
    body_ = body;
  }
  server::Response response = newest_;
  response.body = std::move(body);
  return response;
}

}  // namespace registry_backend
