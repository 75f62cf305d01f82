#include "exporter/inventory/state_codec.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::milliseconds;

// Thrown while decoding, caught in DecodeState, as nlohmann's own exceptions are.
std::runtime_error Unknown(std::string_view what, const std::string& name) {
  return std::runtime_error("unknown " + std::string(what) + " '" + name + "'");
}

Json FromTime(WallTime time) {
  return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

Json FromOptionalTime(const std::optional<WallTime>& time) {
  return time ? FromTime(*time) : Json();
}

constexpr std::uint64_t kLatestTime = 7'258'118'400'000;  // the year 2200, in milliseconds

// A whole number from 0 to `most`; nlohmann's own conversions would wrap and round.
std::uint64_t ToNumber(const Json& json, std::uint64_t most) {
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() > most) {
    throw std::runtime_error(json.dump().substr(0, 40) + " is no number from 0 to " +
                             std::to_string(most));
  }
  return json.get<std::uint64_t>();
}

std::uint64_t ToCount(const Json& json) {
  return ToNumber(json, std::numeric_limits<std::uint64_t>::max());
}

milliseconds ToMilliseconds(const Json& json) {
  return milliseconds(static_cast<std::int64_t>(ToNumber(json, kLatestTime)));
}

WallTime ToTime(const Json& json) { return WallTime(ToMilliseconds(json)); }

std::optional<WallTime> ToOptionalTime(const Json& json) {
  return json.is_null() ? std::nullopt : std::optional(ToTime(json));
}

// The value of `all` that `name_of` calls `name`.
template <typename Values, typename NameOf>
auto FromName(const Values& all, NameOf name_of, std::string_view what, const std::string& name) {
  for (const auto value : all) {
    if (name_of(value) == name) return value;
  }
  throw Unknown(what, name);
}

ScanOutcome ToOutcome(const std::string& name) {
  return FromName(kAllScanOutcomes, OutcomeName, "outcome", name);
}
// A later program may know reasons that this one does not: no cause to lose the rest.
ErrorKind ToReason(const std::string& name) {
  for (const ErrorKind kind : kReportedErrorKinds) {
    if (ReasonName(kind) == name) return kind;
  }
  return ErrorKind::kInternal;
}
ChangeKind ToChangeKind(const std::string& name) {
  return FromName(kAllChangeKinds, ChangeName, "change", name);
}

template <typename Key, typename NameOf>
Json FromCounts(const std::map<Key, std::uint64_t>& counts, NameOf name_of) {
  Json json = Json::object();
  for (const auto& [key, count] : counts) json[std::string(name_of(key))] = count;
  return json;
}

template <typename ToKey>
auto ToCounts(const Json& json, ToKey to_key) {
  std::map<decltype(to_key(std::string())), std::uint64_t> counts;
  for (const auto& [name, count] : json.items()) counts[to_key(name)] += ToCount(count);
  return counts;
}

Json FromScanCounts(const ScanCounts& counts) {
  return {{"tags", counts.tags}, {"manifests", counts.manifests}, {"blobs", counts.blobs}};
}

ScanCounts ToScanCounts(const Json& json) {
  return {ToCount(json.at("tags")), ToCount(json.at("manifests")), ToCount(json.at("blobs"))};
}

Json FromKey(const EndpointKey& key) {
  return {{"serves", ServesName(key.serves)}, {"backend_host", key.backend_host.text()}};
}

EndpointKey ToKey(const Json& json) {
  const auto text = json.at("backend_host").get<std::string>();
  Result<Host> host = Host::Parse(text);
  if (!host) throw Unknown("host", text);
  return {FromName(kAllServes, ServesName, "serves", json.at("serves").get<std::string>()),
          *std::move(host)};
}

Json FromEndpoint(const EndpointKey& key, const EndpointRecord& record) {
  Json json = FromKey(key);
  json.update({{"provider", record.info.provider},
               {"bucket", record.info.bucket},
               {"storage_region", record.info.storage_region},
               {"delivery", record.info.delivery},
               {"scheme", record.info.scheme},
               {"first_seen", FromTime(record.first_seen)},
               {"last_seen", FromTime(record.last_seen)},
               {"absent_since", FromOptionalTime(record.absent_since)},
               {"changed", FromOptionalTime(record.changed)},
               {"blobs", record.blobs ? Json(*record.blobs) : Json()},
               {"misses", record.misses},
               {"witnesses", record.witnesses}});
  return json;
}

