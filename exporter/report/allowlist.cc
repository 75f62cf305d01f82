#include "exporter/report/allowlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;

// Hosts without their ports: names, and addresses without brackets.
struct Names {
  std::set<std::string> names;
  std::set<std::string> addresses;
  bool has_ports = false;  // one of the hosts was at another port than its scheme's own
};

Names NamesOf(const std::vector<AllowlistTarget>& targets) {
  Names names;
  for (const AllowlistTarget& target : targets) {
    for (const EndpointKey& key : target.endpoints) {
      const Host& host = key.backend_host;
      std::string name(host.name());
      std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
      names.has_ports = names.has_ports || host.name().size() < host.text().size();
      (host.is_ip_address() ? names.addresses : names.names).insert(std::move(name));
    }
  }
  return names;
}

constexpr std::size_t kLongestName = 300;  // no repository's name has more than 255 bytes
constexpr std::size_t kMostReasons = 10;

std::string SubjectOf(const AllowlistTarget& target) {
  if (target.registry.empty()) return "a target that is not told";
  const bool is_cut = target.name_is_cut || target.repository.size() > kLongestName;
  return target.registry + "/" + Printable(target.repository, kLongestName) +
         (is_cut ? "… (the name is cut)" : "");
}

// `95.9 %`; never more than it is.
std::string Percent(double ratio) { return fmt::format("{:.1f} %", std::floor(ratio * 1000) / 10); }

std::string SeenWhen(const AllowlistTarget& target) {
  std::string text = target.last_complete
                         ? "last complete scan " + FormatUtcSeconds(*target.last_complete)
                         : std::string("no complete scan yet");
  if (target.newest) {
    text += "; newest scan ";
    if (target.newest->finished) text += FormatUtcSeconds(*target.newest->finished) + ", ";
    text += OutcomeName(target.newest->outcome);
    if (target.newest->coverage) text += ", coverage " + Percent(*target.newest->coverage);
  }
  if (target.dropped > 0) {
    text += fmt::format("; INCOMPLETE: {} hosts did not fit max_endpoints", target.dropped);
  }
  return text;
}

std::string Header(const std::vector<AllowlistTarget>& targets) {
  std::string text = "# Hosts that pulls need, as registry_backend_exporter has seen them:\n";
  for (const AllowlistTarget& target : targets) {
    text += fmt::format("# - {}: {}\n", SubjectOf(target), SeenWhen(target));
  }
  return text;
}

std::string HeaderWithoutPorts(const std::vector<AllowlistTarget>& targets, const Names& names) {
  return Header(targets) + (names.has_ports
                                ? "# Some are at another port than https's own: --format json or "
                                  "config has it.\n"
                                : "");
}

std::string Plain(const std::vector<AllowlistTarget>& targets) {
  const Names names = NamesOf(targets);
  std::string text = HeaderWithoutPorts(targets, names);
  for (const auto* list : {&names.names, &names.addresses}) {
    for (const std::string& name : *list) text += name + "\n";
  }
  return text;
}

// One acl has one type, so names and addresses have one each. With -n squid looks nothing up: a
// foreign name that leads to an allowed address is not allowed by it, and a request waits for no
// name server.
std::string Squid(const std::vector<AllowlistTarget>& targets) {
  const Names names = NamesOf(targets);
  std::string text = HeaderWithoutPorts(targets, names);
  text += "# Use it by `http_access allow` with";
  if (!names.names.empty()) text += " registry_backend_hosts";
  if (!names.names.empty() && !names.addresses.empty()) text += ", and with";
  if (!names.addresses.empty()) text += " registry_backend_addresses";
  text += ".\n";
  for (const std::string& name : names.names) {
    text += "acl registry_backend_hosts dstdomain -n " + name + "\n";
  }
  for (const std::string& address : names.addresses) {
    text += "acl registry_backend_addresses dst -n " + address + "\n";
  }
  return text;
}

// Names and addresses may not stand in one rule. Names are known to Cilium by the lookups that pass
// its proxy, so these are allowed first.
std::string Cilium(const std::vector<AllowlistTarget>& targets) {
  const Names names = NamesOf(targets);
  std::string text = HeaderWithoutPorts(targets, names);
  text +=
      "# It applies to pods with the label below, which may then reach nothing else: fit it to "
      "yours.\n"
      "apiVersion: cilium.io/v2\n"
      "kind: CiliumNetworkPolicy\n"
      "metadata:\n"
      "  name: registry-backend-hosts\n"
      "spec:\n"
      "  endpointSelector:\n"
      "    matchLabels:\n"
      "      registry-backend-hosts: allowed\n"
      "  egress:\n"
      "    - toEndpoints:\n"
      "        - matchLabels:\n"
      "            k8s:io.kubernetes.pod.namespace: kube-system\n"
      "            k8s-app: kube-dns\n"
      "      toPorts:\n"
      "        - ports:\n"
      "            - port: \"53\"\n"
      "              protocol: ANY\n"
      "          rules:\n"
      "            dns:\n"
      "              - matchPattern: \"*\"\n";
  if (!names.names.empty()) text += "    - toFQDNs:\n";
  for (const std::string& name : names.names) text += "        - matchName: \"" + name + "\"\n";
  if (!names.addresses.empty()) text += "    - toCIDR:\n";
  for (const std::string& address : names.addresses) {
    const bool is_ipv6 = address.find(':') != std::string::npos;
    text += fmt::format("        - \"{}/{}\"\n", address, is_ipv6 ? 128 : 32);
  }
  return text;
}

