#include "exporter/report/report_builder.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

#include "exporter/url/text.h"
#include "exporter/url/url.h"

namespace registry_backend {
namespace {

constexpr std::uint64_t kFormatVersion = 1;

Error Unusable(std::string why) { return {ErrorKind::kProtocol, std::move(why)}; }
Error Missing(std::string_view key) {
  return Unusable("it is no report: key '" + std::string(key) + "' is missing");
}

// host[:port] of a registry that is named by a URL, or by its host alone.
Result<Host> RegistryHost(const std::string& text) {
  if (text.find("://") == std::string::npos) return Host::Parse(text);
  Result<Url> url = Url::Parse(text);
  if (!url) return url.error();
  return url->host();
}

// `2025-06-06T20:09:12.250Z` or `2025-06-06 20:09:12 UTC`, to the second.
std::optional<WallTime> ParseTime(const std::string& text) {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  int hours = 0;
  int minutes = 0;
  int seconds = 0;
  if (std::sscanf(text.c_str(), "%4u-%2u-%2u%*1[T ]%2d:%2d:%2d", &year, &month, &day, &hours,
                  &minutes, &seconds) != 6) {
    return std::nullopt;
  }
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(static_cast<int>(year)), std::chrono::month(month),
                            std::chrono::day(day)};
  const bool is_utc = text.ends_with("Z") || text.ends_with(" UTC");
  const bool is_time = hours >= 0 && hours < 24 && minutes >= 0 && minutes < 60 && seconds >= 0;
  if (!is_utc || !is_time || !date.ok() || year < 1970 || year >= 2200) return std::nullopt;
  return WallTime(sys_days(date)) + std::chrono::hours(hours) + std::chrono::minutes(minutes) +
         std::chrono::seconds(std::min(seconds, 59));
}

std::string_view NameOf(ReportValue kind) {
  switch (kind) {
    case ReportValue::kText:
      return "a text";
    case ReportValue::kNumber:
      return "a whole number";
    case ReportValue::kObject:
      return "an object";
    case ReportValue::kArray:
      return "an array";
    case ReportValue::kOther:
      break;
  }
  return "another value";
}

Error Expected(ReportValue kind) { return Unusable("expected " + std::string(NameOf(kind))); }

}  // namespace

// Where what a key has goes, by key. It is looked at for each key that is read.
struct ReportBuilder::NamedSlot {
  std::string_view key;
  Slot (*slot)(ReportBuilder&);

  template <std::size_t kCount>
  static Slot Find(const NamedSlot (&slots)[kCount], std::string_view key, ReportBuilder& builder) {
    const auto found = std::ranges::find(slots, key, &NamedSlot::key);
    return found == std::end(slots) ? Slot{} : found->slot(builder);
  }
};

ReportBuilder::Slot ReportBuilder::SlotOfReport(std::string_view key) {
  using Self = ReportBuilder&;
  static constexpr NamedSlot kSlots[] = {
      {"format_version", [](Self self) -> Slot { return {.number = &self.format_version_}; }},
      {"repository", [](Self self) -> Slot { return {.text = &self.report_.repository}; }},
      {"registry", [](Self self) -> Slot { return {.text = &self.registry_}; }},
      {"discovery_timestamp",
       [](Self self) -> Slot { return {.text = &self.discovery_timestamp_}; }},
      {"finished_at", [](Self self) -> Slot { return {.text = &self.finished_at_}; }},
      {"outcome", [](Self self) -> Slot { return {.text = &self.outcome_}; }},
      {"error", [](Self self) -> Slot { return {.text = &self.error_}; }},
      {"message", [](Self self) -> Slot { return {.text = &self.message_}; }},
      {"coverage", [](Self) { return Object(ReportPlace::kCoverage); }},
      {"tags", [](Self) { return Object(ReportPlace::kTags); }},
      {"endpoints", [](Self) { return Array(ReportPlace::kEndpoints); }},
      {"summary", [](Self) { return Object(ReportPlace::kSummary); }},
  };
  return NamedSlot::Find(kSlots, key, *this);
}

