#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/inventory/target_state.h"
#include "exporter/report/report_reader.h"

// The hosts to allow so that pulls work, in the words of what does the allowing. Pure.
namespace registry_backend {

// What one target adds to a list.
struct AllowlistTarget {
  std::string registry;  // host[:port]
  std::string repository;
  bool name_is_cut = false;         // the repository's name goes on
  std::set<EndpointKey> endpoints;  // present ones
  std::uint64_t dropped = 0;        // hosts that were seen but not kept (max_endpoints)

  std::optional<WallTime> last_complete;  // end of the newest complete scan
  struct Scan {
    std::optional<WallTime> finished;
    ScanOutcome outcome;
    std::optional<double> coverage;
  };
  std::optional<Scan> newest;

  // Why the target's hosts are not known well enough: a list without some of them would block
  // pulls. Empty: they are.
  std::string not_ready;
};

// Of what is known over time: ready from the baseline on.
AllowlistTarget AllowlistTargetOf(std::string registry, std::string repository,
                                  const TargetState& state);
// Of one report: ready if its scan was complete, and not the original tool's sample.
AllowlistTarget AllowlistTargetOf(const StoredReport& report);

enum class AllowlistFormat {
  kPlain,   // one name or address a line
  kJson,    // docs/report.md
  kSquid,   // `acl` lines for squid.conf
  kCilium,  // a CiliumNetworkPolicy
  kConfig,  // `policy: {approved_hosts: […]}` of this program's own configuration
};
inline constexpr std::pair<std::string_view, AllowlistFormat> kAllowlistFormats[] = {
    {"plain", AllowlistFormat::kPlain},   {"json", AllowlistFormat::kJson},
    {"squid", AllowlistFormat::kSquid},   {"cilium", AllowlistFormat::kCilium},
    {"config", AllowlistFormat::kConfig},
};
// Empty: none has the name.
std::optional<AllowlistFormat> ParseAllowlistFormat(std::string_view name);
// The media type of what MakeAllowlist returns.
std::string_view AllowlistMediaType(AllowlistFormat format);

// The hosts of all targets, each once, in order, headed by when they were seen and how completely.
// plain, squid and cilium have no ports. The same targets make the same bytes. Error kStorage,
// which says why, where there is no target or one is not ready: an empty or short list would block
// pulls.
Result<std::string> MakeAllowlist(const std::vector<AllowlistTarget>& targets,
                                  AllowlistFormat format);

}  // namespace registry_backend
