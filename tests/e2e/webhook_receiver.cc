#include "tests/e2e/webhook_receiver.h"

#include <httplib.h>

#include <chrono>
#include <stdexcept>

#include "tests/support/eventually.h"

namespace registry_backend::testing {

WebhookReceiver::WebhookReceiver() : server_(std::make_unique<httplib::Server>()) {
  server_->Post(".*", [this](const httplib::Request& request, httplib::Response&) {
    const std::lock_guard lock(mutex_);
    posts_.push_back({request.path, nlohmann::json::parse(request.body, nullptr, false)});
  });
  port_ = server_->bind_to_any_port("127.0.0.1");
  if (port_ < 0) throw std::runtime_error("the webhook receiver cannot listen");
  thread_ = std::thread([this] { server_->listen_after_bind(); });
  // stop() would be lost on a server that does not run yet.
  (void)Eventually(std::chrono::seconds(10), [this] { return server_->is_running(); });
}

WebhookReceiver::~WebhookReceiver() {
  server_->stop();
  thread_.join();
}

std::vector<WebhookPost> WebhookReceiver::Posts() const {
  const std::lock_guard lock(mutex_);
  return posts_;
}

}  // namespace registry_backend::testing
