#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exporter/common/result.h"
#include "exporter/discovery/options.h"
#include "exporter/discovery/scan_result.h"
#include "exporter/registry/registry_client.h"

namespace registry_backend {

// What to ask of a repository next, and what the answers mean: tag pages lead to tags, tags to
// manifests, indexes to further manifests, manifests to blobs, blobs to hosts. Every manifest and
// every blob is asked for once however many tags share it. At the end, hosts that earlier scans
// knew and this one did not meet are looked for by their witnesses. Without I/O or clock.
class ScanPlan {
 public:
  ScanPlan(ScanOptions options, ScanHints hints, Host registry);

  // The next thing to ask, if there is one now: blobs before manifests before tag pages, so that
  // the stages overlap and little is kept waiting. More may come with the answers still under way.
  std::optional<Operation> Next();

  // Exactly once for each operation that Next gave.
  void Finish(const Operation& operation, Result<Answer> answer);

  // A host that a pull needs besides what answers told.
  void Observe(Serves serves, const Host& host, const std::string& delivery);

  // What was found. What has no answer is unresolved; where nothing else is known of it, because of
  // `cut_short`. The result's times are left to the caller.
  ScanResult Take(const std::optional<Error>& cut_short) &&;

 private:
  struct ManifestState {
    int depth = 0;  // of the index it was found in; 0: a tag's own
    std::optional<ScannedManifest> found;
    bool failed = false;
  };
  struct TagState {
    std::string digest;
    bool failed = false;
  };
  struct BlobState {
    std::optional<Host> host;
    bool failed = false;
  };
  struct Witness {
    Host host;
    std::string digest;
  };

  std::optional<Operation> NextOfRepository();
  void OnTags(const Operation& operation, Result<Answer> answer);
  void SelectTags();
  void OnManifest(const std::string& reference, Result<Answer> answer);
  void OnBlob(const std::string& digest, const Result<Answer>& answer);
  void CallWitnesses();
  std::optional<Operation> NextWitness();
  void OnWitness(const std::string& digest, const Result<Answer>& answer);
  void FailManifest(const std::string& reference, const Error& error);
  void Learn(const FetchedManifest& fetched, int depth);
  void WantManifest(const std::string& digest, int depth);
  void WantBlob(const std::string& digest);
  void FailOverflow(std::string_view what);
  void Fail(ScanError::Scope scope, const std::string& name, const Error& error);
  void FailLeftOver(const Error& why);
  [[nodiscard]] ScanOutcome JudgeOutcome(const ScanResult& result) const;

  const ScanOptions options_;
  const ScanHints hints_;
  const Host registry_;

  std::optional<std::string> next_page_ = "";  // the URL; empty: the first
  std::set<std::string> pages_asked_;
  bool first_page_seen_ = false;
  bool all_pages_seen_ = false;
  std::vector<std::string> listed_;  // not yet selected
  std::size_t rejected_tags_ = 0;

  std::unordered_map<std::string, TagState> tags_;
  std::unordered_map<std::string, ManifestState> manifests_;
  std::unordered_map<std::string, BlobState> blobs_;
  std::deque<std::string> manifest_queue_;  // tags and digests
  std::deque<std::string> blob_queue_;
  std::size_t under_way_ = 0;
  bool overflowed_ = false;

  bool witnesses_called_ = false;
  std::deque<Witness> witness_queue_;
  std::unordered_multimap<std::string, Host> witnesses_asked_;  // by digest, under way
  ScanResult result_;
};

}  // namespace registry_backend
