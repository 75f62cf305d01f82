#include "exporter/report/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kS3 = "s3";
constexpr std::string_view kUnnamedPlatform = "unknown";
constexpr std::string_view kAttestation = "unknown/unknown";  // what buildx calls their platform
constexpr int kMaxDepth = 5;

// What the original tool's readers look for in `error`.
std::string_view ErrorTitle(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kAuth:
      return "Authentication failed";
    case ErrorKind::kCredentials:
      return "Credentials could not be read";
    case ErrorKind::kRateLimited:
      return "Rate limited";
    case ErrorKind::kTimeout:
      return "Timed out";
    case ErrorKind::kDns:
      return "Name resolution failed";
    case ErrorKind::kConnect:
      return "Connection failed";
    case ErrorKind::kTls:
      return "TLS failed";
    default:
      return "Scan failed";
  }
}

// Hosts of blobs, and those of them that are S3's.
struct Hosts {
  std::set<std::string> all;
  std::set<std::string> s3;
};

class Report {
 public:
  Report(const ReportSubject& subject, const ScanResult& result)
      : subject_(subject), result_(result) {}

  [[nodiscard]] Json Make() {
    Json report = {{"format_version", 1},
                   {"repository", subject_.repository},
                   {"registry", subject_.registry.origin().text()},
                   {"discovery_timestamp", FormatUtcSeconds(result_.finished)},
                   {"started_at", FormatRfc3339(result_.started)},
                   {"finished_at", FormatRfc3339(result_.finished)},
                   {"outcome", OutcomeName(result_.outcome)},
                   {"coverage", Coverage()},
                   {"errors", Things(result_.errors)},
                   {"unpullable", Things(result_.unpullable_things)}};
    if (result_.outcome == ScanOutcome::kFailed) {
      const Error* error = result_.main_error();
      Json failed = {{"error", ErrorTitle(error != nullptr ? error->kind : ErrorKind::kInternal)},
                     {"message", error != nullptr ? error->message : "the scan resolved nothing"}};
      failed.update(report);
      return failed;
    }
    Json order = Json::array();
    Json tags = Json::object();
    for (const ScannedTag& tag : result_.tags) {
      order.push_back(tag.name);
      tags[tag.name] = Tag(tag);
    }
    report["tag_order"] = std::move(order);
    report["tags"] = std::move(tags);
    report["endpoints"] = Endpoints();
    report["summary"] = {{"s3_endpoint_count", hosts_.s3.size()},
                         {"s3_endpoints", hosts_.s3},
                         {"endpoint_count", hosts_.all.size()},
                         {"endpoints", hosts_.all}};
    return report;
  }

 private:
  [[nodiscard]] Json Coverage() const {
    return {{"tags", result_.asked.tags},
            {"manifests", result_.asked.manifests},
            {"blobs", result_.asked.blobs},
            {"unresolved", result_.unresolved.total()},
            {"unpullable", result_.unpullable.total()}};
  }

  static Json Things(const std::vector<ScanError>& things) {
    Json list = Json::array();
    for (const ScanError& error : things) {
      Json entry = {{"scope", ScopeName(error.scope)}};
      if (!error.tag.empty()) entry["tag"] = error.tag;
      if (!error.digest.empty()) entry["digest"] = error.digest;
      entry["reason"] = ReasonName(error.error.kind);
      entry["message"] = error.error.message;
      list.push_back(std::move(entry));
    }
    return list;
  }

  [[nodiscard]] Json Endpoints() const {
    Json endpoints = Json::array();
    for (const auto& [key, seen] : result_.endpoints) {
      endpoints.push_back({{"serves", ServesName(key.serves)},
                           {"backend_host", key.backend_host.text()},
                           {"provider", seen.info.provider},
                           {"bucket", seen.info.bucket},
                           {"storage_region", seen.info.storage_region},
                           {"delivery", seen.info.delivery},
                           {"blobs", seen.blobs}});
    }
    return endpoints;
  }

  // What is gathered of one tag.
  struct TagEntry {
    Json platforms = Json::array();
    Json layers = Json::array();
    Hosts hosts;
    std::set<std::string_view> visited;  // manifests; an index may name one many times
  };

  Json Tag(const ScannedTag& tag) {
    TagEntry entry;
    Json info = {{"found", false}};
    const auto manifest = result_.manifests.find(tag.digest);
    if (manifest != result_.manifests.end()) {
      info = {{"found", true},
              {"type", manifest->second.media_type},
              {"digest", tag.digest},
              {"size", manifest->second.size}};
      AddManifest(tag.digest, kUnnamedPlatform, entry);
    }
    Json json = {{"manifest_info", std::move(info)},
                 {"platforms", std::move(entry.platforms)},
                 {"layers", std::move(entry.layers)},
                 {"s3_endpoints", entry.hosts.s3},
                 {"endpoints", entry.hosts.all}};
    hosts_.all.merge(entry.hosts.all);
    hosts_.s3.merge(entry.hosts.s3);
    return json;
  }

