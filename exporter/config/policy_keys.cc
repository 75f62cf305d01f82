#include "exporter/config/policy_keys.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "exporter/config/yaml_text.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr const char* kExpectedHost =
    " (expected one like cdn.example.com, minio.corp:9000 or *.example.net)";

void WarnOfWholeClouds(const YamlMapping& policy, const std::string& key,
                       const std::vector<HostPattern>& hosts, std::vector<std::string>& warnings) {
  for (const HostPattern& host : hosts) {
    if (!host.IsWholeCloud()) continue;
    warnings.push_back(policy.Where(key) + "'" + host.text() +
                       "' approves whatever anybody keeps at that cloud");
  }
}

void ReadHosts(YamlMapping& policy, std::vector<HostPattern>& hosts) {
  std::vector<std::string> texts;
  policy.Get("approved_hosts", texts);
  if (!policy.Has("approved_hosts")) return;
  hosts.clear();
  for (const std::string& text : texts) {
    Result<HostPattern> host = HostPattern::Parse(text);
    if (!host) policy.Fail("approved_hosts", host.error().message + kExpectedHost);
    hosts.push_back(*std::move(host));
  }
}

void ReadHostsFile(YamlMapping& policy, std::vector<HostPattern>& hosts) {
  const std::string key = "approved_hosts_file";
  std::string path;
  policy.GetPath(key, path);
  if (path.empty()) return;
  const Result<std::string> text = ReadTextFile(path);
  if (!text) policy.Fail(key, path + ": " + text.error().message);
  Result<std::vector<HostPattern>> listed = ParseHostList(*text);
  if (!listed) policy.Fail(key, path + ": " + listed.error().message + kExpectedHost);
  // One that was cut to nothing must not switch the rule off.
  if (listed->empty()) policy.Fail(key, path + ": it names no host");
  hosts = *std::move(listed);
}

// One that is none would allow nothing without a word.
void ReadRegions(YamlMapping& policy, std::vector<std::string>& regions) {
  policy.Get("allowed_regions", regions);
  const auto is_part = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != ','; };
  for (const std::string& region : regions) {
    if (region.empty() || !std::ranges::all_of(region, is_part)) {
      policy.Fail("allowed_regions",
                  "'" + Printable(region, 80) + "' is not a region (expected one like us-east-1)");
    }
  }
}

}  // namespace

std::shared_ptr<const Policy> PolicyKeys::policy() const {
  Policy policy{approved_hosts, allowed_regions};
  std::ranges::copy(approved_hosts_file, std::back_inserter(policy.approved_hosts));
  if (policy == Policy{}) return nullptr;
  return std::make_shared<const Policy>(std::move(policy));
}

void ReadPolicy(YamlMapping& yaml, PolicyKeys& keys, std::vector<std::string>& warnings) {
  yaml.GetMapping("policy", [&](YamlMapping& policy) {
    ReadHosts(policy, keys.approved_hosts);
    ReadHostsFile(policy, keys.approved_hosts_file);
    ReadRegions(policy, keys.allowed_regions);
    if (policy.Has("approved_hosts")) {
      WarnOfWholeClouds(policy, "approved_hosts", keys.approved_hosts, warnings);
    }
    if (policy.Has("approved_hosts_file")) {
      WarnOfWholeClouds(policy, "approved_hosts_file", keys.approved_hosts_file, warnings);
    }
  });
}

}  // namespace registry_backend
