#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/report/report_reader.h"

namespace registry_backend {

// Where in a report's JSON a value stands: what holds it.
enum class ReportPlace {
  kReports,  // the array around several reports
  kReport,
  kCoverage,
  kTags,
  kTag,
  kTagHosts,  // a tag's list of hosts
  kLayers,
  kLayer,
  kEndpoints,
  kEndpoint,
  kSummary,
  kSummaryHosts,
  kIgnored,  // nothing in it is of interest
};

enum class ReportValue { kText, kNumber, kObject, kArray, kOther };

// Makes a StoredReport of what a parser tells, value by value; of no use after an error. Errors say
// what is wrong with the value told of, or with the report as a whole.
class ReportBuilder {
 public:
  // A text or number under `key` of what holds it; `key` is the last one where an array does.
  Status Take(ReportPlace within, std::string_view key, ReportValue kind, std::string_view text,
              std::uint64_t number);
  // An object or array begins. Returns what it is.
  Result<ReportPlace> Begin(ReportPlace within, const std::string& key, ReportValue kind);
  Status End(ReportPlace place);
  // The report has ended. Error: it lacks what every report has.
  Result<StoredReport> Finish() &&;

 private:
  // What is to be at a place: one of these, or nothing of interest.
  struct Slot {
    std::string* text = nullptr;
    std::optional<std::uint64_t>* number = nullptr;
    ReportPlace inside = ReportPlace::kIgnored;
    ReportValue bracket = ReportValue::kOther;  // kObject, kArray
  };
  static Slot Object(ReportPlace inside) {
    return {nullptr, nullptr, inside, ReportValue::kObject};
  }
  static Slot Array(ReportPlace inside) { return {nullptr, nullptr, inside, ReportValue::kArray}; }
  struct NamedSlot;
  Slot SlotAt(ReportPlace within, std::string_view key);
  Slot SlotOfReport(std::string_view key);
  Slot SlotOfEndpoint(std::string_view key);

  Status TakeHost(ReportPlace within);
  Status EndEndpoint();
  void UseByTag(const Host& host);
  Status SetSubject();
  Status SetOutcome();
  Status SetEndpoints();

  struct Coverage {
    std::optional<std::uint64_t> tags;
    std::optional<std::uint64_t> manifests;
    std::optional<std::uint64_t> blobs;
    std::optional<std::uint64_t> unresolved;
  };
  struct Endpoint {
    std::string serves;
    std::string backend_host;
    EndpointInfo info;
    std::optional<std::uint64_t> blobs;
  };

  StoredReport report_;
  std::optional<std::uint64_t> format_version_;
  std::string registry_;
  std::string outcome_;
  std::string error_;
  std::string message_;
  std::string discovery_timestamp_;
  std::string finished_at_;
  Coverage coverage_;
  Endpoint endpoint_;  // the one begun
  std::string host_;   // the one just told of, in a list or a layer
  std::set<Host> sampled_hosts_;
  bool has_endpoints_ = false;
  bool has_summary_hosts_ = false;
};

}  // namespace registry_backend
