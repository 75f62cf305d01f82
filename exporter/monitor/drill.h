#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "exporter/common/log.h"
#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/discovery/scan_result.h"
#include "exporter/http/loop.h"

// A host that appears and vanishes for trial, so that the way from here to the pager can be proven.
// It is shown beside what is known of a target and never gets into it.
namespace registry_backend {

// One target's drill. A value.
struct Drill {
  // A name that nobody can have (RFC 2606 §2), and that says in every message what it is.
  static constexpr std::string_view kHost = "drill.registry-backend.invalid";

  Serves serves = Serves::kBlobs;
  bool present = true;
  WallTime appeared;
  WallTime vanishes;  // or did
  WallTime ends;      // then nothing is shown of it any more

  // When it appeared or, where it is gone, vanished.
  [[nodiscard]] WallTime changed() const { return present ? appeared : vanishes; }
  bool operator==(const Drill&) const = default;
};

// How long the host of a drill is present: from one second to a day, as alerts on a change last for
// a day. Error kInternal: it is no duration, or another one.
Result<Duration> ParseDrillDuration(std::string_view text);

inline constexpr std::string_view kDefaultDrillDuration = "10m";

// For how long it is shown as absent thereafter: as long as it was meant to be present, but no
// longer than a rule looks back.
Duration AbsenceAfter(Duration presence);

// The drills that are under way. Targets go by a key that lasts as long as they do. What began is
// timed by the loop's clock, which nobody sets; the times shown are the wall clock's.
class Drills {
 public:
  using Now = std::function<WallTime()>;
  using Changed = std::function<void(const std::string& key)>;

  // `changed` is called on the network thread whenever the target's drill is no longer what it was.
  Drills(Loop& loop, Now wall_clock, Logger logger, Changed changed);

  struct Answer {
    bool accepted = false;
    std::optional<Drill> drill;  // as it is now; empty: none is under way
  };

  // Begins one, unless one is under way there. `name` is the target's, for the log. Thread-safe.
  Answer Begin(const std::string& key, std::string name, Serves serves, Duration duration);

  // Has the host vanish before its time; where it has, ends the drill. Not accepted: none is under
  // way. Thread-safe.
  Answer Stop(const std::string& key);

  // Thread-safe.
  [[nodiscard]] std::optional<Drill> Of(const std::string& key) const;

  // Ends those of all other targets. Network thread only.
  void KeepOnly(const std::set<std::string>& keys);

 private:
  struct UnderWay {
    std::string name;
    Duration duration{};
    Drill drill;
    std::uint64_t stage = 0;  // tells its timers from those of what went before
    std::optional<TimerId> timer;
  };

  void SetTimer(const std::string& key);
  void TimeIsOver(const std::string& key, std::uint64_t stage);
  void Vanish(UnderWay& under_way);
  void LogEnd(const UnderWay& under_way, std::string_view why) const;

  Loop& loop_;
  const Now wall_clock_;
  const Logger logger_;
  const Changed changed_;
  mutable std::mutex mutex_;
  std::map<std::string, UnderWay> under_way_;  // guarded by mutex_
  std::uint64_t stages_ = 0;                   // guarded by mutex_
};

}  // namespace registry_backend
