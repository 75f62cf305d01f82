#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <random>

#include "exporter/metrics/http_metrics.h"
#include "exporter/monitor/snapshot.h"
#include "tests/dashboards/story.h"

namespace registry_backend::testing {

// A target of the story, scanned when it is due and applied as the Monitor does it, by a clock that
// moves a minute at a time.
class Watched {
 public:
  Watched(WatchedRepository repository, unsigned seed);

  // What happens until `now`, which is `day`. Requests go to `http`.
  void Pass(WallTime now, Day day, HttpMetrics& http);
  // The exporter ends: a scan under way is lost.
  void Restart() { scan_.reset(); }

  [[nodiscard]] std::shared_ptr<const TargetSnapshot> Picture(Day day) const;
  [[nodiscard]] const TargetState& state() const { return state_; }
  [[nodiscard]] bool scanning() const { return scan_.has_value(); }
  // Sent since it began.
  [[nodiscard]] std::size_t requests() const { return requests_; }

 private:
  struct Scan {
    Situation situation;
    ScanResult result;
    std::size_t requests_left;
    std::size_t minutes_left;
  };

  void Begin(WallTime now, Day day);
  void Ask(Scan& scan, HttpMetrics& http);
  void AskOnce(const Situation& situation, HttpMetrics& http);
  void Request(HttpMetrics& http, std::string_view operation, int status, double seconds);
  double Seconds(double median);
  bool Chance(double share);

  const WatchedRepository repository_;
  std::mt19937 random_;
  TargetState state_;
  std::optional<WallTime> next_scan_;
  std::optional<Scan> scan_;
  std::size_t requests_ = 0;
};

}  // namespace registry_backend::testing
