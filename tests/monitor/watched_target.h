#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "exporter/config/selection_keys.h"
#include "exporter/inventory/options.h"
#include "exporter/monitor/snapshot.h"
#include "exporter/monitor/target_store.h"
#include "exporter/registry/registry_client.h"
#include "tests/http/fake_transport.h"

// A target's life without sockets, by a clock that the test sets.
namespace registry_backend::testing {

// What a repository has. A tag names an image of the blobs `TAG/0`, `TAG/1`, …; each is kept at a
// host that is a letter: `a` is a.example.
struct RegistryContent {
  struct Blob {
    std::string digest;
    char host;
  };
  std::map<std::string, std::vector<std::string>> tags;  // and their blobs' names
  std::map<std::string, Blob> blobs;                     // a tag may name one that is not here
  std::set<std::string> refused;                         // with 403: tags, names of blobs, `list`
  // A host that stands before the registry and wants to be asked for tokens, but gives none.
  std::string portal;

  [[nodiscard]] Response Answer(const Request& request) const;

  // Whether `what` is one of these, which it then does:
  //   1.0=ab      the tag is pushed, and what it had before is moved: one blob at a, one at b
  //   untag:1.0   the tag is deleted; its blobs stay
  //   lose:1.0/1  the blob is deleted
  //   move:ab     all blobs that are at a move to b
  //   refuse:X portal:p    see `refused` and `portal`
  //   mend mend:X    nothing is refused, or X is not; and there is no portal
  bool Edit(const std::string& what);

 private:
  void Push(const std::string& tag, const std::string& hosts);
};

// One target of that repository, scanned, applied, saved and shown as the Monitor does it.
class WatchedTarget {
 public:
  explicit WatchedTarget(std::filesystem::path storage);

  // Steps with blanks between them. What RegistryContent::Edit takes, and:
  //   newest:2 absent_after:2 forget:5 max:3   edits of the configuration; hours; 0 is all tags
  //   approve:ab    the approved hosts; `approve:` none
  //   clock:7       it is hour 7 now
  //   restart
  //   scan          an hour passes, and a scan ends
  //   unsaved       the same, but its state cannot be saved
  //   crash:before crash:within crash:torn crash:after    the same, but a crash comes before it is
  //       saved, between report and state, in the midst of the state, or afterwards; and a restart
  //   crash:reportless    after it was saved all but the report
  void Do(const std::string& steps);

  // What /metrics tells of presence, and the journal:
  //   complete 0 | 1/0/0/2 | +1 -0 | baseline 1 change 2 | dropped 0
  //   api r 1 seen 1-2
  //   b 1 seen 1-2 changed 2 approved 1
  //   journal 2+b
  // In the first line the newest outcome and how many failed in a row, how many endpoints of each
  // kind are present, the counters and times; then each endpoint, of blobs if nothing else is said,
  // present or not. All times in hours. A series that is not there has no word; one that is not
  // known here is shown as it is.
  [[nodiscard]] std::string Shown() const;

  [[nodiscard]] const RegistryContent& content() const { return content_; }
  [[nodiscard]] const TargetState& state() const { return life_->state; }

 private:
  // From start to end of the process.
  struct Life {
    Life(const std::filesystem::path& directory, WallTime now, Network network);
    Storage storage;
    TargetStore store;
    RegistryClient client;
    TargetState state;
    bool saved = true;
  };

  [[nodiscard]] WallTime Now() const;
  void Step(const std::string& name, const std::string& argument);
  [[nodiscard]] TargetState Scanned(ScanResult& result);
  void Scan();
  void ScanUnsaved();
  void ScanAndCrash(const std::string& when);
  [[nodiscard]] Status SaveWithout(const std::string& name, TargetState& state,
                                   const ScanResult& result);
  void Restart();

  const std::filesystem::path directory_;
  RegistryContent content_;
  FakeLoop loop_;
  FakeTransport transport_{loop_,
                           [this](const Request& request) { return content_.Answer(request); }};
  Pacer pacer_;
  SelectionKeys selection_;
  InventoryOptions inventory_;
  std::shared_ptr<const Policy> policy_;
  int hour_ = 0;
  std::unique_ptr<Life> life_;
};

// For a TempDir whose files are in memory where that can be: a sync to a disk takes long.
std::string InMemory();

// Steps, with blanks between them.
std::vector<std::string> StepsOf(const std::string& text);
// `name:argument`
std::pair<std::string, std::string> Parted(const std::string& step);

}  // namespace registry_backend::testing
