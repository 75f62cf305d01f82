#include <algorithm>
#include <string>
#include <vector>

#include "tests/fuzz/fuzzed_registry.h"
#include "tests/fuzz/require.h"

// A scan of a made-up registry. First line: the scan's options and hints; each further line: which
// of the operations under way is answered, and how (see FuzzedRegistry), the last line again and
// again.
namespace registry_backend::testing {
namespace {

class FuzzedScan {
 public:
  explicit FuzzedScan(FuzzedInput input) : input_(input), plan_(Make()) {}

  void Run() {
    if (observes_) plan_.Observe(Serves::kTokens, *Host::Parse("auth.r.example"), "direct");
    std::size_t answers = 0;
    while (AskMore(), !under_way_.empty()) {
      if (cut_after_ != 0 && answers == cut_after_) {
        cut_short_ = Error{ErrorKind::kTimeout, "the scan took too long"};
        break;
      }
      AnswerOne();
      const ScanPlan::Progress progress = plan_.progress();
      Require(progress.finished == ++answers && progress.known >= answers,
              "progress counts what is finished");
    }
    Check(std::move(plan_).Take(cut_short_));
  }

 private:
  ScanPlan Make() {
    FuzzedInput line(input_.Line());
    ScanOptions options;
    options.newest_tags = line.Below(4);
    if (line.Flag()) options.platforms = {"linux/amd64"};
    at_once_ = line.Below(6) + 1;
    cut_after_ = line.Below(36);
    observes_ = line.Flag();
    for (std::size_t hints = line.Below(6); hints > 0; --hints) {
      const std::size_t name = line.Below(FuzzedRegistry::kDigests + FuzzedRegistry::kTags.size());
      hints_.unresolved.push_back(
          name < FuzzedRegistry::kDigests
              ? FuzzedRegistry::Digest(name)
              : std::string(FuzzedRegistry::kTags[name - FuzzedRegistry::kDigests]));
    }
    while (!line.AtEnd()) {
      const auto host = FuzzedRegistry::kHosts[line.Below(FuzzedRegistry::kHosts.size())];
      hints_.witnesses[*Host::Parse(host)].push_back(
          FuzzedRegistry::Digest(line.Below(FuzzedRegistry::kDigests)));
    }
    return {std::move(options), hints_, *Host::Parse("r.example")};
  }

  // A digest may be the witness of several hosts, and is asked for once a host then.
  std::size_t TimesWitness(const std::string& digest) const {
    std::size_t times = 0;
    for (const auto& [host, digests] : hints_.witnesses) {
      times += static_cast<std::size_t>(std::ranges::count(digests, digest));
    }
    return times;
  }

  void AskMore() {
    while (under_way_.size() < at_once_) {
      auto operation = plan_.Next();
      if (!operation) return;
      const bool is_blob = operation->kind == Operation::Kind::kBlob;
      const std::size_t most = is_blob
                                   ? std::max<std::size_t>(2, TimesWitness(operation->reference))
                               : operation->kind == Operation::Kind::kTags ? 1
                                                                           : 2;
      Require(++asked_[{operation->kind, operation->reference}] <= most,
              "nothing is asked for a third time, no page twice", operation->reference);
      under_way_.push_back(*std::move(operation));
    }
  }

  void AnswerOne() {
    if (!input_.AtEnd()) line_ = input_.Line();
    FuzzedInput line(line_);
    const auto which =
        under_way_.begin() + static_cast<std::ptrdiff_t>(line.Below(under_way_.size()));
    const Operation operation = *which;
    under_way_.erase(which);
    plan_.Finish(operation, registry_.AnswerTo(operation, line));
  }

