#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/inventory/target_state.h"
#include "exporter/url/host.h"

// What a target's owners allow, and how what is known stands against it. Pure.
namespace registry_backend {

// A host that is approved, or all below a domain: `cdn.example.com`, `minio.corp:9000`,
// `*.example.net`. A value; always valid.
class HostPattern {
 public:
  // `host[:port]` or `*.domain[:port]`, spelled as Host spells it or any way that means the same:
  // capitals, a trailing dot, IDN in UTF-8, a default port (443 and 80, as Host knows no scheme).
  // Error kInternal: any other `*`, a URL, what is no host; the message shows no more of the text
  // than could be a host's name.
  static Result<HostPattern> Parse(std::string_view text);

  // The one spelling of all that mean the same.
  [[nodiscard]] const std::string& text() const { return text_; }

  // `*.` stands for one label or more, never for none. A pattern without a port matches hosts
  // without one: those at their scheme's own.
  [[nodiscard]] bool Matches(const Host& host) const;

  // Whether it approves what anybody may keep at a cloud: `*.amazonaws.com`,
  // `*.s3.us-east-1.amazonaws.com`, all of a public suffix. Good for a warning: clouds have more
  // domains than are known here.
  [[nodiscard]] bool IsWholeCloud() const;

  bool operator==(const HostPattern&) const = default;

 private:
  HostPattern(Host host, bool below);

  Host host_;   // or the domain, with the port
  bool below_;  // the domain's hosts, not itself
  std::string text_;
};

// One pattern a line; blank lines and what follows a `#` do not count. May be empty. Error
// kInternal: names the line.
Result<std::vector<HostPattern>> ParseHostList(std::string_view text);

// A rule is set only where its list is not empty: an empty list is as good as none, and nothing is
// judged by it.
struct Policy {
  // The allowed region that stands for endpoints whose region is not known.
  static constexpr std::string_view kUnknownRegion = "unknown";

  std::vector<HostPattern> approved_hosts;
  std::vector<std::string> allowed_regions;

  bool operator==(const Policy&) const = default;
};

// Whether `host` is approved for a target whose registry is at `registry` (host[:port]): that one
// itself is, whatever it serves. Empty: approved hosts are not set.
std::optional<bool> IsApproved(const Policy& policy, const Host& host, std::string_view registry);

// Whether the endpoint's storage may be where it is. Empty: regions are not set, or it serves no
// blobs.
std::optional<bool> IsRegionAllowed(const Policy& policy, Serves serves, const EndpointInfo& info);

// Every approved entry by its text, each once, and whether an endpoint that is present needs it.
// Empty before the baseline: until then not all hosts were seen.
std::map<std::string, bool> ApprovedHostsObserved(const Policy& policy, const TargetState& state);

}  // namespace registry_backend