EndpointRecord ToEndpoint(const Json& json) {
  EndpointRecord record;
  record.info = {json.at("provider").get<std::string>(), json.at("bucket").get<std::string>(),
                 json.at("storage_region").get<std::string>(),
                 json.at("delivery").get<std::string>(), json.at("scheme").get<std::string>()};
  record.first_seen = ToTime(json.at("first_seen"));
  record.last_seen = ToTime(json.at("last_seen"));
  record.absent_since = ToOptionalTime(json.at("absent_since"));
  record.changed = ToOptionalTime(json.at("changed"));
  if (!json.at("blobs").is_null()) record.blobs = ToCount(json.at("blobs"));
  record.misses = ToCount(json.at("misses"));
  record.witnesses = json.at("witnesses").get<std::vector<std::string>>();
  return record;
}

Json FromSummary(const std::optional<ScanSummary>& summary) {
  if (!summary) return {};
  Json reasons = Json::array();
  for (const ErrorKind reason : summary->reasons) reasons.push_back(ReasonName(reason));
  return {{"outcome", OutcomeName(summary->outcome)},
          {"started", FromTime(summary->started)},
          {"finished", FromTime(summary->finished)},
          {"took_ms", std::chrono::duration_cast<milliseconds>(summary->took).count()},
          {"asked", FromScanCounts(summary->asked)},
          {"unresolved", FromScanCounts(summary->unresolved)},
          {"unpullable", FromScanCounts(summary->unpullable)},
          {"coverage", summary->coverage},
          {"reasons", std::move(reasons)},
          {"error", summary->error}};
}

std::optional<ScanSummary> ToSummary(const Json& json) {
  if (json.is_null()) return std::nullopt;
  ScanSummary summary{.outcome = ToOutcome(json.at("outcome").get<std::string>()),
                      .started = ToTime(json.at("started")),
                      .finished = ToTime(json.at("finished")),
                      .took = ToMilliseconds(json.at("took_ms")),
                      .asked = ToScanCounts(json.at("asked")),
                      .unresolved = ToScanCounts(json.at("unresolved")),
                      .unpullable = ToScanCounts(json.at("unpullable")),
                      .coverage = json.at("coverage").get<double>(),
                      .error = json.at("error").get<std::string>()};
  for (const Json& reason : json.at("reasons")) {
    summary.reasons.insert(ToReason(reason.get<std::string>()));
  }
  return summary;
}

Json FromTags(const std::vector<TagSummary>& tags) {
  Json list = Json::array();
  for (const TagSummary& tag : tags) {
    list.push_back({{"tag", tag.name},
                    {"media_type", tag.media_type},
                    {"platforms", tag.platforms},
                    {"blobs", tag.blobs},
                    {"digest", tag.digest},
                    {"layers", tag.layers}});
  }
  return list;
}

// A tag that is there twice would be a series that is there twice, and cost the whole scrape.
std::vector<TagSummary> ToTags(const Json& json) {
  if (!json.is_array()) throw std::runtime_error("'tags' is no list");
  std::vector<TagSummary> tags;
  std::set<std::string> names;
  for (const Json& entry : json) {
    if (tags.size() == TargetState::kMaxTags) break;
    tags.push_back({.name = entry.at("tag").get<std::string>(),
                    .media_type = entry.at("media_type").get<std::string>(),
                    .platforms = entry.at("platforms").get<std::string>(),
                    .blobs = ToCount(entry.at("blobs")),
                    .digest = entry.at("digest").get<std::string>(),
                    .layers = ToCount(entry.at("layers"))});
    if (!names.insert(tags.back().name).second) throw Unknown("second entry of", tags.back().name);
  }
  return tags;
}

