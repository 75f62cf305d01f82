#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/discovery/options.h"
#include "exporter/discovery/scan_result.h"
#include "exporter/registry/registry_client.h"

namespace registry_backend {

// What to ask of a repository next, and what the answers mean: tag pages lead to tags, tags to
// manifests, indexes to further manifests, manifests to blobs, blobs to hosts. Every manifest and
// every blob is asked for once however many tags share it. At the end, hosts that earlier scans
// knew and this one did not meet are looked for by their witnesses. What the registry says it does
// not have is asked for a second time when all else is done. Without I/O or clock.
class ScanPlan {
 public:
  ScanPlan(ScanOptions options, ScanHints hints, Host registry);

  // The next thing to ask, if there is one now: blobs before manifests before tag pages, so that
  // the stages overlap and little is kept waiting. More may come with the answers still under way.
  std::optional<Operation> Next();

  // Exactly once for each operation that Next gave.
  void Finish(const Operation& operation, Result<Answer> answer);

  // A host that a pull needs besides what answers told.
  void Observe(Serves serves, const Host& host, std::string_view delivery);

  // Whether the repository has been walked to its end: what Next gives from then on is asked only
  // to find out about hosts that were not met, and tells of none that a pull needs.
  [[nodiscard]] bool is_walked() const { return witnesses_called_; }

  // How far it is: operations finished, and all that are known by now to be needed.
  struct Progress {
    std::uint64_t finished;
    std::uint64_t known;
    ScanCounts asked;     // unique tags, manifests and blobs known by now
    ScanCounts answered;  // those of them that are found, unpullable or failed
  };
  [[nodiscard]] Progress progress() const;

  // What was found. What has no answer is unresolved; where nothing else is known of it, because of
  // `cut_short`. The result's times are left to the caller.
  ScanResult Take(const std::optional<Error>& cut_short) &&;

 private:
  static constexpr int kMaxIndexDepth = 4;

  // What is known of a thing that was asked for, besides its answer.
  enum class Standing {
    kOpen,        // no answer yet, or a good one
    kDoubtful,    // said to be unpullable, once
    kUnpullable,  // said so twice
    kFailed,
  };
  struct ManifestState {
    int depth = 0;  // of the index it was found in; 0: a tag's own
    Standing standing = Standing::kOpen;
  };
  struct TagState {
    std::string_view digest;
    Standing standing = Standing::kOpen;
  };
  struct Witness {
    Host host;
    std::string digest;
  };
  // Something to be asked for again; its reference is one that is kept.
  struct Doubt {
    Operation::Kind kind;
    std::string_view reference;
  };
  // A host on the way to a blob.
  struct Site {
    Host host;
    EndpointInfo info;
  };
  [[nodiscard]] static Site SiteAt(const Url& url);

  std::optional<Operation> NextOfRepository();
  [[nodiscard]] bool IsFound(std::string_view digest) const;
  void OnTags(const Operation& operation, Result<Answer> answer);
  void SelectTags();
  void OnManifest(const std::string& reference, Result<Answer> answer);
  void OnBlob(const std::string& digest, const Result<Answer>& answer);
  void CallWitnesses();
  std::optional<Operation> NextWitness();
  void OnWitness(const std::string& digest, const Result<Answer>& answer);
  void OnUnpullable(const Operation& operation, const Error& why);
  void OnFailure(const Operation& operation, const Error& error);
  void CountFailure(ScanError::Scope scope);
  [[nodiscard]] Standing& StandingOf(const Operation& operation);
  [[nodiscard]] std::string_view Kept(const Operation& operation) const;
  [[nodiscard]] std::string_view Name(std::string_view name);
  std::string_view Learn(const FetchedManifest& fetched, int depth);
  [[nodiscard]] std::size_t MostReferences() const;
  void WantAll(const Manifest& manifest, int depth, ScannedManifest& scanned);
  [[nodiscard]] bool IsSelected(const Descriptor& child) const;
  std::string_view WantManifest(const std::string& digest, int depth);
  std::string_view WantBlob(const Descriptor& blob);
  void Queue(std::deque<std::string_view>& queue, std::string_view reference) const;
  SeenEndpoint* AddEndpoint(const EndpointKey& key, EndpointInfo info);
  [[nodiscard]] static std::vector<Site> SitesOf(const BlobSource& source);
  bool CountBlob(std::string_view digest, const std::vector<Site>& sites);
  std::optional<std::uint32_t> PlaceOf(const Route& route);
  [[nodiscard]] bool IsResolved(std::string_view digest) const;
  [[nodiscard]] bool IsOpenManifest(std::string_view digest) const;
  [[nodiscard]] bool IsOpenBlob(std::string_view digest) const;
  void FailOverflow(std::string_view what);
  void Fail(ScanError::Scope scope, std::string_view name, const Error& error);
  void FailLeftOver(const Error& why);
  void TakeTags();
  void TakeManifests();
  void TakeBlobs();
  void FailWithoutBlobs();
  void NameUnresolved();
  [[nodiscard]] std::unordered_set<std::string_view> ManifestsThatLeadToOpenOnes() const;
  void NameTags(const std::unordered_set<std::string_view>& leading);
  [[nodiscard]] ScanOutcome JudgeOutcome() const;

  const ScanOptions options_;
  const ScanHints hints_;
  const Host registry_;
  std::unordered_map<std::string, std::size_t> hinted_;  // hints_.unresolved and their places

  std::optional<std::string> next_page_ = "";  // the URL; empty: the first
  std::set<std::string> pages_asked_;          // their digests: URLs may be long
  bool first_page_seen_ = false;
  bool all_pages_seen_ = false;
  std::vector<std::string_view> listed_;  // not yet selected
  std::size_t tags_seen_ = 0;             // on pages, selected or not
  std::size_t rejected_tags_ = 0;

  // Names and digests are views of these texts, which become the result's.
  std::shared_ptr<TextArena> texts_ = std::make_shared<TextArena>();
  std::unordered_set<std::string_view> names_;  // of platforms and media types
  std::size_t references_ = 0;                  // of manifests to manifests and blobs
  std::unordered_map<std::string_view, TagState> tags_;
  std::string last_tag_;  // that was answered
  std::unordered_map<std::string_view, ManifestState> manifests_;
  std::unordered_map<std::string_view, Standing> blobs_;
  std::map<Route, std::uint32_t> routes_;        // and their places in the result
  std::deque<std::string_view> manifest_queue_;  // tags and digests
  std::deque<std::string_view> blob_queue_;
  std::deque<Doubt> confirm_queue_;  // what is doubtful
  std::size_t confirm_now_ = 0;      // so many of its first are being asked for
  std::size_t under_way_ = 0;
  std::uint64_t finished_ = 0;
  std::uint64_t found_tags_ = 0;
  ScanCounts failed_;
  bool overflowed_ = false;
  bool left_out_any_ = false;  // for its platform

  bool witnesses_called_ = false;
  std::deque<Witness> witness_queue_;
  std::unordered_multimap<std::string, Host> witnesses_asked_;  // by digest, under way
  ScanResult result_;
};

}  // namespace registry_backend
