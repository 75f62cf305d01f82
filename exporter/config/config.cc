#include "exporter/config/config.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "exporter/config/access_keys.h"
#include "exporter/config/selection_keys.h"
#include "exporter/config/target_values.h"
#include "exporter/config/yaml_reader.h"

namespace registry_backend {
namespace {

constexpr std::string_view kDefaultRegistry = "https://images.releases.hashicorp.com";
constexpr std::string_view kDefaultUsername = "terraform";
constexpr std::string_view kDefaultRepository = "hashicorp/terraform-enterprise";

// The keys of `scan`, for all targets or for one.
struct ScanKeys {
  ScanOptions scan;
  ScheduleOptions schedule;
  InventoryOptions inventory;
  SelectionKeys selection;
};

void ReadScan(YamlMapping& yaml, ScanKeys& keys) {
  yaml.Get("interval", keys.schedule.interval);
  yaml.Get("retry_interval", keys.schedule.retry_interval);
  yaml.Get("timeout", keys.scan.timeout);
  yaml.Get("max_concurrency", keys.scan.max_concurrency, 1);
  yaml.GetRate("max_requests_per_second", keys.scan.max_requests_per_second);
  yaml.Get("absent_after", keys.inventory.absent_after, 1);
  yaml.Get("forget_after", keys.inventory.forget_after);
  ReadSelection(yaml, keys.selection);
}

Url CheckRegistry(const YamlMapping& yaml, const std::string& text) {
  if (text.empty()) yaml.Fail("registry", "is required");
  Result<Url> registry = ParseRegistry(text);
  if (!registry) yaml.Fail("registry", registry.error().message);
  return *std::move(registry);
}

std::string CheckRepository(const YamlMapping& yaml, const std::string& text) {
  if (text.empty()) yaml.Fail("repository", "is required");
  const Result<std::string> repository = ParseRepository(text);
  if (!repository) yaml.Fail("repository", repository.error().message);
  return *repository;
}

TargetOptions ReadTarget(YamlMapping& yaml, const ScanKeys& defaults,
                         const ProxyEnvironment& environment, std::vector<std::string>& warnings) {
  std::string name;
  std::string team;
  std::string registry;
  std::string repository;
  ScanKeys keys = defaults;
  yaml.Get("name", name);
  yaml.Get("team", team);
  yaml.Get("registry", registry);
  yaml.Get("repository", repository);
  Access access = ReadAccess(yaml, environment, warnings);
  yaml.GetMapping("scan", [&](YamlMapping& scan) { ReadScan(scan, keys); });
  yaml.Finish();  // a misspelt key is a better message than the missing one

  TargetOptions target{
      .name = name,
      .team = team,
      .registry = {CheckRegistry(yaml, registry), CheckRepository(yaml, repository),
                   std::make_shared<const ConnectionOptions>(std::move(access.connection)),
                   std::move(access.token_realms)},
      .credentials = std::move(access.credentials),
      .scan = keys.scan,
      .schedule = keys.schedule,
      .inventory = keys.inventory};
  keys.selection.SetOptions(target.scan);
  target.inventory.selection = keys.selection.text();
  if (target.name.empty()) target.name = target.registry.registry.host().text() + "/" + repository;
  return target;
}

// Names are unique, and so are pairs of registry and repository: they are what series are told
// apart by.
class UniqueTargets {
 public:
  void Check(const YamlMapping& yaml, const TargetOptions& target) {
    if (!names_.insert(target.name).second) {
      yaml.Fail("name", "another target has the name '" + target.name + "' too");
    }
    const std::string pair =
        target.registry.registry.host().text() + "/" + target.registry.repository;
    const auto [other, added] = pairs_.emplace(pair, target.name);
    if (!added) {
      yaml.Fail("repository", "target '" + other->second + "' is the same repository, " + pair);
    }
  }

 private:
  std::set<std::string> names_;
  std::map<std::string, std::string> pairs_;
};

Config ReadConfig(const YAML::Node& document, const std::string& path,
                  const ProxyEnvironment& environment) {
  Config config;
  ScanKeys defaults;
  UniqueTargets unique;
  YamlMapping yaml(document, {path, ""});
  yaml.GetMapping("scan", [&](YamlMapping& scan) { ReadScan(scan, defaults); });
  yaml.GetMapping("metrics", [&](YamlMapping& metrics) {
    metrics.Get("max_endpoints", defaults.inventory.max_endpoints, 1);
  });
  yaml.GetSequence("targets", [&](YamlMapping& target) {
    config.targets.push_back(ReadTarget(target, defaults, environment, config.warnings));
    unique.Check(target, config.targets.back());
  });
  yaml.Finish();
  if (config.targets.empty()) yaml.Fail("targets", "expected at least one target");
  return config;
}

}  // namespace

Status SetProxies(const ProxyEnvironment& environment, ConnectionOptions& connection) {
  const auto set = [](const char* variable, const std::string& text, Proxy& proxy) -> Status {
    if (text.empty()) return Ok();
    Result<Proxy> parsed = ParseProxy(text);
    if (!parsed) return Error{ErrorKind::kInternal, variable + (": " + parsed.error().message)};
    proxy = *std::move(parsed);
    return Ok();
  };
  connection.no_proxy = environment.no_proxy;
  Status https = set("HTTPS_PROXY", environment.https_proxy, connection.https_proxy);
  return https ? set("HTTP_PROXY", environment.http_proxy, connection.http_proxy) : https;
}

Result<Config> ParseConfig(std::string_view text, const std::string& path,
                           const ProxyEnvironment& environment) {
  try {
    return ReadConfig(YAML::Load(std::string(text)), path, environment);
  } catch (const ConfigFault& fault) {
    return fault.error;
  } catch (const YAML::Exception& fault) {
    return FaultAt({path, ""}, fault.mark, "not valid YAML: " + fault.msg);
  }
}

Result<Config> LoadConfig(const std::string& path, const ProxyEnvironment& environment) {
  std::ifstream file(path, std::ios::binary);
  const auto unreadable = [&path](const std::string& why) {
    return Error{ErrorKind::kInternal, "configuration file " + path + ": " + why};
  };
  if (!file) return unreadable(std::strerror(errno));
  try {
    const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return ParseConfig(text, path, environment);
  } catch (const std::ios_base::failure& fault) {  // a folder, a bad disk
    return unreadable(fault.code().message());
  }
}

TargetOptions DefaultTarget(CredentialsSource credentials) {
  TargetOptions target{
      .registry = {*Url::Parse(kDefaultRegistry), std::string(kDefaultRepository), {}}};
  target.name = "terraform-enterprise";
  if (credentials.kind == CredentialsSource::Kind::kBasic && credentials.username.empty()) {
    credentials.username = kDefaultUsername;
  }
  target.credentials = std::move(credentials);
  return target;
}

}  // namespace registry_backend