ReportBuilder::Slot ReportBuilder::SlotOfEndpoint(std::string_view key) {
  using Self = ReportBuilder&;
  static constexpr NamedSlot kSlots[] = {
      {"serves", [](Self self) -> Slot { return {.text = &self.endpoint_.serves}; }},
      {"backend_host", [](Self self) -> Slot { return {.text = &self.endpoint_.backend_host}; }},
      {"provider", [](Self self) -> Slot { return {.text = &self.endpoint_.info.provider}; }},
      {"bucket", [](Self self) -> Slot { return {.text = &self.endpoint_.info.bucket}; }},
      {"storage_region",
       [](Self self) -> Slot { return {.text = &self.endpoint_.info.storage_region}; }},
      {"delivery", [](Self self) -> Slot { return {.text = &self.endpoint_.info.delivery}; }},
      {"blobs", [](Self self) -> Slot { return {.number = &self.endpoint_.blobs}; }},
  };
  return NamedSlot::Find(kSlots, key, *this);
}

ReportBuilder::Slot ReportBuilder::SlotAt(ReportPlace within, std::string_view key) {
  switch (within) {
    case ReportPlace::kReport:
      return SlotOfReport(key);
    case ReportPlace::kCoverage:
      if (key == "tags") return {.number = &coverage_.tags};
      if (key == "manifests") return {.number = &coverage_.manifests};
      if (key == "blobs") return {.number = &coverage_.blobs};
      if (key == "unresolved") return {.number = &coverage_.unresolved};
      return {};
    case ReportPlace::kTags:
      return Object(ReportPlace::kTag);
    case ReportPlace::kTag:
      if (key == "endpoints" || key == "s3_endpoints") {
        return Array(ReportPlace::kTagHosts);
      }
      if (key == "layers") return Array(ReportPlace::kLayers);
      return {};
    case ReportPlace::kLayers:
      return Object(ReportPlace::kLayer);
    case ReportPlace::kLayer:
      if (key == "s3_endpoint") return {.text = &host_};
      return {};
    case ReportPlace::kEndpoints:
      return Object(ReportPlace::kEndpoint);
    case ReportPlace::kEndpoint:
      return SlotOfEndpoint(key);
    case ReportPlace::kSummary:
      if (key == "s3_endpoints") {
        return Array(ReportPlace::kSummaryHosts);
      }
      return {};
    case ReportPlace::kTagHosts:
    case ReportPlace::kSummaryHosts:
      return {.text = &host_};
    case ReportPlace::kReports:
    case ReportPlace::kIgnored:
      break;
  }
  return {};
}

Status ReportBuilder::Take(ReportPlace within, std::string_view key, ReportValue kind,
                           std::string_view text, std::uint64_t number) {
  const Slot slot = SlotAt(within, key);
  if (slot.text != nullptr) {
    if (kind != ReportValue::kText) return Expected(ReportValue::kText);
    *slot.text = text;
    return slot.text == &host_ ? TakeHost(within) : Ok();
  }
  if (slot.number != nullptr) {
    if (kind != ReportValue::kNumber) return Expected(ReportValue::kNumber);
    *slot.number = number;
    return Ok();
  }
  return slot.bracket == ReportValue::kOther ? Ok() : Expected(slot.bracket);
}

Result<ReportPlace> ReportBuilder::Begin(ReportPlace within, const std::string& key,
                                         ReportValue kind) {
  const Slot slot = SlotAt(within, key);
  if (slot.text != nullptr) return Expected(ReportValue::kText);
  if (slot.number != nullptr) return Expected(ReportValue::kNumber);
  if (slot.bracket != ReportValue::kOther && slot.bracket != kind) return Expected(slot.bracket);
  if (slot.inside == ReportPlace::kTag) report_.tags.push_back(key);
  if (slot.inside == ReportPlace::kEndpoint) endpoint_ = {};
  if (slot.inside == ReportPlace::kEndpoints) has_endpoints_ = true;
  if (slot.inside == ReportPlace::kSummaryHosts) has_summary_hosts_ = true;
  return slot.inside;
}

