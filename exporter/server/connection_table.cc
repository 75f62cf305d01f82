#include "exporter/server/connection_table.h"

#include <sys/socket.h>

#include <algorithm>

namespace registry_backend::server {
namespace {

// So many connections leave behind freed memory that is worth giving back.
constexpr std::size_t kMany = 16;
// Connections that have been ended, but whose threads have not noticed yet: a newcomer does not
// wait for those, unless there are many.
constexpr std::size_t kMaxLeaving = 64;
constexpr auto kRoomWithin = std::chrono::seconds(1);
// A client that takes some of its answer this often is slow, not stuck; it is spared as long as
// what is held is less than twice what may be.
constexpr auto kHoldGrace = std::chrono::milliseconds(250);

}  // namespace

template <typename May>
ConnectionTable::Entries::iterator ConnectionTable::Longest(May may) {
  auto longest = entries_.end();
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->second.ended || !may(entry->second)) continue;
    if (longest == entries_.end() || entry->second.since < longest->second.since) longest = entry;
  }
  return longest;
}

void ConnectionTable::End(Entries::value_type& entry) {
  if (!entry.second.ended) ++leaving_;
  entry.second.ended = true;
  ::shutdown(entry.first, SHUT_RDWR);
  if (entry.second.turn != nullptr) entry.second.turn->notify_one();
}

bool ConnectionTable::Enter(int socket) {
  std::unique_lock lock(mutex_);
  const Time until = Clock::now() + kRoomWithin;
  const auto is_full = [this] { return entries_.size() - leaving_ >= limits_.connections; };
  while (!closed_ && (is_full() || leaving_ >= kMaxLeaving)) {
    if (leaving_ < kMaxLeaving) {
      const auto longest = Longest([](const Entry& entry) { return entry.waits; });
      if (longest != entries_.end()) {
        End(*longest);
        continue;
      }
    }
    if (left_.wait_until(lock, until) == std::cv_status::timeout) return false;
  }
  if (closed_) return false;
  entries_.insert({socket, Entry{.since = Clock::now()}});
  most_ = std::max(most_, entries_.size());
  return true;
}

bool ConnectionTable::Leave(int socket) {
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(socket);
  held_bytes_ -= entry->second.held_bytes;
  if (entry->second.ended) --leaving_;
  entries_.erase(entry);
  left_.notify_all();
  if (most_ < kMany || entries_.size() > most_ / 8) return false;
  most_ = entries_.size();
  return true;
}

void ConnectionTable::Wait(int socket, std::size_t held_bytes) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(socket);
  entry.since = Clock::now();
  entry.waits = true;
  held_bytes_ = held_bytes_ - entry.held_bytes + held_bytes;
  entry.held_bytes = held_bytes;
  EndHolders(socket);
}

void ConnectionTable::EndHolders(int besides) {
  std::size_t held = held_bytes_;
  for (const auto& [unused, entry] : entries_) held -= entry.ended ? entry.held_bytes : 0;
  const Time before = Clock::now() - kHoldGrace;
  const Entry* kept = &entries_.at(besides);
  while (held > limits_.held_bytes) {
    const bool spares = held <= 2 * limits_.held_bytes;
    const auto longest = Longest([before, kept, spares](const Entry& entry) {
      return &entry != kept && entry.held_bytes > 0 && !(spares && entry.since > before);
    });
    if (longest == entries_.end()) return;
    held -= longest->second.held_bytes;
    End(*longest);
  }
}

void ConnectionTable::Took(int socket) {
  const std::lock_guard lock(mutex_);
  entries_.at(socket).since = Clock::now();
}

void ConnectionTable::Work(int socket) {
  const std::lock_guard lock(mutex_);
  entries_.at(socket).waits = false;
}

Time ConnectionTable::EndStalledHandshake() {
  const Time now = Clock::now();
  const auto longest = Longest([](const Entry& entry) { return entry.shakes_hands; });
  if (longest == entries_.end()) return now + limits_.handshake_grace;
  const Time may_end = longest->second.since + limits_.handshake_grace;
  if (now < may_end) return may_end;
  End(*longest);
  return now + limits_.handshake_grace;
}

void ConnectionTable::WakeNewest() {
  if (!line_.empty()) line_.back()->notify_one();
}

bool ConnectionTable::BeginHandshake(int socket, Time until) {
  std::unique_lock lock(mutex_);
  Entry& self = entries_.at(socket);
  std::condition_variable turn;
  self.turn = &turn;
  line_.push_back(&turn);
  const auto is_mine = [&] { return line_.back() == &turn && handshakes_ < limits_.handshakes; };
  while (!self.ended && !is_mine() && Clock::now() < until) {
    const Time wake = line_.back() == &turn ? EndStalledHandshake() : until;
    turn.wait_until(lock, std::min(wake, until));
  }
  const bool begins = !self.ended && is_mine();
  self.turn = nullptr;
  std::erase(line_, &turn);
  if (begins) {
    self.shakes_hands = true;
    self.since = Clock::now();
    ++handshakes_;
  }
  WakeNewest();
  return begins;
}

void ConnectionTable::EndHandshake(int socket) {
  const std::lock_guard lock(mutex_);
  entries_.at(socket).shakes_hands = false;
  --handshakes_;
  WakeNewest();
}

void ConnectionTable::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (auto& entry : entries_) End(entry);
  left_.notify_all();
}

void ConnectionTable::AwaitEmpty() {
  std::unique_lock lock(mutex_);
  left_.wait(lock, [this] { return entries_.empty(); });
}

std::size_t ConnectionTable::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace registry_backend::server
