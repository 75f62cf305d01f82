#include "tests/monitor/shown_presence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

namespace registry_backend::testing {
namespace {

constexpr std::string_view kPrefix = "registry_backend_";
constexpr std::string_view kLeftOut[] = {
    "scan_",         "scans_",        "tag_", "target_info", "approved_host_observed",
    "endpoint_info", "endpoint_blobs"};

// What tells of a scan or a tag, not of presence.
bool IsLeftOut(std::string_view line) {
  if (line.starts_with("#")) return true;
  line.remove_prefix(std::min(line.size(), kPrefix.size()));
  if (line.starts_with("scan_outcome{") || line.starts_with("scan_consecutive_failures{")) {
    return false;
  }
  return std::ranges::any_of(kLeftOut, [line](auto family) { return line.starts_with(family); });
}

struct Series {
  std::string family;
  std::map<std::string, std::string> labels;
  std::string value;
};

// `registry_backend_x{a="b",c="d"} 1`; no value of ours has quotes in it.
std::optional<Series> ParseSeries(std::string line) {
  const std::size_t open = line.find('{');
  const std::size_t close = line.find("} ");
  if (!line.starts_with(kPrefix) || open > close || close == std::string::npos) return {};
  Series series{line.substr(kPrefix.size(), open - kPrefix.size()), {}, line.substr(close + 2)};
  std::istringstream labels(line.substr(open + 1, close - open - 1));
  for (std::string name, value; std::getline(labels, name, '=');) {
    std::getline(labels, value, '"');
    std::getline(labels, value, '"');
    series.labels[name] = value;
    std::getline(labels, value, ',');
  }
  return series;
}

std::string HoursOf(const std::string& seconds) {
  const double since = std::strtod(seconds.c_str(), nullptr) - UnixSeconds(kFirstHour);
  return fmt::format("{:g}", since / 3600);
}

// `b`, or `api r` where it serves something other than blobs.
std::string NameOf(std::string_view serves, std::string_view host) {
  const std::string letter(host.substr(0, 1));
  return serves == "blobs" ? letter : std::string(serves) + " " + letter;
}

class Presence {
 public:
  void Take(const std::string& line) {
    const std::optional<Series> series = ParseSeries(line);
    if (series && TakeSeries(*series)) return;
    unknown_ += line + "\n";
  }

  [[nodiscard]] std::string text() const {
    std::string text = (outcome_.empty() ? "none" : outcome_) + failures_ + " |" + present_ + " |" +
                       changes_ + " |" + baseline_ + last_change_ + " | dropped" + dropped_ + "\n";
    for (const std::string& name : order_) text += name + endpoints_.at(name) + "\n";
    return text + unknown_;
  }

 private:
  bool TakeSeries(const Series& series) {
    const std::string& family = series.family;
    const std::string& value = series.value;
    const auto label = [&series](const char* name) {
      const auto found = series.labels.find(name);
      return found == series.labels.end() ? "" : found->second;
    };
    if (family == "scan_outcome") {
      if (value == "1") outcome_ += label("outcome");
    } else if (family == "scan_consecutive_failures") {
      failures_ += " " + value;
    } else if (family == "endpoints") {
      present_ += (present_.empty() ? " " : "/") + value;
    } else if (family == "endpoint_changes_total") {
      changes_ += (label("change") == "added" ? " +" : " -") + value;
    } else if (family == "baseline_timestamp_seconds") {
      baseline_ += " baseline " + HoursOf(value);
    } else if (family == "last_change_timestamp_seconds") {
      last_change_ += " change " + HoursOf(value);
    } else if (family == "endpoints_dropped") {
      dropped_ += " " + value;
    } else if (family.starts_with("endpoint_")) {
      return TakeEndpoint(family, NameOf(label("serves"), label("backend_host")), value);
    } else {
      return false;
    }
    return true;
  }

  bool TakeEndpoint(const std::string& family, const std::string& name, const std::string& value) {
    if (!endpoints_.contains(name)) order_.push_back(name);
    std::string& text = endpoints_[name];
    if (family == "endpoint_present") {
      text += " " + value;
    } else if (family == "endpoint_first_seen_timestamp_seconds") {
      text += " seen " + HoursOf(value);
    } else if (family == "endpoint_last_seen_timestamp_seconds") {
      text += "-" + HoursOf(value);
    } else if (family == "endpoint_changed_timestamp_seconds") {
      text += " changed " + HoursOf(value);
    } else if (family == "endpoint_approved") {
      text += " approved " + value;
    } else {
      return false;
    }
    return true;
  }

  std::string outcome_, failures_, present_, changes_, baseline_, last_change_, dropped_;
  std::vector<std::string> order_;
  std::map<std::string, std::string> endpoints_;
  std::string unknown_;
};

}  // namespace

std::string ShownPresence(const std::string& exposition) {
  Presence presence;
  std::istringstream lines(exposition);
  for (std::string line; std::getline(lines, line);) {
    if (!IsLeftOut(line)) presence.Take(line);
  }
  return presence.text();
}

std::string ShownJournal(const std::deque<Change>& journal) {
  std::string text = "journal";
  for (auto change = journal.rbegin(); change != journal.rend(); ++change) {
    text += " " + HoursOf(fmt::format("{:f}", UnixSeconds(change->at))) +
            (change->kind == ChangeKind::kAdded ? "+" : "-") +
            NameOf(ServesName(change->endpoint.serves), change->endpoint.backend_host.text());
  }
  return text + "\n";
}

}  // namespace registry_backend::testing
