#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace registry_backend::testing {

using Labels = std::map<std::string, std::string>;

struct Sample {
  std::string name = {};
  Labels labels = {};
  double value = 0;
};

// The samples of an exposition in Prometheus' text format 0.0.4; comments are skipped. Written
// apart from the exporter's own code, so that both must agree. Throws std::runtime_error with the
// line that is malformed.
[[nodiscard]] std::vector<Sample> ParseExposition(std::string_view text);

// The value of the one sample of that name that carries `labels` (and perhaps more); nothing when
// there is none, or more than one.
[[nodiscard]] std::optional<double> ValueOf(const std::vector<Sample>& samples,
                                            std::string_view name, const Labels& labels = {});

}  // namespace registry_backend::testing