std::string Config(const std::vector<AllowlistTarget>& targets) {
  std::set<Host> hosts;
  for (const AllowlistTarget& target : targets) {
    for (const EndpointKey& key : target.endpoints) hosts.insert(key.backend_host);
  }
  std::string text = Header(targets);
  if (targets.size() > 1) {
    text +=
        "# As the policy of all targets it approves each host for each of them. For one target's "
        "own "
        "list use --target.\n";
  }
  text += "policy:\n  approved_hosts:\n";
  for (const Host& host : hosts) text += "    - \"" + host.text() + "\"\n";
  return text;
}

Json JsonTarget(const AllowlistTarget& target) {
  const auto time = [](const std::optional<WallTime>& at) {
    return at ? Json(FormatRfc3339(*at)) : Json();
  };
  Json json = {{"registry", target.registry},
               {"repository", target.repository + (target.name_is_cut ? "…" : "")},
               {"last_complete_scan", time(target.last_complete)},
               {"newest_scan", nullptr},
               {"dropped", target.dropped}};
  if (const auto& newest = target.newest) {
    json["newest_scan"] = {{"finished_at", time(newest->finished)},
                           {"outcome", OutcomeName(newest->outcome)},
                           {"coverage_ratio", newest->coverage ? Json(*newest->coverage) : Json()}};
  }
  return json;
}

std::string JsonText(const std::vector<AllowlistTarget>& targets) {
  std::map<Host, std::set<Serves>> hosts;
  Json heads = Json::array();
  for (const AllowlistTarget& target : targets) {
    heads.push_back(JsonTarget(target));
    for (const EndpointKey& key : target.endpoints) hosts[key.backend_host].insert(key.serves);
  }
  Json list = Json::array();
  for (const auto& [host, serves] : hosts) {
    Json names = Json::array();
    for (const Serves each : serves) names.push_back(ServesName(each));
    list.push_back({{"backend_host", host.text()}, {"serves", std::move(names)}});
  }
  const Json json = {{"targets", std::move(heads)}, {"hosts", std::move(list)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Status CheckReady(const std::vector<AllowlistTarget>& targets) {
  if (targets.empty()) return Error{ErrorKind::kStorage, "no target has been scanned"};
  std::string why;
  std::size_t not_ready = 0;
  for (const AllowlistTarget& target : targets) {
    if (target.not_ready.empty() || ++not_ready > kMostReasons) continue;
    why += fmt::format("{}{}: {}", why.empty() ? "" : "; ", SubjectOf(target), target.not_ready);
  }
  if (why.empty()) return Ok();
  if (not_ready > kMostReasons) why += fmt::format("; and {} more", not_ready - kMostReasons);
  return Error{ErrorKind::kStorage, why};
}

}  // namespace

AllowlistTarget AllowlistTargetOf(std::string registry, std::string repository,
                                  const TargetState& state) {
  AllowlistTarget target{.registry = std::move(registry),
                         .repository = std::move(repository),
                         .dropped = state.dropped,
                         .last_complete = state.last_success};
  for (const auto& [key, record] : state.endpoints) {
    if (record.present()) target.endpoints.insert(key);
  }
  if (state.newest) {
    target.newest = {state.newest->finished, state.newest->outcome, state.newest->coverage};
  }
  if (!state.baseline || target.endpoints.empty()) {
    target.not_ready = "there is no complete scan yet to take the hosts from";
  }
  return target;
}

AllowlistTarget AllowlistTargetOf(const StoredReport& report) {
  AllowlistTarget target{.registry = report.registry, .repository = report.repository};
  for (const auto& [key, endpoint] : report.endpoints) target.endpoints.insert(key);
  target.newest = {report.finished, report.outcome, std::nullopt};
  if (const auto& coverage = report.coverage) {
    const auto asked = static_cast<double>(coverage->tags + coverage->manifests + coverage->blobs);
    const auto unresolved = static_cast<double>(coverage->unresolved);
    if (asked > 0) target.newest->coverage = std::max(0.0, 1 - unresolved / asked);
  }
  if (report.outcome == ScanOutcome::kFailed) {
    target.not_ready = "the report is of a scan that failed (" + report.failure + ")";
  } else if (report.is_sample) {
    target.not_ready =
        "the report is the original tool's, a sample: it has Amazon S3's hosts of some layers only";
  } else if (report.outcome == ScanOutcome::kPartial) {
    target.not_ready = "the report is of a partial scan, which may have missed hosts";
  } else if (report.endpoints.empty()) {
    target.not_ready = "the report has no host";
  } else {
    target.last_complete = report.finished;
  }
  return target;
}

std::optional<AllowlistFormat> ParseAllowlistFormat(std::string_view name) {
  for (const auto& [known, format] : kAllowlistFormats) {
    if (known == name) return format;
  }
  return std::nullopt;
}

std::string_view AllowlistMediaType(AllowlistFormat format) {
  switch (format) {
    case AllowlistFormat::kJson:
      return "application/json";
    case AllowlistFormat::kCilium:
    case AllowlistFormat::kConfig:
      return "application/yaml";
    case AllowlistFormat::kPlain:
    case AllowlistFormat::kSquid:
      break;
  }
  return "text/plain; charset=utf-8";
}

Result<std::string> MakeAllowlist(const std::vector<AllowlistTarget>& targets,
                                  AllowlistFormat format) {
  if (Status ready = CheckReady(targets); !ready) return ready.error();
  switch (format) {
    case AllowlistFormat::kPlain:
      return Plain(targets);
    case AllowlistFormat::kJson:
      return JsonText(targets);
    case AllowlistFormat::kSquid:
      return Squid(targets);
    case AllowlistFormat::kCilium:
      return Cilium(targets);
    case AllowlistFormat::kConfig:
      return Config(targets);
  }
  return Error{ErrorKind::kInternal, "there is no such format"};
}

}  // namespace registry_backend
