#include "tests/integration/exposition.h"

#include <algorithm>
#include <stdexcept>

namespace registry_backend::testing {
namespace {

[[noreturn]] void Malformed(std::string_view line) {
  throw std::runtime_error("malformed exposition line: " + std::string(line));
}

// Takes the text up to `end` off the front of `rest`, and `end` with it.
std::string_view Take(std::string_view& rest, std::string_view end, std::string_view line) {
  const std::size_t found = rest.find(end);
  if (found == std::string_view::npos) Malformed(line);
  const std::string_view taken = rest.substr(0, found);
  rest.remove_prefix(found + end.size());
  return taken;
}

// A label value up to its closing quote, with \\, \" and \n undone.
std::string TakeValue(std::string_view& rest, std::string_view line) {
  std::string value;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == '"') {
      rest.remove_prefix(i + 1);
      return value;
    }
    if (rest[i] != '\\') {
      value += rest[i];
    } else if (++i < rest.size()) {
      value += rest[i] == 'n' ? '\n' : rest[i];
    }
  }
  Malformed(line);
}

Labels TakeLabels(std::string_view& rest, std::string_view line) {
  Labels labels;
  while (!rest.starts_with('}')) {
    const std::string name(Take(rest, "=\"", line));
    if (!labels.emplace(name, TakeValue(rest, line)).second) Malformed(line);
    if (rest.starts_with(',')) rest.remove_prefix(1);
  }
  rest.remove_prefix(1);
  return labels;
}

Sample ParseLine(std::string_view line) {
  Sample sample;
  std::string_view rest = line;
  const std::size_t name_end = rest.find_first_of("{ ");
  if (name_end == std::string_view::npos || name_end == 0) Malformed(line);
  sample.name = rest.substr(0, name_end);
  rest.remove_prefix(name_end);
  if (rest.starts_with('{')) {
    rest.remove_prefix(1);
    sample.labels = TakeLabels(rest, line);
  }
  if (!rest.starts_with(' ')) Malformed(line);
  sample.value = std::stod(std::string(rest));  // also NaN and +Inf
  return sample;
}

}  // namespace

std::vector<Sample> ParseExposition(std::string_view text) {
  std::vector<Sample> samples;
  while (!text.empty()) {
    const std::string_view line = Take(text, "\n", text);
    if (!line.empty() && !line.starts_with('#')) samples.push_back(ParseLine(line));
  }
  return samples;
}

std::optional<double> ValueOf(const std::vector<Sample>& samples, std::string_view name,
                              const Labels& labels) {
  const auto matches = [&](const Sample& sample) {
    return sample.name == name && std::ranges::all_of(labels, [&](const auto& label) {
             const auto found = sample.labels.find(label.first);
             return found != sample.labels.end() && found->second == label.second;
           });
  };
  if (std::ranges::count_if(samples, matches) != 1) return std::nullopt;
  return std::ranges::find_if(samples, matches)->value;
}

}  // namespace registry_backend::testing
