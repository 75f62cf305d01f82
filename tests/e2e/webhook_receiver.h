#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

namespace httplib {
class Server;
}

namespace registry_backend::testing {

struct WebhookPost {
  std::string path = {};
  nlohmann::json body = {};  // discarded() when it was no JSON
};

// An HTTP server on 127.0.0.1 and a port the kernel chose, that answers 200 to every POST and keeps
// what it got. Listens when the constructor returns; throws std::runtime_error when it cannot.
// Thread-safe.
class WebhookReceiver {
 public:
  WebhookReceiver();
  ~WebhookReceiver();
  WebhookReceiver(const WebhookReceiver&) = delete;
  WebhookReceiver& operator=(const WebhookReceiver&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // In the order in which they came.
  [[nodiscard]] std::vector<WebhookPost> Posts() const;

 private:
  const std::unique_ptr<httplib::Server> server_;
  int port_ = 0;

  mutable std::mutex mutex_;
  std::vector<WebhookPost> posts_;  // guarded by mutex_

  std::thread thread_;
};

}  // namespace registry_backend::testing