  // Adds the platforms and layers below a manifest. Deeper than the plan follows an index there is
  // only what other tags brought.
  void AddManifest(const std::string& digest, std::string_view platform, TagEntry& entry,
                   int depth = 0) const {
    const auto found = result_.manifests.find(digest);
    if (depth > kMaxDepth || found == result_.manifests.end() ||
        !entry.visited.insert(found->first).second) {
      return;
    }
    const ScannedManifest& manifest = found->second;
    for (const ScannedPlatform& child : manifest.manifests) {
      AddManifest(child.digest, child.platform, entry, depth + 1);
    }
    if (!manifest.is_index) AddImage(digest, manifest, platform, entry);
  }

  void AddImage(const std::string& digest, const ScannedManifest& manifest,
                std::string_view platform, TagEntry& entry) const {
    if (platform != kAttestation && !manifest.is_artifact) {
      entry.platforms.push_back({{"platform", platform},
                                 {"manifest_digest", digest},
                                 {"size", manifest.size},
                                 {"digest", digest},
                                 {"layer_count", manifest.layers.size()}});
    }
    HostOf(manifest.config, entry.hosts);
    for (const std::string& layer : manifest.layers) {
      const Host* host = HostOf(layer, entry.hosts);
      entry.layers.push_back(
          {{"digest", layer},
           {"platform", platform},
           {"s3_endpoint", host != nullptr && IsS3(*host) ? Json(host->text()) : Json()},
           {"endpoint", host != nullptr ? Json(host->text()) : Json()}});
    }
  }

  // The blob's host, also added to `hosts`; null if unresolved.
  const Host* HostOf(const std::string& digest, Hosts& hosts) const {
    const auto found = result_.blob_hosts.find(digest);
    if (found == result_.blob_hosts.end()) return nullptr;
    hosts.all.insert(found->second.text());
    if (IsS3(found->second)) hosts.s3.insert(found->second.text());
    return &found->second;
  }

  [[nodiscard]] bool IsS3(const Host& host) const {
    const auto endpoint = result_.endpoints.find(EndpointKey{Serves::kBlobs, host});
    return endpoint != result_.endpoints.end() && endpoint->second.info.provider == kS3;
  }

  const ReportSubject& subject_;
  const ScanResult& result_;
  Hosts hosts_;
};

// `12 tags (1 unresolved, 2 unpullable)`
std::string CountLine(std::string_view what, std::uint64_t asked, std::uint64_t unresolved,
                      std::uint64_t unpullable) {
  std::string notes;
  if (unresolved > 0) notes += fmt::format("{} unresolved", unresolved);
  if (unpullable > 0)
    notes += fmt::format("{}{} unpullable", notes.empty() ? "" : ", ", unpullable);
  return fmt::format("{} {}{}", asked, what, notes.empty() ? notes : " (" + notes + ")");
}

}  // namespace

Json MakeReport(const ReportSubject& subject, const ScanResult& result) {
  return Report(subject, result).Make();
}

std::string WriteReport(const Json& report, int indent) {
  return report.dump(indent, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string MakeSummary(const ReportSubject& subject, const ScanResult& result) {
  std::string text =
      fmt::format("{}/{}: {} in {}\n", subject.registry.host().text(), subject.repository,
                  OutcomeName(result.outcome), FormatDuration(result.took));
  if (const Error* error = result.main_error()) text += fmt::format("  {}\n", error->message);
  if (result.outcome == ScanOutcome::kFailed) return text;
  const ScanCounts& asked = result.asked;
  const ScanCounts& unresolved = result.unresolved;
  const ScanCounts& unpullable = result.unpullable;
  text += fmt::format(
      "  {}, {}, {}\n", CountLine("tags", asked.tags, unresolved.tags, unpullable.tags),
      CountLine("manifests", asked.manifests, unresolved.manifests, unpullable.manifests),
      CountLine("blobs", asked.blobs, unresolved.blobs, unpullable.blobs));
  for (const auto& [key, seen] : result.endpoints) {
    text += fmt::format("  {:<9} {}", ServesName(key.serves), key.backend_host.text());
    if (key.serves == Serves::kBlobs) text += fmt::format("  {} blobs", seen.blobs);
    for (const std::string& known : {seen.info.provider, seen.info.storage_region}) {
      if (!known.empty()) text += "  " + known;
    }
    text += '\n';
  }
  return text;
}

}  // namespace registry_backend
