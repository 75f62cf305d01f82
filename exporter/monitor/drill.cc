#include "exporter/monitor/drill.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "exporter/common/duration.h"

namespace registry_backend {
namespace {

constexpr std::chrono::seconds kShortest(1);
constexpr std::chrono::hours kLongest(24);
constexpr std::chrono::minutes kLongestAbsence(15);  // `last_over_time(…[15m])` of the rules

WallTime After(WallTime time, Duration duration) {
  return time + std::chrono::duration_cast<WallClock::duration>(duration);
}

}  // namespace

Result<Duration> ParseDrillDuration(std::string_view text) {
  Result<Duration> duration = ParseDuration(text);
  if (!duration || (*duration >= kShortest && *duration <= kLongest)) return duration;
  return Error{ErrorKind::kInternal, "'" + std::string(text.substr(0, 40)) +
                                         "' is no duration for a drill (expected 1s to 1d)"};
}

Duration AbsenceAfter(Duration presence) { return std::min<Duration>(presence, kLongestAbsence); }

Drills::Drills(Loop& loop, Now wall_clock, Logger logger, Changed changed)
    : loop_(loop),
      wall_clock_(std::move(wall_clock)),
      logger_(std::move(logger)),
      changed_(std::move(changed)) {}

Drills::Answer Drills::Begin(const std::string& key, std::string name, Serves serves,
                             Duration duration) {
  const std::lock_guard lock(mutex_);
  const auto [known, is_new] = under_way_.try_emplace(key);
  UnderWay& under_way = known->second;
  if (!is_new) return {false, under_way.drill};
  const WallTime now = wall_clock_();
  const WallTime vanishes = After(now, duration);
  under_way = {.name = std::move(name),
               .duration = duration,
               .drill = {.serves = serves,
                         .appeared = now,
                         .vanishes = vanishes,
                         .ends = After(vanishes, AbsenceAfter(duration))},
               .stage = ++stages_};
  logger_.Info("Drill begun", {{"target", under_way.name},
                               {"serves", ServesName(serves)},
                               {"backend_host", Drill::kHost},
                               {"until", FormatRfc3339(vanishes)}});
  loop_.Post([this, key] { SetTimer(key); });
  return {true, under_way.drill};
}

Drills::Answer Drills::Stop(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto known = under_way_.find(key);
  if (known == under_way_.end()) return {};
  UnderWay& under_way = known->second;
  if (under_way.drill.present) {
    Vanish(under_way);
    loop_.Post([this, key] { SetTimer(key); });
    return {true, under_way.drill};
  }
  LogEnd(under_way, "stopped");
  loop_.Post([this, key, timer = under_way.timer] {
    if (timer) loop_.Cancel(*timer);
    changed_(key);
  });
  under_way_.erase(known);
  return {true, std::nullopt};
}

std::optional<Drill> Drills::Of(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  const auto known = under_way_.find(key);
  return known == under_way_.end() ? std::nullopt : std::optional(known->second.drill);
}

void Drills::KeepOnly(const std::set<std::string>& keys) {
  const std::lock_guard lock(mutex_);
  std::erase_if(under_way_, [&](const auto& drill) {
    const auto& [key, under_way] = drill;
    if (keys.contains(key)) return false;
    if (under_way.timer) loop_.Cancel(*under_way.timer);
    LogEnd(under_way, "the target is gone");
    return true;
  });
}

// For the end of what is under way now.
void Drills::SetTimer(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = under_way_.find(key);
    if (known != under_way_.end()) {
      UnderWay& under_way = known->second;
      if (under_way.timer) loop_.Cancel(*under_way.timer);
      const Duration left =
          under_way.drill.present ? under_way.duration : AbsenceAfter(under_way.duration);
      under_way.timer = loop_.At(loop_.Now() + left,
                                 [this, key, stage = under_way.stage] { TimeIsOver(key, stage); });
    }
  }
  changed_(key);
}

void Drills::TimeIsOver(const std::string& key, std::uint64_t stage) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = under_way_.find(key);
    // Otherwise it was stopped at this very instant.
    if (known == under_way_.end() || known->second.stage != stage) return;
    known->second.timer.reset();
    if (!known->second.drill.present) {
      LogEnd(known->second, "over");
      under_way_.erase(known);
    } else {
      Vanish(known->second);
    }
  }
  SetTimer(key);
}

void Drills::Vanish(UnderWay& under_way) {
  Drill& drill = under_way.drill;
  drill.present = false;
  drill.vanishes = wall_clock_();
  drill.ends = After(drill.vanishes, AbsenceAfter(under_way.duration));
  under_way.stage = ++stages_;
  logger_.Info("Drill: the host vanished", {{"target", under_way.name},
                                            {"serves", ServesName(drill.serves)},
                                            {"backend_host", Drill::kHost},
                                            {"until", FormatRfc3339(drill.ends)}});
}

void Drills::LogEnd(const UnderWay& under_way, std::string_view why) const {
  logger_.Info("Drill ended", {{"target", under_way.name},
                               {"serves", ServesName(under_way.drill.serves)},
                               {"backend_host", Drill::kHost},
                               {"why", why}});
}

}  // namespace registry_backend