  void Check(const ScanResult& result) const {
    CheckCounts(result);
    CheckTags(result);
    CheckEndpoints(result);
    const bool is_complete = result.outcome == ScanOutcome::kComplete;
    Require(is_complete == (result.main_error() == nullptr), "what is not complete says why");
    Require(!is_complete || (result.unresolved.total() == 0 && !cut_short_ && under_way_.empty()),
            "a complete scan has left nothing open");
    Require(!is_complete || !result.blobs.empty(), "a complete scan has met a host");
    for (const auto* things : {&result.errors, &result.unpullable_things}) {
      for (const ScanError& thing : *things) {
        Require(thing.error.message.find("SECRET") == std::string::npos,
                "no message tells a secret", thing.error.message);
      }
    }
    Require((result.unresolved.total() == 0) == result.unresolved_references.empty(),
            "what is unresolved is named for the next scan");
  }

  static void CheckCounts(const ScanResult& result) {
    const double coverage = result.coverage();
    Require(coverage >= 0 && coverage <= 1, "coverage is a ratio");
    const auto check = [&result](std::uint64_t ScanCounts::*of, std::size_t resolved) {
      const std::uint64_t without = result.unresolved.*of + result.unpullable.*of;
      Require(resolved + without == result.asked.*of,
              "all that is asked for is resolved, unresolved or unpullable",
              std::to_string(resolved) + " + " + std::to_string(without) + " = " +
                  std::to_string(result.asked.*of));
    };
    check(&ScanCounts::tags,
          static_cast<std::size_t>(std::ranges::count_if(
              result.tags, [](const auto& tag) { return !tag.digest.empty(); })));
    check(&ScanCounts::manifests, result.manifests.size());
    check(&ScanCounts::blobs, result.blobs.size());
  }

  static void CheckTags(const ScanResult& result) {
    std::set<std::string_view> names;
    for (const ScannedTag& tag : result.tags) {
      Require(names.insert(tag.name).second, "a tag is there once", tag.name);
      Require(tag.digest.empty() || result.manifests.contains(tag.digest),
              "a resolved tag has a manifest", tag.name);
    }
  }

  void CheckEndpoints(const ScanResult& result) const {
    std::uint64_t served = 0;
    for (const auto& [key, endpoint] : result.endpoints) {
      const std::string& name = key.backend_host.text();
      if (key.serves != Serves::kBlobs) {
        Require(endpoint.blobs == 0, "who serves no blobs has none", name);
        continue;
      }
      Require(endpoint.blobs > 0, "who serves blobs has one", name);
      Require(endpoint.blobs <= registry_.BlobsAt(key.backend_host),
              "no host has more blobs than were said to be there", name);
      served += endpoint.blobs;
    }
    CheckRoutes(result, served);
    for (const Host& host : result.witnessed) {
      Require(hints_.witnesses.contains(host) && !result.endpoints.contains({Serves::kBlobs, host}),
              "who is witnessed was known before and not met", host.text());
    }
  }

  static void CheckRoutes(const ScanResult& result, std::uint64_t served) {
    std::uint64_t on_the_way = 0;
    for (const auto& [digest, route] : result.blobs) on_the_way += result.routes.at(route).size();
    Require(served == on_the_way, "each blob is counted once at each host on its way");
    std::set<Route> routes;
    for (const Route& route : result.routes) {
      Require(!route.empty() && routes.insert(route).second, "a route leads somewhere, and is new");
      for (const Host& host : route) {
        Require(result.endpoints.contains({Serves::kBlobs, host}), "a blob's host is an endpoint",
                host.text());
        Require(std::ranges::count(route, host) == 1, "no host is passed twice", host.text());
      }
    }
  }

  FuzzedInput input_;
  std::string_view line_;
  ScanHints hints_;
  std::size_t at_once_ = 1;
  std::size_t cut_after_ = 0;  // so many answers; 0: not at all
  bool observes_ = false;
  std::optional<Error> cut_short_;
  FuzzedRegistry registry_;
  std::vector<Operation> under_way_;
  std::map<std::pair<Operation::Kind, std::string>, std::size_t> asked_;
  ScanPlan plan_;  // last: made of the others
};

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend::testing;
  FuzzedScan(FuzzedInput(data, size)).Run();
  return 0;
}
