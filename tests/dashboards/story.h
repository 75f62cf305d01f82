#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "exporter/discovery/scan_result.h"
#include "exporter/inventory/policy.h"

// A scripted week in the life of some registries, for dashboards to show: hosts come, go and take
// over by and by, scans fail, tags are pushed. Nothing here is asked of anybody.
namespace registry_backend::testing {

// When it is, in days since the week began; 7 is its end, less than 0 the time before.
using Day = double;

struct ServingHost {
  Serves serves;
  std::string host;
  double share = 0;  // of the blobs, if it serves them; none that serves some serves less than one
  std::string delivery = "redirect";
};

// What keeps scans from being complete.
struct Trouble {
  ErrorKind kind;
  std::string message;
  double share;  // of what is asked for; 1: nothing is answered
};

// A repository as it is on a day.
struct Situation {
  std::vector<ServingHost> hosts;
  std::vector<std::string> tags;  // newest first
  std::optional<Trouble> trouble;
};

struct WatchedRepository {
  std::string name;
  std::string team;
  std::string registry;
  std::string repository;
  std::chrono::hours interval;
  std::vector<std::string> platforms;  // where none is named the image has no index
  std::size_t layers;                  // of an image
  std::chrono::milliseconds latency;   // of half of the requests
  Situation (*at)(Day day);
  Policy (*policy)(Day day);  // null: none
};

// All that are watched.
std::vector<WatchedRepository> Story();

// The requests that a scan makes.
std::size_t RequestsOf(const WatchedRepository& watched, const Situation& situation);

// What a scan finds that begins in that situation.
ScanResult ScanOf(const WatchedRepository& watched, const Situation& situation, WallTime started,
                  Duration took);

// What blackbox_exporter sees of a host on a day.
struct Reachability {
  bool reached = true;
  double seconds = 0.05;       // for the whole probe, about
  Day certificate_ends = 120;  // of the chain's last valid moment
};
Reachability ReachabilityOf(const std::string& host, Day day);

}  // namespace registry_backend::testing
