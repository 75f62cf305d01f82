#pragma once

#include <cstdint>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/discovery/scan_result.h"

namespace registry_backend {

// What is kept of a report that was read: the hosts, and what it takes to judge and explain them.
struct StoredReport {
  // The original tool asks for the first layers of the newest tags, and knows Amazon S3's hosts
  // only: what its report does not name may be there all the same.
  bool is_sample = false;  // by the original tool
  std::string registry;    // host[:port]
  std::string repository;
  std::optional<WallTime> finished;  // empty: it does not say
  ScanOutcome outcome = ScanOutcome::kComplete;
  std::string failure;  // of a failed scan, in which case there is nothing below

  struct Coverage {
    std::uint64_t tags = 0;
    std::uint64_t manifests = 0;
    std::uint64_t blobs = 0;
    std::uint64_t unresolved = 0;
  };
  std::optional<Coverage> coverage;

  struct Endpoint {
    EndpointInfo info;
    std::optional<std::uint64_t> blobs;
  };
  std::map<EndpointKey, Endpoint> endpoints;  // of a sample those of blobs only

  std::vector<std::string> tags;                       // as written, which is newest first
  std::map<Host, std::vector<std::uint32_t>> tags_of;  // of hosts of blobs: places in `tags`
};

// Reads a report that `scan` or the original tool wrote, or an array of them as `scan` writes of
// several targets. `name` is what messages call it. Takes memory for the tags' names, the hosts,
// and four bytes for each host of blobs that a tag needs; none for layers, platforms and errors.
//
// Error kStorage: it cannot be read. Error kProtocol, naming the place: no JSON, a text longer than
// 1 MiB, nested too deep, a key that is missing or has what it cannot have, another format_version.
// No more of the content is shown than what should have been a host's name: it may be the wrong
// file.
Result<std::vector<StoredReport>> ReadReports(std::istream& in, const std::string& name);

}  // namespace registry_backend
