#include "exporter/report/report.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "exporter/report/tag_hosts.h"

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kS3 = "s3";

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
    case ErrorKind::kCancelled:
      return "Scan interrupted";
    default:
      return "Scan failed";
  }
}

// Hosts of blobs, and those of them that are S3's.
struct Hosts {
  std::set<std::string> all;
  std::set<std::string> s3;
};

Json Things(const std::vector<ScanError>& things) {
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

class Report {
 public:
  Report(const ReportSubject& subject, const ScanResult& result, JsonWriter& writer)
      : subject_(subject), result_(result), writer_(writer) {}

  void Write() {
    writer_.BeginObject();
    if (result_.outcome == ScanOutcome::kFailed) {
      const Error* error = result_.main_error();
      Member("error", ErrorTitle(error != nullptr ? error->kind : ErrorKind::kInternal));
      Member("message", error != nullptr ? error->message : "the scan resolved nothing");
    }
    WriteHead();
    if (result_.outcome != ScanOutcome::kFailed) {
      WriteTags();
      WriteEndpoints();
    }
    writer_.EndObject();
  }

 private:
  void Member(std::string_view key, const Json& value) {
    writer_.Key(key);
    writer_.Value(value);
  }

  void WriteHead() {
    Member("format_version", 1);
    Member("repository", subject_.repository);
    Member("registry", subject_.registry.origin().text());
    Member("discovery_timestamp", FormatUtcSeconds(result_.finished));
    Member("started_at", FormatRfc3339(result_.started));
    Member("finished_at", FormatRfc3339(result_.finished));
    Member("outcome", OutcomeName(result_.outcome));
    Member("coverage", {{"tags", result_.asked.tags},
                        {"manifests", result_.asked.manifests},
                        {"blobs", result_.asked.blobs},
                        {"unresolved", result_.unresolved.total()},
                        {"unpullable", result_.unpullable.total()}});
    Member("errors", Things(result_.errors));
    Member("unpullable", Things(result_.unpullable_things));
  }

  void WriteTags() {
    writer_.Key("tag_order");
    writer_.BeginArray();
    for (const ScannedTag& tag : result_.tags) writer_.Value(tag.name);
    writer_.EndArray();
    writer_.Key("tags");
    writer_.BeginObject();
    for (const ScannedTag& tag : result_.tags) {
      writer_.Key(tag.name);
      WriteTag(tag);
    }
    writer_.EndObject();
  }

  void WriteEndpoints() {
    Hosts hosts;
    Json endpoints = Json::array();
    for (const auto& [key, seen] : result_.endpoints) {
      endpoints.push_back({{"serves", ServesName(key.serves)},
                           {"backend_host", key.backend_host.text()},
                           {"provider", seen.info.provider},
                           {"bucket", seen.info.bucket},
                           {"storage_region", seen.info.storage_region},
                           {"delivery", seen.info.delivery},
                           {"blobs", seen.blobs}});
      if (key.serves == Serves::kBlobs) Add(key.backend_host, hosts);
    }
    Member("endpoints", endpoints);
    Member("summary", {{"s3_endpoint_count", hosts.s3.size()},
                       {"s3_endpoints", hosts.s3},
                       {"endpoint_count", hosts.all.size()},
                       {"endpoints", hosts.all}});
  }

  void WriteTag(const ScannedTag& tag) {
    Json info = {{"found", false}};
    const auto manifest = result_.manifests.find(tag.digest);
    if (manifest != result_.manifests.end()) {
      info = {{"found", true},
              {"type", manifest->second.media_type},
              {"digest", tag.digest},
              {"size", manifest->second.size}};
    }
    const auto found = result_.ImagesBelow(tag.digest, rows_left_);
    const std::vector<ScannedImage> images = found.value_or(std::vector<ScannedImage>{});
    writer_.BeginObject();
    Member("manifest_info", info);
    WritePlatforms(images);
    WriteLayers(images);
    Hosts hosts;
    for (const auto& [host, blobs] : BlobsByHost(result_, images)) Add(host, hosts);
    Member("s3_endpoints", hosts.s3);
    Member("endpoints", hosts.all);
    if (!found && manifest != result_.manifests.end()) Member("left_out", true);
    writer_.EndObject();
  }

  void WritePlatforms(const std::vector<ScannedImage>& images) {
    writer_.Key("platforms");
    writer_.BeginArray();
    for (const ScannedImage& image : images) {
      if (image.is_artifact()) continue;
      writer_.Value({{"platform", image.platform},
                     {"manifest_digest", image.digest},
                     {"size", image.manifest->size},
                     {"digest", image.digest},
                     {"layer_count", image.manifest->layers.size()}});
    }
    writer_.EndArray();
  }

  void WriteLayers(const std::vector<ScannedImage>& images) {
    writer_.Key("layers");
    writer_.BeginArray();
    for (const ScannedImage& image : images) {
      for (const std::string_view layer : image.manifest->layers) {
        WriteLayer(layer, image.platform);
      }
    }
    writer_.EndArray();
  }

  void WriteLayer(std::string_view digest, std::string_view platform) {
    const Host* host = result_.HostOfBlob(digest);
    writer_.BeginObject();
    writer_.Key("digest");
    writer_.Text(digest);
    writer_.Key("platform");
    writer_.Text(platform);
    writer_.Key("s3_endpoint");
    WriteHost(host != nullptr && IsS3(*host) ? host : nullptr);
    writer_.Key("endpoint");
    WriteHost(host);
    writer_.EndObject();
  }

  void WriteHost(const Host* host) {
    if (host == nullptr) {
      writer_.Value(nullptr);
    } else {
      writer_.Text(host->text());
    }
  }

  void Add(const Host& host, Hosts& hosts) const {
    hosts.all.insert(host.text());
    if (IsS3(host)) hosts.s3.insert(host.text());
  }

  [[nodiscard]] bool IsS3(const Host& host) const {
    const auto endpoint = result_.endpoints.find(EndpointKey{Serves::kBlobs, host});
    return endpoint != result_.endpoints.end() && endpoint->second.info.provider == kS3;
  }

  const ReportSubject& subject_;
  const ScanResult& result_;
  JsonWriter& writer_;
  std::size_t rows_left_ = kMaxReportRows;
};

}  // namespace

void WriteReport(const ReportSubject& subject, const ScanResult& result, JsonWriter& writer) {
  Report(subject, result, writer).Write();
}

}  // namespace registry_backend
