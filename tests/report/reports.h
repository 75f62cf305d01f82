#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "exporter/report/report_reader.h"

// Reports as they are in files.
namespace registry_backend::testing {

using Json = nlohmann::ordered_json;

// An endpoint as `scan` writes it.
inline Json Endpoint(const std::string& serves, const std::string& host, const Json& more = {}) {
  Json endpoint = {{"serves", serves}, {"backend_host", host}, {"provider", ""},
                   {"bucket", ""},     {"storage_region", ""}, {"delivery", "redirect"},
                   {"blobs", 1}};
  if (more.is_object()) endpoint.update(more);
  return endpoint;
}

using TagHosts = std::vector<std::pair<std::string, std::vector<std::string>>>;  // newest first

// A report by `scan` with the registry itself and these hosts of blobs, by tag.
inline Json OurReport(const TagHosts& tags, const std::string& outcome = "complete") {
  Json report = {{"format_version", 1},
                 {"repository", "team/app"},
                 {"registry", "https://registry.example"},
                 {"discovery_timestamp", "2026-11-26 06:00:00 UTC"},
                 {"finished_at", "2026-11-26T06:00:00.250Z"},
                 {"outcome", outcome},
                 {"coverage",
                  {{"tags", tags.size()},
                   {"manifests", 4},
                   {"blobs", 40},
                   {"unresolved", outcome == "partial" ? 3 : 0},
                   {"unpullable", 0}}},
                 {"errors", Json::array()},
                 {"tags", Json::object()},
                 {"endpoints", Json::array({Endpoint("api", "registry.example")})},
                 {"summary", {{"s3_endpoints", Json::array()}}}};
  std::map<std::string, bool> seen;
  for (const auto& [tag, hosts] : tags) {
    report["tags"][tag] = {
        {"layers", Json::array()}, {"s3_endpoints", hosts}, {"endpoints", hosts}};
    for (const std::string& host : hosts) {
      if (seen[host]) continue;
      seen[host] = true;
      report["endpoints"].push_back(Endpoint("blobs", host));
      if (host.ends_with(".amazonaws.com")) report["summary"]["s3_endpoints"].push_back(host);
    }
  }
  return report;
}

// One by the original tool, of one tag whose layers are on these hosts of Amazon S3.
inline Json OriginalReport(const std::vector<std::string>& hosts) {
  Json layers = Json::array({{{"digest", "sha256:0"}, {"s3_endpoint", nullptr}}});
  for (const std::string& host : hosts) {
    layers.push_back({{"digest", "sha256:1"}, {"s3_endpoint", host}});
  }
  return {{"repository", "team/app"},
          {"registry", "https://registry.example"},
          {"discovery_timestamp", "2026-11-25 06:00:00 UTC"},
          {"tags",
           {{"v1",
             {{"manifest_info", {{"found", true}, {"type", "x"}, {"digest", "d"}, {"size", 1}}},
              {"platforms", Json::array()},
              {"layers", layers},
              {"s3_endpoints", hosts}}}}},
          {"summary", {{"s3_endpoint_count", hosts.size()}, {"s3_endpoints", hosts}}}};
}

inline Result<std::vector<StoredReport>> Read(const std::string& text) {
  std::istringstream in(text);
  return ReadReports(in, "r.json");
}

}  // namespace registry_backend::testing
