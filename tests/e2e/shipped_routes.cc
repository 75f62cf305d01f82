#include "tests/e2e/shipped_routes.h"

#include "tests/support/text.h"

namespace registry_backend::testing {

ShippedRoutes::ShippedRoutes() {
  const std::string alerts = REGISTRY_BACKEND_SOURCE_DIR "/alerts/";
  const std::string url = receiver_.url();
  WriteFile(secrets_ / "slack_url", url + "/slack");
  WriteFile(secrets_ / "pagerduty_key", "pagerduty-key");
  WriteFile(secrets_ / "smtp_password", "smtp-password");
  config_ = ReadFile(alerts + "alertmanager.yml");
  Replace(config_, "/etc/alertmanager/secrets", secrets_.path().string());
  Replace(config_, "/etc/alertmanager/templates", alerts + "templates");
  Replace(config_, "http://127.0.0.1:5001", url);
  Replace(config_, "smtp_smarthost: smtp.example.com:587",
          "smtp_smarthost: 127.0.0.1:" + std::to_string(smtp_.port()) +
              "\n  smtp_require_tls: false\n  pagerduty_url: " + url + "/pagerduty");
  Replace(config_, "group_wait: 30s", "group_wait: 0s");
  Replace(config_, "group_interval: 5m", "group_interval: 1s");
}

std::vector<nlohmann::json> ShippedRoutes::At(const std::string& path) const {
  std::vector<nlohmann::json> bodies;
  for (const WebhookPost& post : receiver_.Posts()) {
    if (post.path == path) bodies.push_back(post.body);
  }
  return bodies;
}

std::vector<std::string> ShippedRoutes::Mail() const {
  const std::lock_guard lock(mutex_);
  return mail_;
}

// RFC 5321, as much of it as a client that has one message needs.
void ShippedRoutes::TakeMail(RawConnection& connection) {
  connection.Send("220 stand-in\r\n");
  while (true) {
    const std::string line = connection.ReadUntil("\r\n");
    if (line.empty()) return;
    if (!line.starts_with("DATA")) {
      connection.Send(line.starts_with("QUIT") ? "221 bye\r\n" : "250 good\r\n");
      continue;
    }
    connection.Send("354 go on\r\n");
    std::string message = connection.ReadUntil("\r\n.\r\n");
    {
      const std::lock_guard lock(mutex_);
      mail_.push_back(std::move(message));
    }
    connection.Send("250 taken\r\n");
  }
}

}  // namespace registry_backend::testing
