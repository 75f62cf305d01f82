#include "exporter/config/config.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "exporter/config/access_keys.h"
#include "exporter/config/policy_keys.h"
#include "exporter/config/selection_keys.h"
#include "exporter/config/target_values.h"
#include "exporter/config/yaml_reader.h"
#include "exporter/config/yaml_text.h"

namespace registry_backend {
namespace {

constexpr std::string_view kDefaultRegistry = "https://images.releases.hashicorp.com";
constexpr std::string_view kDefaultUsername = "terraform";
constexpr std::string_view kDefaultRepository = "hashicorp/terraform-enterprise";
constexpr std::size_t kMaxLabelSize = 256;

// The keys of `scan`, for all targets or for one.
struct ScanKeys {
  ScanOptions scan;
  ScheduleOptions schedule;
  InventoryOptions inventory;
  SelectionKeys selection;
};

// What targets inherit.
struct TargetKeys {
  ScanKeys scan;
  PolicyKeys policy;
};

// Of the two keys the nearer one holds: a target's schedule takes an inherited interval's place,
// and its interval an inherited schedule's.
void ReadSchedule(YamlMapping& yaml, ScheduleOptions& schedule) {
  std::string cron;
  yaml.Get("interval", schedule.interval);
  yaml.Get("schedule", cron);
  if (yaml.Has("interval") && yaml.Has("schedule")) {
    yaml.Fail("schedule", "expected either interval or schedule, not both");
  }
  if (yaml.Has("interval")) schedule.cron.reset();
  if (!yaml.Has("schedule")) return;
  Result<CronSchedule> parsed = CronSchedule::Parse(cron);
  if (!parsed) yaml.Fail("schedule", parsed.error().message);
  schedule.cron = *std::move(parsed);
}

void ReadScan(YamlMapping& yaml, ScanKeys& keys) {
  ReadSchedule(yaml, keys.schedule);
  yaml.Get("retry_interval", keys.schedule.retry_interval);
  yaml.Get("timeout", keys.scan.timeout);
  yaml.Get("max_concurrency", keys.scan.max_concurrency, 1);
  yaml.GetRate("max_requests_per_second", keys.scan.max_requests_per_second);
  yaml.Get("absent_after", keys.inventory.absent_after, 1);
  yaml.Get("forget_after", keys.inventory.forget_after);
  ReadSelection(yaml, keys.selection);
}

Url CheckRegistry(const YamlMapping& yaml, const std::string& text) {
  if (text.empty()) yaml.Fail("registry", "is required, as in https://registry.example.com");
  Result<Url> registry = ParseRegistry(text);
  if (!registry) yaml.Fail("registry", registry.error().message);
  return *std::move(registry);
}

// Of `repository` or `repositories`; at least one.
std::vector<std::string> CheckRepositories(const YamlMapping& yaml, const std::string& one,
                                           const std::vector<std::string>& several) {
  const std::string key = yaml.Has("repositories") ? "repositories" : "repository";
  if (yaml.Has("repository") && yaml.Has("repositories")) {
    yaml.Fail(key, "expected either repository or repositories, not both");
  }
  if (one.empty() && several.empty()) yaml.Fail(key, "is required, as in team/app");
  std::vector<std::string> repositories;
  for (const std::string& text : several.empty() ? std::vector{one} : several) {
    Result<std::string> repository = ParseRepository(text);
    if (!repository) yaml.Fail(key, repository.error().message);
    repositories.push_back(*std::move(repository));
  }
  if (repositories.size() > 1 && yaml.Has("name")) {
    yaml.Fail("name", "expected none beside several repositories, which are named host/repository");
  }
  return repositories;
}

// A text that becomes a label's value.
void ReadLabel(YamlMapping& yaml, const std::string& key, std::string& value) {
  yaml.Get(key, value);
  if (value.size() > kMaxLabelSize) {
    yaml.Fail(key, "expected at most " + std::to_string(kMaxLabelSize) + " bytes, not " +
                       std::to_string(value.size()));
  }
  // Those that a file has itself are refused before; \n in quotes makes some as well.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  if (std::ranges::any_of(value, is_control)) {
    yaml.Fail(key, "expected text without control characters");
  }
}

// One for each of its repositories.
std::vector<TargetOptions> ReadTargets(YamlMapping& yaml, const TargetKeys& defaults,
                                       const ProxyEnvironment& environment,
                                       std::vector<std::string>& warnings) {
  std::string name;
  std::string team;
  std::string registry;
  std::string repository;
  std::vector<std::string> repositories;
  ScanKeys keys = defaults.scan;
  PolicyKeys policy = defaults.policy;
  ReadLabel(yaml, "name", name);
  ReadLabel(yaml, "team", team);
  yaml.Get("registry", registry);
  yaml.Get("repository", repository);
  yaml.Get("repositories", repositories);
  Access access = ReadAccess(yaml, environment, warnings);
  yaml.GetMapping("scan", [&](YamlMapping& scan) { ReadScan(scan, keys); });
  ReadPolicy(yaml, policy, warnings);
  yaml.Finish();  // a misspelt key is a better message than the missing one

  const Url url = CheckRegistry(yaml, registry);
  TargetOptions target{
      .name = name,
      .team = team,
      .registry = {url, "", std::make_shared<const ConnectionOptions>(std::move(access.connection)),
                   std::move(access.token_realms)},
      .credentials = std::move(access.credentials),
      .scan = keys.scan,
      .schedule = keys.schedule,
      .inventory = keys.inventory,
      .policy = policy.policy()};
  keys.selection.SetOptions(target.scan);
  target.inventory.selection = keys.selection.text();
  std::vector<TargetOptions> targets;
  for (std::string& one : CheckRepositories(yaml, repository, repositories)) {
    if (name.empty()) target.name = url.host().text() + "/" + one;
    target.registry.repository = std::move(one);
    targets.push_back(target);
  }
  return targets;
}

// Names are unique, and so are pairs of registry and repository: they are what series are told
// apart by.
class UniqueTargets {
 public:
  void Check(const YamlMapping& yaml, const TargetOptions& target) {
    const Origin& origin = target.registry.registry.origin();
    const std::string pair = origin.host.text() + "/" + target.registry.repository;
    const auto [other, added] = pairs_.emplace(pair, Known{target.name, origin.scheme});
    if (!added) {
      yaml.Fail(yaml.Has("repositories") ? "repositories" : "repository",
                "target '" + other->second.name + "' is the same repository, " + pair +
                    (other->second.scheme == origin.scheme
                         ? ""
                         : " (http:// and https:// do not make two of a host)"));
    }
    if (!names_.insert(target.name).second) {
      yaml.Fail("name", "another target has the name '" + target.name + "' too");
    }
  }