Status ReportBuilder::End(ReportPlace place) {
  return place == ReportPlace::kEndpoint ? EndEndpoint() : Ok();
}

Status ReportBuilder::TakeHost(ReportPlace within) {
  Result<Host> host = Host::Parse(host_);
  if (!host) return host.error();
  if (within != ReportPlace::kSummaryHosts) UseByTag(*host);
  sampled_hosts_.insert(*std::move(host));
  return Ok();
}

void ReportBuilder::UseByTag(const Host& host) {
  const auto place = static_cast<std::uint32_t>(report_.tags.size() - 1);
  std::vector<std::uint32_t>& places = report_.tags_of[host];
  if (places.empty() || places.back() != place) places.push_back(place);
}

Status ReportBuilder::EndEndpoint() {
  Result<Host> host = Host::Parse(endpoint_.backend_host);
  if (!host) return Unusable("backend_host: " + host.error().message);
  const auto serves = std::ranges::find(kAllServes, std::string_view(endpoint_.serves), ServesName);
  if (serves == std::end(kAllServes)) {
    return Unusable("serves: expected api, tokens, manifests or blobs");
  }
  report_.endpoints.insert_or_assign({*serves, *std::move(host)},
                                     StoredReport::Endpoint{endpoint_.info, endpoint_.blobs});
  return Ok();
}

Result<StoredReport> ReportBuilder::Finish() && {
  if (format_version_ && *format_version_ != kFormatVersion) {
    return Unusable("its format_version is " + std::to_string(*format_version_) +
                    "; this program reads " + std::to_string(kFormatVersion));
  }
  report_.is_sample = !format_version_;
  const std::string& time = finished_at_.empty() ? discovery_timestamp_ : finished_at_;
  report_.finished = ParseTime(time);
  if (Status set = SetOutcome(); !set) return set.error();
  const Status subject = SetSubject();  // what failed may not even name it
  if (report_.outcome == ScanOutcome::kFailed) return std::move(report_);
  if (!subject) return subject.error();
  if (Status set = SetEndpoints(); !set) return set.error();
  const Coverage& known = coverage_;
  if (known.tags && known.manifests && known.blobs && known.unresolved) {
    report_.coverage = {*known.tags, *known.manifests, *known.blobs, *known.unresolved};
  }
  return std::move(report_);
}

// The original tool tells no outcome: what it wrote without an `error` it thought complete.
Status ReportBuilder::SetOutcome() {
  if (!error_.empty()) outcome_ = OutcomeName(ScanOutcome::kFailed);
  if (!outcome_.empty()) {
    const auto outcome =
        std::ranges::find(kAllScanOutcomes, std::string_view(outcome_), OutcomeName);
    if (outcome == std::end(kAllScanOutcomes)) {
      return Unusable("outcome: expected complete, partial or failed");
    }
    report_.outcome = *outcome;
  } else if (!report_.is_sample) {
    return Missing("outcome");
  }
  if (report_.outcome == ScanOutcome::kFailed) {
    report_.failure = Printable(error_.empty() ? "it does not say why" : error_);
    if (!message_.empty()) report_.failure += ": " + Printable(message_, 300);
  }
  return Ok();
}

Status ReportBuilder::SetSubject() {
  if (registry_.empty()) return Missing("registry");
  if (report_.repository.empty()) return Missing("repository");
  Result<Host> host = RegistryHost(registry_);
  if (!host) return Unusable("registry: " + host.error().message);
  report_.registry = host->text();
  return Ok();
}

Status ReportBuilder::SetEndpoints() {
  if (!report_.is_sample) return has_endpoints_ ? Ok() : Missing("endpoints");
  if (!has_summary_hosts_) return Missing("summary.s3_endpoints");
  report_.endpoints.clear();
  for (const Host& host : sampled_hosts_) report_.endpoints[{Serves::kBlobs, host}] = {};
  return Ok();
}

}  // namespace registry_backend
