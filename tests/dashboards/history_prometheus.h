#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "exporter/common/time.h"
#include "tests/integration/prometheus_server.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

// The packaged Prometheus, with the scripted week of story.h in its database and nothing to scrape.
// The week goes on for a quarter of an hour after the constructor's call, so that what is asked for
// as of now is there until then. Ready when the constructor returns, after some seconds; throws as
// PrometheusServer does.
class HistoryPrometheus {
 public:
  // `rules`, if any, is the text of a rule file, evaluated from now on.
  explicit HistoryPrometheus(const std::string& rules = "");

  [[nodiscard]] const PrometheusServer& server() const { return *server_; }
  [[nodiscard]] std::string url() const { return server_->url(); }
  // The week's end.
  [[nodiscard]] WallTime end() const { return end_; }

 private:
  const WallTime end_;
  std::unique_ptr<PrometheusServer> server_;
};

}  // namespace registry_backend::testing
