#include "tests/dashboards/samples.h"

#include <fmt/format.h>

#include <ostream>

namespace registry_backend::testing {
namespace {

// None of the story's values needs an escape.
std::string TextOf(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", name, value);
  }
  return text;
}

}  // namespace

ScrapedTarget::ScrapedTarget(Labels labels, WallTime when, std::ostream& out)
    : labels_(TextOf(labels)), when_(fmt::format("{:.3f}", UnixSeconds(when))), out_(out) {}

void ScrapedTarget::Answer(std::string_view exposition) {
  while (!exposition.empty()) {
    const std::string_view line = exposition.substr(0, exposition.find('\n'));
    exposition.remove_prefix(line.size() + 1);
    if (line.starts_with('#')) continue;
    const std::size_t value = line.rfind(' ');
    const std::size_t brace = line.find('{');
    if (brace == std::string_view::npos) {
      Write(line.substr(0, value), "", line.substr(value + 1));
    } else {
      Write(line.substr(0, brace), line.substr(brace + 1, value - brace - 2),
            line.substr(value + 1));
    }
  }
}

void ScrapedTarget::Add(std::string_view name, double value, const Labels& labels) {
  Write(name, TextOf(labels), fmt::format("{}", value));
}

void ScrapedTarget::End(bool up, Duration took) {
  const auto scraped = static_cast<double>(samples_);
  Add("up", up ? 1 : 0);
  Add("scrape_duration_seconds", Seconds(took));
  Add("scrape_samples_scraped", scraped);
  Add("scrape_samples_post_metric_relabeling", scraped);
}

void ScrapedTarget::Write(std::string_view name, std::string_view labels, std::string_view value) {
  ++samples_;
  out_ << name << '{' << labels_ << (labels.empty() ? "" : ",") << labels << "} " << value << ' '
       << when_ << '\n';
}

}  // namespace registry_backend::testing
