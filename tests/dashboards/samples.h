#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/common/time.h"

namespace registry_backend::testing {

using Labels = std::vector<std::pair<std::string, std::string>>;

// One scrape of one target, as Prometheus stores it.
class ScrapedTarget {
 public:
  // `labels` are the target's: job, instance and what relabelling set.
  ScrapedTarget(Labels labels, WallTime when, std::ostream& out);

  // What it answers: the text format without timestamps.
  void Answer(std::string_view exposition);
  void Add(std::string_view name, double value, const Labels& labels = {});
  // What Prometheus adds of its own.
  void End(bool up, Duration took);

 private:
  void Write(std::string_view name, std::string_view labels, std::string_view value);

  const std::string labels_;  // name="value",…
  const std::string when_;
  std::ostream& out_;
  std::size_t samples_ = 0;
};

}  // namespace registry_backend::testing
