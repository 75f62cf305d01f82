#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "tests/e2e/webhook_receiver.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

// The shipped alerts/alertmanager.yml and its templates, impatient, with a stand-in on 127.0.0.1
// for whatever it sends to. Thread-safe.
class ShippedRoutes {
 public:
  ShippedRoutes();

  // For AlertmanagerServer. As long as this lives.
  [[nodiscard]] const std::string& config() const { return config_; }

  // What each has got, in the order in which it came.
  [[nodiscard]] std::vector<nlohmann::json> Webhook() const { return At("/registry-backend"); }
  [[nodiscard]] std::vector<nlohmann::json> Slack() const { return At("/slack"); }
  [[nodiscard]] std::vector<nlohmann::json> PagerDuty() const { return At("/pagerduty"); }
  // Whole messages: header and body, as they go over the wire.
  [[nodiscard]] std::vector<std::string> Mail() const;

 private:
  [[nodiscard]] std::vector<nlohmann::json> At(const std::string& path) const;
  void TakeMail(RawConnection& connection);

  const TempDir secrets_{"shipped-routes"};
  const WebhookReceiver receiver_;

  mutable std::mutex mutex_;
  std::vector<std::string> mail_;  // guarded by mutex_

  const RawServer smtp_{[this](RawConnection& connection) { TakeMail(connection); }};
  std::string config_;
};

}  // namespace registry_backend::testing
