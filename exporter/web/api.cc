#include "exporter/web/api.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/report/allowlist.h"
#include "exporter/web/answers.h"
#include "exporter/web/drill_route.h"
#include "exporter/web/one_target.h"

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;
using Targets = std::vector<std::shared_ptr<const TargetSnapshot>>;

Json FromTime(const std::optional<WallTime>& time) {
  return time ? Json(FormatRfc3339(*time)) : Json();
}

template <typename Value>
Json FromOptional(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

Json FromCounts(const ScanCounts& counts) {
  return {{"tags", counts.tags}, {"manifests", counts.manifests}, {"blobs", counts.blobs}};
}

Json FromScan(const std::optional<ScanSummary>& scan) {
  if (!scan) return {};
  Json reasons = Json::array();
  for (const ErrorKind reason : scan->reasons) reasons.push_back(ReasonName(reason));
  return {{"outcome", OutcomeName(scan->outcome)},
          {"started", FromTime(scan->started)},
          {"finished", FromTime(scan->finished)},
          {"duration_seconds", Seconds(scan->took)},
          {"coverage_ratio", scan->coverage},
          {"asked", FromCounts(scan->asked)},
          {"unresolved", FromCounts(scan->unresolved)},
          {"unpullable", FromCounts(scan->unpullable)},
          {"reasons", std::move(reasons)},
          {"error", scan->error.empty() ? Json() : Json(scan->error)}};
}

// What every answer calls a target by.
Json NamesOf(const TargetSnapshot& target) {
  return {
      {"target", target.name}, {"registry", target.registry}, {"repository", target.repository}};
}

Json FromTarget(const TargetSnapshot& target) {
  const TargetState& state = target.state;
  Json json = NamesOf(target);
  json.update({{"team", target.team},
               {"scanning", target.scanning},
               {"next_scan", FromTime(target.next_scan)},
               {"scan_interval_seconds", Seconds(target.interval)},
               {"baseline", FromTime(state.baseline)},
               {"last_success", FromTime(state.last_success)},
               {"last_change", FromTime(state.last_change)},
               {"consecutive_failures", state.consecutive_failures},
               {"endpoints_dropped", state.dropped},
               {"newest_scan", FromScan(state.newest)},
               {"newest_usable_scan", FromScan(state.newest_usable)},
               {"drill", target.drill ? FromDrill(*target.drill) : Json()}});
  return json;
}

Json FromEndpoint(const TargetSnapshot& target, const EndpointKey& key,
                  const EndpointRecord& record) {
  const Policy no_policy;
  const Policy& policy = target.policy ? *target.policy : no_policy;
  Json json = NamesOf(target);
  json.update({{"serves", ServesName(key.serves)},
               {"backend_host", key.backend_host.text()},
               {"present", record.present()},
               {"provider", record.info.provider},
               {"bucket", record.info.bucket},
               {"storage_region", record.info.storage_region},
               {"delivery", record.info.delivery},
               {"blobs", FromOptional(record.blobs)},
               {"first_seen", FromTime(record.first_seen)},
               {"last_seen", FromTime(record.last_seen)},
               {"changed", FromTime(record.changed)},
               {"approved", FromOptional(IsApproved(policy, key.backend_host, target.registry))},
               {"region_allowed", FromOptional(IsRegionAllowed(policy, key.serves, record.info))}});
  return json;
}

Json FromTargets(const Targets& targets) {
  Json list = Json::array();
  for (const auto& target : targets) list.push_back(FromTarget(*target));
  return list;
}

Json FromEndpoints(const Targets& targets) {
  Json list = Json::array();
  for (const auto& target : targets) {
    for (const auto& [key, record] : target->state.endpoints) {
      list.push_back(FromEndpoint(*target, key, record));
    }
  }
  return list;
}

// Newest first, over all targets.
Json FromChanges(const Targets& targets) {
  std::vector<std::pair<const Change*, const TargetSnapshot*>> changes;
  for (const auto& target : targets) {
    for (const Change& change : target->state.journal) changes.emplace_back(&change, target.get());
  }
  std::ranges::stable_sort(changes,
                           [](const auto& a, const auto& b) { return a.first->at > b.first->at; });
  Json list = Json::array();
  for (const auto& [change, target] : changes) {
    Json json = {{"at", FormatRfc3339(change->at)}, {"change", ChangeName(change->kind)}};
    json.update(NamesOf(*target));
    json.update({{"serves", ServesName(change->endpoint.serves)},
                 {"backend_host", change->endpoint.backend_host.text()}});
    list.push_back(std::move(json));
  }
  return list;
}

// How a host is reached, for a probe. Where a target says http of it, that is what its pulls use.
std::map<Host, std::string_view> SchemesOfPresentHosts(const Targets& targets) {
  std::map<Host, std::string_view> schemes;
  for (const auto& target : targets) {
    for (const auto& [key, record] : target->state.endpoints) {
      if (!record.present()) continue;
      const bool is_registry = key.backend_host.text() == target->registry;
      const std::string_view scheme = is_registry ? target->scheme : record.info.scheme;
      std::string_view& known = schemes.try_emplace(key.backend_host, "https").first->second;
      if (scheme == "http") known = "http";
    }
  }
  return schemes;
}

// Prometheus' HTTP service discovery: one target for each host, whatever it serves and to whom.
Json FromDiscovery(const Targets& targets) {
  Json list = Json::array();
  for (const auto& [host, scheme] : SchemesOfPresentHosts(targets)) {
    std::string address = host.text();
    if (address == host.name()) address += scheme == "http" ? ":80" : ":443";
    list.push_back(
        {{"targets", {address}},
         {"labels",
          {{"__meta_registry_backend_host", host.text()},
           {"__meta_registry_backend_url", std::string(scheme) + "://" + address + "/"}}}});
  }
  return list;
}

// All targets, or the one that the query names; none where there is no such one.
Targets Wanted(const server::Request& request, const Monitor& monitor) {
  Targets targets = monitor.Current()->targets;
  const std::string_view name = request.Parameter("target");
  if (name.empty()) return targets;
  std::erase_if(targets, [name](const auto& target) { return target->name != name; });
  return targets;
}

// A route whose answer is made of them.
template <typename Make>
server::Route OfTargets(const Monitor& monitor, Make make) {
  return [&monitor, make](const server::Request& request) {
    const Targets targets = Wanted(request, monitor);
    const std::string_view name = request.Parameter("target");
    if (targets.empty() && !name.empty()) return UnknownTarget(name);
    return make(request, targets);
  };
}

template <typename Make>
server::Route JsonOfTargets(const Monitor& monitor, Make make) {
  return OfTargets(monitor, [make](const server::Request&, const Targets& targets) {
    return JsonSuccess(200, make(targets));
  });
}

// What a firewall may be fed with, so never an empty or a short list: an error instead.
server::Response Allowlist(const server::Request& request, const Targets& targets) {
  const std::string_view name = request.Parameter("format");
  const std::optional<AllowlistFormat> format = ParseAllowlistFormat(name.empty() ? "plain" : name);
  if (!format) {
    return JsonError(400, "there is no format '" + std::string(name.substr(0, 200)) +
                              "' (expected plain, json, squid, cilium or config)");
  }
  std::vector<AllowlistTarget> known;
  for (const auto& target : targets) {
    known.push_back(AllowlistTargetOf(target->registry, target->repository, target->state));
  }
  Result<std::string> list = MakeAllowlist(known, *format);
  if (!list) return JsonError(503, list.error().message);
  server::Response response;
  response.content_type = AllowlistMediaType(*format);
  response.body = std::make_shared<const std::string>(*std::move(list));
  return response;
}

class StoredBody final : public server::BodySource {
 public:
  explicit StoredBody(StoredFile file) : file_(std::move(file)) {}
  [[nodiscard]] std::uint64_t size() const override { return file_.size(); }
  [[nodiscard]] std::size_t Read(std::uint64_t offset, std::span<char> to) const override {
    return file_.Read(offset, to).value_or(0);
  }

 private:
  const StoredFile file_;
};

server::Response Report(const server::Request& request, const Monitor& monitor) {
  std::shared_ptr<const Snapshot> seen;
  // A report is removed once a snapshot names the next one.
  for (auto snapshot = monitor.Current(); snapshot != seen; snapshot = monitor.Current()) {
    seen = snapshot;
    const auto [target, refusal] = FindOneTarget(*snapshot, request);
    if (target == nullptr) return refusal;
    if (target->report_file.empty()) {
      return JsonError(404, "there was no scan of '" + target->name + "' yet that did not fail");
    }
    Result<std::optional<StoredFile>> file = monitor.OpenReport(*target);
    if (!file) return JsonError(500, file.error().message);
    if (!file->has_value()) continue;
    server::Response response;
    response.content_type = "application/json";
    response.source = std::make_shared<const StoredBody>(**std::move(file));
    return response;
  }
  return JsonError(500, "the report is not where it was stored");
}

}  // namespace

void AddApi(server::Router& router, const Monitor& monitor) {
  router.Add("GET", "/api/v1/targets", JsonOfTargets(monitor, FromTargets));
  router.Add("GET", "/api/v1/endpoints", JsonOfTargets(monitor, FromEndpoints));
  router.Add("GET", "/api/v1/changes", JsonOfTargets(monitor, FromChanges));
  router.Add("GET", "/api/v1/allowlist", OfTargets(monitor, Allowlist));
  router.Add("GET", "/api/v1/report",
             [&monitor](const server::Request& request) { return Report(request, monitor); });
  router.Add("GET", "/api/v1/sd", [&monitor](const server::Request&) {
    return JsonAnswer(200, FromDiscovery(monitor.Current()->targets));
  });
}

}  // namespace registry_backend