TargetState ToState(const Json& json) {
  TargetState state;
  for (const Json& endpoint : json.at("endpoints")) {
    const EndpointKey key = ToKey(endpoint);
    if (!state.endpoints.emplace(key, ToEndpoint(endpoint)).second) {
      throw Unknown("second entry of", key.backend_host.text());
    }
  }
  state.dropped = ToCount(json.at("dropped"));
  state.baseline = ToOptionalTime(json.at("baseline"));
  state.partial_streak = ToCount(json.at("partial_streak"));
  state.selection = json.at("selection").get<std::string>();
  for (const Json& change : json.at("journal")) {
    state.journal.push_back({ToTime(change.at("at")),
                             ToChangeKind(change.at("change").get<std::string>()), ToKey(change)});
  }
  state.changes = ToCounts(json.at("changes"), ToChangeKind);
  state.last_change = ToOptionalTime(json.at("last_change"));
  state.newest = ToSummary(json.at("newest_scan"));
  state.newest_usable = ToSummary(json.at("newest_usable_scan"));
  state.tags = ToTags(json.at("tags"));
  state.unresolved = json.at("unresolved").get<std::vector<std::string>>();
  state.report = json.at("report").get<std::string>();
  state.last_success = ToOptionalTime(json.at("last_success"));
  state.consecutive_failures = ToCount(json.at("consecutive_failures"));
  state.scans = ToCounts(json.at("scans"), ToOutcome);
  state.failures = ToCounts(json.at("failures"), ToReason);
  return state;
}

// Brings what an earlier program wrote into today's form. Keys that were added since mean what
// their absence meant; a key that changed its meaning would have made a new version.
void Migrate(Json& json) {
  const auto add = [](Json& object, const char* key, const Json& value) {
    if (object.is_object() && !object.contains(key)) object[key] = value;
  };
  add(json, "tags", Json::array());
  add(json, "unresolved", Json::array());
  if (json["tags"].is_array()) {
    for (Json& tag : json["tags"]) {
      add(tag, "digest", "");
      add(tag, "layers", 0U);
    }
  }
  if (json.contains("endpoints")) {
    for (Json& endpoint : json["endpoints"]) add(endpoint, "scheme", "");
  }
  for (const char* scan : {"newest_scan", "newest_usable_scan"}) {
    if (json.contains(scan)) add(json[scan], "unpullable", FromScanCounts({}));
  }
}

Error Unusable(const std::string& why) {
  return {ErrorKind::kStorage, "not a usable state: " + why};
}

}  // namespace

std::string EncodeState(const TargetState& state) {
  Json endpoints = Json::array();
  for (const auto& [key, record] : state.endpoints) endpoints.push_back(FromEndpoint(key, record));
  Json journal = Json::array();
  for (const Change& change : state.journal) {
    Json entry = {{"at", FromTime(change.at)}, {"change", ChangeName(change.kind)}};
    entry.update(FromKey(change.endpoint));
    journal.push_back(std::move(entry));
  }
  const Json json = {{"version", kStateVersion},
                     {"endpoints", std::move(endpoints)},
                     {"dropped", state.dropped},
                     {"baseline", FromOptionalTime(state.baseline)},
                     {"partial_streak", state.partial_streak},
                     {"selection", state.selection},
                     {"journal", std::move(journal)},
                     {"changes", FromCounts(state.changes, ChangeName)},
                     {"last_change", FromOptionalTime(state.last_change)},
                     {"newest_scan", FromSummary(state.newest)},
                     {"newest_usable_scan", FromSummary(state.newest_usable)},
                     {"tags", FromTags(state.tags)},
                     {"unresolved", state.unresolved},
                     {"report", state.report},
                     {"last_success", FromOptionalTime(state.last_success)},
                     {"consecutive_failures", state.consecutive_failures},
                     {"scans", FromCounts(state.scans, OutcomeName)},
                     {"failures", FromCounts(state.failures, ReasonName)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<TargetState> DecodeState(std::string_view bytes) {
  Json json = Json::parse(bytes, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Unusable("it is no JSON object");
  try {
    const std::uint64_t version = ToCount(json.at("version"));
    if (version == 0) return Unusable("its version is 0");
    if (version > kStateVersion) {
      return Unusable("its version " + std::to_string(version) + " is newer than this program's, " +
                      std::to_string(kStateVersion));
    }
    Migrate(json);
    return ToState(json);
  } catch (const std::exception& fault) {
    return Unusable(fault.what());
  }
}

}  // namespace registry_backend
