#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/monitor/watched_target.h"
#include "tests/support/sanitizer.h"
#include "tests/support/temp_dir.h"

// Random histories, each step of which leaves what a simple model says.
namespace registry_backend {
namespace {

using testing::Parted;
using testing::RegistryContent;
using testing::StepsOf;
using testing::TempDir;
using testing::WatchedTarget;

using Names = std::set<std::string>;

// What presence is, told a second time and as simply as can be. Endpoints are named as they are
// shown: `api r`, `tokens p`, `w`; in this order.
class Model {
 public:
  // `content` is what the repository has after the step.
  void Do(const std::string& step, const RegistryContent& content) {
    const auto [name, argument] = Parted(step);
    if (name == "newest") newest_ = std::stoul(argument);
    if (name == "absent_after") absent_after_ = std::stoi(argument);
    if (name == "forget") forget_after_ = std::stoi(argument);
    if (name == "approve") approved_ = argument;
    if (name == "clock") hour_ = std::stoi(argument);
    if (name == "scan" || name == "unsaved" || name == "crash") Scan(content);
    if (name == "scan" || step == "crash:after" || step == "crash:reportless") {
      saved_ = known_;
    }
    if (name == "crash" || name == "restart") known_ = saved_;
  }

  [[nodiscard]] std::string Shown() const {
    std::map<std::string, int> present;
    std::string hosts;
    for (const auto& [name, host] : known_.hosts) {
      if (host.present) ++present[name.size() == 1 ? "blobs" : name];
      hosts += fmt::format("{} {:d} seen {}-{}", name, host.present, host.first, host.last);
      if (host.changed) hosts += fmt::format(" changed {}", *host.changed);
      const bool approved = name == "api r" || approved_.find(name) != std::string::npos;
      if (!approved_.empty()) hosts += fmt::format(" approved {:d}", approved);
      hosts += "\n";
    }
    const auto time = [](const char* name, const std::optional<int>& hour) {
      return hour ? fmt::format(" {} {}", name, *hour) : "";
    };
    return fmt::format("{} {} | {}/{}/0/{} | +{} -{} |{}{} | dropped 0\n{}journal{}\n",
                       known_.outcome, known_.failures, present["api r"], present["tokens p"],
                       present["blobs"], known_.added, known_.removed,
                       time("baseline", known_.baseline), time("change", known_.last_change), hosts,
                       known_.journal);
  }

 private:
  struct Endpoint {
    bool present = false;
    int first = 0, last = 0, misses = 0;
    std::optional<int> changed, absent_since;
    Names served;  // blobs, when it last served any
  };
  struct Known {
    std::map<std::string, Endpoint> hosts{};
    std::string outcome = "none", journal = "";
    std::size_t selection = 0;
    int failures = 0, partials = 0, added = 0, removed = 0;
    std::optional<int> baseline, last_change;
  };
  struct Seen {
    std::string outcome = "complete";
    std::map<std::string, Names> hosts{};  // and what they served
    Names asked{};
  };

  [[nodiscard]] Seen Look(const RegistryContent& content) const {
    Seen seen;
    if (!content.portal.empty()) return {"failed", {{"tokens p", {}}}};
    if (content.refused.contains("list")) return {"failed"};
    seen.hosts["api r"];
    std::size_t answered = 0, resolved = 0, tags = 0;
    for (auto tag = content.tags.rbegin(); tag != content.tags.rend(); ++tag) {
      if (newest_ != 0 && ++tags > newest_) break;
      if (content.refused.contains(tag->first)) {
        seen.outcome = "partial";
        continue;
      }
      ++answered;
      for (const std::string& blob : tag->second) {
        seen.asked.insert(blob);
        const auto found = content.blobs.find(blob);
        if (found == content.blobs.end()) continue;
        if (content.refused.contains(blob)) {
          seen.outcome = "partial";
        } else {
          seen.hosts[{found->second.host}].insert(blob);
          ++resolved;
        }
      }
    }
    if (resolved == 0) seen.outcome = "partial";
    if (answered == 0) seen.outcome = "failed";
    return seen;
  }

