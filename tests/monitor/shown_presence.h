#pragma once

#include <deque>
#include <string>

#include "exporter/inventory/target_state.h"

// Presence as tests read it; see WatchedTarget::Shown.
namespace registry_backend::testing {

// Times are shown as hours since then.
inline const WallTime kFirstHour = WallTime(std::chrono::hours(480'000));

// Of the exposition of one target, which is in the text format.
std::string ShownPresence(const std::string& exposition);

// The oldest first: `journal 2+b 3-b`.
std::string ShownJournal(const std::deque<Change>& journal);

}  // namespace registry_backend::testing
