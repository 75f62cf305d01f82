#include "exporter/inventory/policy.h"

#include <algorithm>
#include <utility>

#include "exporter/url/text.h"
#include "exporter/url/url.h"

namespace registry_backend {
namespace {

constexpr std::string_view kBelow = "*.";

// Domains of clouds and CDNs below which customers have their names. The Public Suffix List has
// some of them, but not all, and of most not the domains above and between.
constexpr std::string_view kClouds[] = {
    "amazonaws.com",
    "amazonaws.com.cn",
    "on.aws",
    "cloudfront.net",
    "cloudfront.cn",
    "storage.googleapis.com",
    "pkg.dev",
    "blob.core.windows.net",
    "blob.core.chinacloudapi.cn",
    "blob.core.usgovcloudapi.net",
    "blob.storage.azure.net",
    "azurecr.io",
    "azurecr.cn",
    "azurecr.us",
    "azureedge.net",
    "azurefd.net",
    "r2.cloudflarestorage.com",
    "r2.dev",
    "backblazeb2.com",
    "wasabisys.com",
    "digitaloceanspaces.com",
    "linodeobjects.com",
    "vultrobjects.com",
    "aliyuncs.com",
    "myqcloud.com",
    "oraclecloud.com",
    "akamaized.net",
    "akamaiedge.net",
    "akamaihd.net",
    "akamai.net",
    "edgesuite.net",
    "edgekey.net",
    "fastly.net",
    "fastlylb.net",
    "b-cdn.net",
};

Error Invalid(std::string_view text, std::string_view why) {
  return {ErrorKind::kInternal,
          "'" + Printable(text, 80) + "' is no host to approve: " + std::string(why)};
}

bool IsBlankOrControl(char c) { return static_cast<unsigned char>(c) <= ' ' || c == 0x7f; }

// A host in any spelling; default ports are dropped.
Result<Host> ReadHost(std::string_view text) {
  const std::size_t colon = std::min(text.rfind(':'), text.size());
  const Result<std::string> name = ToALabels(std::string(text.substr(0, colon)));
  if (!name) return Invalid(text, name.error().message);
  Result<Host> host = Host::Parse(*name + std::string(text.substr(colon)));
  if (!host) return Error{ErrorKind::kInternal, host.error().message};
  const std::string_view port = std::string_view(host->text()).substr(host->name().size());
  return port == ":443" || port == ":80" ? Host::Make(host->name()) : host;
}

// `us-east-1`, `us-gov-west-1`, `eu-central-003`, `nyc3`
bool LooksLikeRegion(std::string_view label) {
  const std::size_t digits = std::min(label.find_last_not_of("0123456789") + 1, label.size());
  const std::string_view words = label.substr(0, digits);
  if (digits == label.size() || words.empty()) return false;
  const bool is_site = words.size() == 3 && words.find('-') == std::string_view::npos;
  return is_site || (words.back() == '-' && std::ranges::count(words, '-') >= 2);
}

// A label that a cloud puts between its domain and its customers' names.
bool IsOfTheCloud(std::string_view label) {
  static constexpr std::string_view kWords[] = {"s3",  "dualstack", "dkr", "ecr",
                                                "cdn", "data",      "eu",  "fedramp"};
  return std::ranges::find(kWords, label) != std::end(kWords) || label.starts_with("s3-") ||
         LooksLikeRegion(label);
}

// Whether `domain` is the cloud's, one above it, or one below it that is no customer's.
bool BelongsTo(std::string_view cloud, std::string_view domain) {
  if (domain == cloud || cloud.ends_with("." + std::string(domain))) return true;
  if (!domain.ends_with("." + std::string(cloud))) return false;
  domain.remove_suffix(cloud.size() + 1);
  return std::ranges::all_of(Split(domain, '.'), IsOfTheCloud);
}

bool ObservedIn(const TargetState& state, const HostPattern& pattern) {
  return std::ranges::any_of(state.endpoints, [&pattern](const auto& endpoint) {
    return endpoint.second.present() && pattern.Matches(endpoint.first.backend_host);
  });
}

}  // namespace

HostPattern::HostPattern(Host host, bool below)
    : host_(std::move(host)),
      below_(below),
      text_((below ? std::string(kBelow) : std::string()) + host_.text()) {}

Result<HostPattern> HostPattern::Parse(std::string_view text) {
  // Not shown: what else a URL has may be a secret.
  if (text.find_first_of("/?#@\\") != std::string_view::npos) {
    return Error{ErrorKind::kInternal, "a URL, or a part of one, is no host to approve"};
  }
  if (std::ranges::any_of(text, IsBlankOrControl)) {
    return Invalid(text, "a character is not allowed");
  }
  const bool below = text.starts_with(kBelow);
  const std::string_view rest = below ? text.substr(kBelow.size()) : text;
  if (rest.find('*') != std::string_view::npos) {
    return Invalid(text, "a * can only be its whole first label");
  }
  if (below && rest.empty()) return Invalid(text, "nothing follows the *.");
  Result<Host> host = ReadHost(rest);
  if (!host) return host.error();
  if (below && host->is_ip_address()) {
    return Invalid(text, "there is nothing below an address");
  }
  return HostPattern(*std::move(host), below);
}

bool HostPattern::Matches(const Host& host) const {
  if (!below_) return host == host_;
  // With the dot that follows the `*`. No host begins with one: a label is before it.
  return host.text().ends_with(std::string_view(text_).substr(1));
}

bool HostPattern::IsWholeCloud() const {
  return below_ && (IsPublicSuffix(host_) || std::ranges::any_of(kClouds, [this](auto cloud) {
                      return BelongsTo(cloud, host_.name());
                    }));
}

Result<std::vector<HostPattern>> ParseHostList(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<HostPattern> patterns;
  std::size_t number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    line = Trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    Result<HostPattern> pattern = HostPattern::Parse(line);
    if (!pattern) {
      return Error{ErrorKind::kInternal,
                   "line " + std::to_string(number) + ": " + pattern.error().message};
    }
    patterns.push_back(*std::move(pattern));
  }
  return patterns;
}

std::optional<bool> IsApproved(const Policy& policy, const Host& host, std::string_view registry) {
  if (policy.approved_hosts.empty()) return std::nullopt;
  return host.text() == registry ||
         std::ranges::any_of(policy.approved_hosts,
                             [&host](const HostPattern& pattern) { return pattern.Matches(host); });
}

std::optional<bool> IsRegionAllowed(const Policy& policy, Serves serves, const EndpointInfo& info) {
  if (policy.allowed_regions.empty() || serves != Serves::kBlobs) return std::nullopt;
  const std::string_view region =
      info.storage_region.empty() ? Policy::kUnknownRegion : std::string_view(info.storage_region);
  return std::ranges::any_of(policy.allowed_regions, [region](const std::string& allowed) {
    return EqualIgnoringCase(allowed, region);
  });
}

std::map<std::string, bool> ApprovedHostsObserved(const Policy& policy, const TargetState& state) {
  std::map<std::string, bool> observed;
  if (!state.baseline) return observed;
  for (const HostPattern& pattern : policy.approved_hosts) {
    const auto [entry, is_new] = observed.emplace(pattern.text(), false);
    if (is_new) entry->second = ObservedIn(state, pattern);
  }
  return observed;
}

}  // namespace registry_backend