  // Whether something that this scan did not ask for is still at the host, for all that is known.
  static bool IsWitnessed(const std::string& name, const Endpoint& host, const Seen& seen,
                          const RegistryContent& content) {
    return std::ranges::any_of(host.served, [&](const std::string& blob) {
      const auto found = content.blobs.find(blob);
      if (seen.asked.contains(blob) || found == content.blobs.end()) return false;
      return content.refused.contains(blob) || found->second.host == name[0];
    });
  }

  void Scan(const RegistryContent& content) {
    const Seen seen = Look(content);
    const bool complete = seen.outcome == "complete", failed = seen.outcome == "failed";
    ++hour_;
    if (!failed) TakeBack();
    Forget();
    quiet_ = !known_.baseline || (complete && known_.selection != newest_);
    const bool may_bring = !failed || !known_.baseline;
    std::map<std::string, Endpoint>& hosts = known_.hosts;
    const Names before = NamesOf(hosts);
    for (const auto& [name, served] : seen.hosts) {
      if (before.contains(name)) See(name, may_bring);
    }
    for (auto& [name, host] : hosts) {
      if (!complete || !host.present || seen.hosts.contains(name)) continue;
      host.misses = IsWitnessed(name, host, seen, content) ? 0 : host.misses + 1;
      if (host.misses < absent_after_ || host.misses == 0) continue;
      host.present = false;
      host.absent_since = hour_;
      Note("-", name);
    }
    for (const auto& [name, served] : seen.hosts) {
      if (!before.contains(name) && may_bring) See(name, true);
      if (!failed && !served.empty()) hosts[name].served = served;
    }
    known_.outcome = seen.outcome;
    known_.failures = complete ? 0 : known_.failures + 1;
    known_.partials = seen.outcome == "partial" ? known_.partials + 1 : 0;
    if (!known_.baseline && (complete || known_.partials == 3)) known_.baseline = hour_;
    if (complete) known_.selection = newest_;
  }

  static Names NamesOf(const std::map<std::string, Endpoint>& hosts) {
    Names names;
    for (const auto& [name, host] : hosts) names.insert(name);
    return names;
  }

  void TakeBack() {
    const auto take_back = [this](std::optional<int>& time) {
      if (time) time = std::min(*time, hour_);
    };
    for (auto& [name, host] : known_.hosts) {
      host.first = std::min(host.first, hour_);
      host.last = std::min(host.last, hour_);
      take_back(host.changed);
      take_back(host.absent_since);
    }
    take_back(known_.baseline);
    take_back(known_.last_change);
  }

  void Forget() {
    std::erase_if(known_.hosts, [this](const auto& entry) {
      return !entry.second.present && hour_ - *entry.second.absent_since >= forget_after_;
    });
  }

  void See(const std::string& name, bool may_bring) {
    Endpoint& host = known_.hosts.try_emplace(name, Endpoint{.first = hour_}).first->second;
    if (!host.present && !may_bring) return;
    host.last = hour_;
    host.misses = 0;
    if (host.present) return;
    host.present = true;
    Note("+", name);
  }

  void Note(const std::string& sign, const std::string& name) {
    if (quiet_) return;
    ++(sign == "+" ? known_.added : known_.removed);
    known_.last_change = known_.hosts[name].changed = hour_;
    known_.journal += " " + std::to_string(hour_) + sign + name;
  }

  std::size_t newest_ = 0;
  int absent_after_ = 1, forget_after_ = 30 * 24, hour_ = 0;
  std::string approved_;
  bool quiet_ = false;
  Known known_, saved_;
};

// Makes up what happens; see WatchedTarget.
class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}

  // Some edits of the repository or none, and then something that may show.
  std::string Steps() {
    std::string steps;
    while (Below(2) == 0) steps += OfRepository() + " ";
    return steps + OfTarget();
  }
  int Below(int end) { return static_cast<int>(random_() % static_cast<unsigned>(end)); }