 private:
  struct Known {
    std::string name;
    std::string scheme;
  };
  std::set<std::string> names_;
  std::map<std::string, Known> pairs_;
};

Config ReadConfig(const YAML::Node& document, const std::string& path,
                  const ProxyEnvironment& environment) {
  Config config;
  TargetKeys defaults;
  UniqueTargets unique;
  YamlMapping yaml(document, {path, ""});
  yaml.GetMapping("scan", [&](YamlMapping& scan) { ReadScan(scan, defaults.scan); });
  ReadPolicy(yaml, defaults.policy, config.warnings);
  yaml.GetMapping("metrics", [&](YamlMapping& metrics) {
    metrics.Get("max_endpoints", defaults.scan.inventory.max_endpoints, 1);
    metrics.Get("max_tags", defaults.scan.inventory.max_tags, 0);
  });
  yaml.GetSequence("targets", [&](YamlMapping& yaml_target) {
    for (TargetOptions& target : ReadTargets(yaml_target, defaults, environment, config.warnings)) {
      unique.Check(yaml_target, target);
      config.targets.push_back(std::move(target));
    }
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
    return ReadConfig(LoadYaml(text, path), path, environment);
  } catch (const ConfigFault& fault) {
    return fault.error;
  } catch (const YAML::Exception& fault) {
    return FaultAt({path, ""}, fault.mark, "not valid YAML: " + fault.msg);
  }
}

Result<Config> LoadConfig(const std::string& path, const ProxyEnvironment& environment) {
  const Result<std::string> text = ReadTextFile(path);
  if (text) return ParseConfig(*text, path, environment);
  return Error{ErrorKind::kInternal, "configuration file " + path + ": " + text.error().message};
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
