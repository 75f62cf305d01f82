#include "exporter/config/policy_keys.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

namespace registry_backend {
namespace {

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
    if (!host) policy.Fail("approved_hosts", host.error().message);
    hosts.push_back(*std::move(host));
  }
}

void ReadHostsFile(YamlMapping& policy, std::vector<HostPattern>& hosts) {
  const std::string key = "approved_hosts_file";
  std::string path;
  policy.GetPath(key, path);
  if (path.empty()) return;
  std::ifstream file(path, std::ios::binary);
  if (!file) policy.Fail(key, path + ": " + std::strerror(errno));
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Result<std::vector<HostPattern>> listed = ParseHostList(text);
  if (!listed) policy.Fail(key, path + ": " + listed.error().message);
  // One that was cut to nothing must not switch the rule off.
  if (listed->empty()) policy.Fail(key, path + ": it names no host");
  hosts = *std::move(listed);
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
    policy.Get("allowed_regions", keys.allowed_regions);
    if (policy.Has("approved_hosts")) {
      WarnOfWholeClouds(policy, "approved_hosts", keys.approved_hosts, warnings);
    }
    if (policy.Has("approved_hosts_file")) {
      WarnOfWholeClouds(policy, "approved_hosts_file", keys.approved_hosts_file, warnings);
    }
  });
}

}  // namespace registry_backend