 private:
  static constexpr const char* kInstants[] = {"before", "within", "torn", "after", "reportless"};

  std::string OfRepository() {
    const int what = Below(10);
    if (what < 3) return Tag() + "=" + Host() + (Below(2) == 0 ? Host() : "");
    if (what < 5) return "move:" + Host() + Host();
    if (what < 6) return "untag:" + Tag();
    if (what < 7) return "lose:" + Blob();
    if (what < 8) return Below(5) == 0 ? "portal:p" : Below(2) == 0 ? "mend" : "mend:list";
    return "refuse:" + (Below(4) == 0 ? "list" : Below(2) == 0 ? Tag() : Blob());
  }

  std::string OfTarget() {
    const int what = Below(100);
    if (what < 60) return "scan";
    if (what < 64) return "newest:" + std::to_string(Below(3));
    if (what < 68) return "absent_after:" + std::to_string(1 + Below(3));
    if (what < 72) return "forget:" + std::to_string(2 + Below(20));
    if (what < 77) return "approve:" + (Below(3) == 0 ? "" : Host() + Host());
    if (what < 81) return "clock:" + std::to_string(Below(60));
    if (what < 86) return "restart";
    if (what < 90) return "unsaved";
    return "crash:" + std::string(kInstants[Below(5)]);
  }

  std::string Host() { return std::string(1, static_cast<char>('w' + Below(4))); }
  std::string Tag() { return "1." + std::to_string(Below(4)); }
  std::string Blob() { return Tag() + "/" + std::to_string(Below(2)); }

  std::mt19937 random_;
};

// What must hold whatever the model says: the counters count the journal, and the journal's last
// word on an endpoint is its presence, unless a selection was edited.
std::string Contradiction(const TargetState& state, bool was_edited) {
  std::map<ChangeKind, std::uint64_t> changes;
  Names told;
  for (const Change& change : state.journal) {
    ++changes[change.kind];
    const std::string host = change.endpoint.backend_host.text();
    const bool is_last_word =
        told.insert(std::string(ServesName(change.endpoint.serves)) + host).second;
    const auto found = state.endpoints.find(change.endpoint);
    const bool is_present = found != state.endpoints.end() && found->second.present();
    if (is_last_word && !was_edited && is_present != (change.kind == ChangeKind::kAdded)) {
      return host + " is not as the journal has it";
    }
  }
  return changes == state.changes ? "" : "the counters and the journal differ";
}

// The steps up to the first one after which something is wrong, and what; empty if nothing is.
std::string Trouble(unsigned seed) {
  const TempDir storage(testing::InMemory());
  WatchedTarget target(storage.path());
  Model model;
  Chance chance(seed);
  std::string history = "1.0=w 1.1=x";
  if (chance.Below(3) == 0) history += " refuse:1.1";
  target.Do(history);
  bool was_edited = false;
  const int length = 5 + chance.Below(30);
  for (int i = 0; i < length; ++i) {
    const std::string steps = chance.Steps();
    history += " " + steps;
    for (const std::string& step : StepsOf(steps)) {
      target.Do(step);
      model.Do(step, target.content());
      was_edited = was_edited || step.starts_with("newest");
    }
    std::string wrong = Contradiction(target.state(), was_edited);
    if (::testing::Test::HasFailure()) wrong += "\na step failed";
    if (wrong.empty() && target.Shown() == model.Shown()) continue;
    return history + "\n" + wrong + "\n" + target.Shown() + "but the model:\n" + model.Shown();
  }
  return "";
}

TEST(RandomHistory, LeavesWhatASimpleModelSays) {
  constexpr unsigned kFirstSeed = 20261126;
  constexpr unsigned kHistories = testing::kHasSanitizer ? 30 : 1000;
  for (unsigned seed = kFirstSeed; seed < kFirstSeed + kHistories; ++seed) {
    const std::string trouble = Trouble(seed);
    ASSERT_EQ(trouble, "") << "seed " << seed << ": " << trouble;
  }
}

}  // namespace
}  // namespace registry_backend
