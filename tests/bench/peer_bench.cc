#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/contest.h"
#include "tests/bench/measure.h"

// What others take to find the hosts of the same repository's blobs: loops with curl and with
// python3-requests, and skopeo.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using testing::Contest;
using testing::Cost;
using testing::Site;

constexpr auto kLatency = 50ms;
constexpr int kOurRuns = 5;

struct Peer {
  std::string name;
  std::vector<std::string> command;
};

// Blobs that were asked where they are.
std::size_t BlobsAsked(const Json& stats) {
  std::set<std::string> blobs;
  for (const Json& request : stats.at("requests")) {
    if (request.at("operation") == "blob" && request.at("method") == "GET") {
      blobs.insert(request.at("reference").get<std::string>());
    }
  }
  return blobs.size();
}

std::vector<Peer> PeersOf(const Contest& contest) {
  const Site& site = contest.site();
  const std::vector<std::string> where = {site.url(), testing::kBenchRepository, site.ca_file()};
  const auto with = [&where](std::vector<std::string> command,
                             const std::vector<std::string>& more = {}) {
    command.insert(command.end(), where.begin(), where.end());
    command.insert(command.end(), more.begin(), more.end());
    return command;
  };
  const std::vector<std::string> python = {"/usr/bin/python3", BENCH_PEERS "/requests_loop.py"};
  // skopeo takes the certificates of a directory. It would fetch the config from the storage host
  // itself: with --raw it asks for the manifest alone.
  const std::string skopeo =
      "mkdir -p \"$3.d\" && cp \"$3\" \"$3.d/ca.crt\" && for tag in $(curl -s --cacert \"$3\" "
      "\"$1/v2/$2/tags/list\" | grep -o '\"tags\":\\[[^]]*' | cut -d '[' -f 2 | tr -d '\"' | tr "
      "',' "
      "' '); do skopeo inspect --raw --cert-dir \"$3.d\" \"docker://${1#https://}/$2:$tag\" || "
      "exit "
      "1; done > /dev/null";
  return {
      {"`scan`", {REGISTRY_BACKEND_EXPORTER, "scan", "--config.file", contest.config()}},
      {"curl, a program a request", with({BENCH_PEERS "/curl_loop"})},
      {"Python requests, each blob once by one GET", with(python, {"--once"})},
      {"Python requests, HEAD and GET of each layer of each tag", with(python)},
      {"the same with the original's pause of 0.1 s", with(python, {"--pause", "0.1"})},
      {"`skopeo inspect --raw` of each tag: no blobs", with({"/bin/sh", "-c", skopeo, "sh"})},
  };
}

void Run(int argc, char** argv) {
  const int tags = testing::NumberArgument(argc, argv, 1, 6, "peer_bench [TAGS]");
  const Contest contest({.repository = {.tags = tags}, .latency = kLatency});
  std::printf(
      "%d tags x 55 layers, half shared, %d ms, TLS; `scan`: the median of %d runs; the last two "
      "columns are by what `scan` takes\n\n"
      "| program | requests | blobs found | wall s | CPU s | times as long | times the CPU |\n"
      "|---|---|---|---|---|---|---|\n",
      tags, static_cast<int>(kLatency.count()), kOurRuns);
  Cost ours;
  for (const Peer& peer : PeersOf(contest)) {
    const bool is_ours = ours.wall_s == 0;
    std::vector<Cost> costs;
    std::size_t blobs = 0;
    for (int i = 0; i < (is_ours ? kOurRuns : 1); ++i) {
      const Json stats =
          contest.site().Count([&] { costs.push_back(testing::CostOf(peer.command)); });
      costs.back().requests = stats.at("total").get<double>();
      blobs = BlobsAsked(stats);
    }
    const Cost cost = Median(costs);
    if (is_ours) ours = cost;
    std::printf("| %s | %.0f | %zu | %.2f | %.3f | %.1f | %.1f |\n", peer.name.c_str(),
                cost.requests, blobs, cost.wall_s, cost.cpu_s, cost.wall_s / ours.wall_s,
                cost.cpu_s / ours.cpu_s);
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  return registry_backend::testing::BenchMain("peer_bench", registry_backend::Run, argc, argv);
}
