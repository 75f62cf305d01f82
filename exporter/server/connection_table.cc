#include "exporter/server/connection_table.h"

#include <sys/socket.h>

#include <algorithm>
#include <set>

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
  if (entry.second.other_turn != nullptr) entry.second.other_turn->Cancel();
}

void ConnectionTable::Limit(std::size_t connections) {
  const std::lock_guard lock(mutex_);
  limits_.connections = connections;
}

void ConnectionTable::MakeRoom() {
  const std::lock_guard lock(mutex_);
  if (leaving_ > 0) return;
  const auto longest = Longest([](const Entry& entry) { return entry.waits; });
  if (longest != entries_.end()) End(*longest);
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
  if (entry->second.ended) --leaving_;
  entries_.erase(entry);
  left_.notify_all();
  if (most_ < kMany || entries_.size() > most_ / 8) return false;
  most_ = entries_.size();
  return true;
}

void ConnectionTable::Wait(int socket, const std::string* body) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(socket);
  entry.since = Clock::now();
  entry.waits = true;
  entry.held = body;
  entry.held_bytes = body == nullptr ? 0 : body->size();
  if (entry.held_bytes > 0) EndHolders(socket);
}

std::size_t ConnectionTable::HeldBytes() const {
  std::set<const void*> held;
  std::size_t bytes = 0;
  for (const auto& [unused, entry] : entries_) {
    if (!entry.ended && held.insert(entry.held).second) bytes += entry.held_bytes;
  }
  return bytes;
}

void ConnectionTable::EndHolders(int besides) {
  const Time before = Clock::now() - kHoldGrace;
  const Entry* kept = &entries_.at(besides);
  const std::size_t may_be_held = std::max(limits_.held_bytes, 4 * kept->held_bytes);
  for (std::size_t held = HeldBytes(); held > may_be_held; held = HeldBytes()) {
    const bool spares = held <= 2 * may_be_held;
    const auto longest = Longest([before, kept, spares](const Entry& entry) {
      return &entry != kept && entry.held_bytes > 0 && !(spares && entry.since > before);
    });
    if (longest == entries_.end()) return;
    End(*longest);
  }
}

void ConnectionTable::Stand(int socket, Line::Turn* turn) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_.at(socket);
  entry.other_turn = turn;
  if (turn != nullptr && entry.ended) turn->Cancel();
}

void ConnectionTable::Took(int socket) {
  const std::lock_guard lock(mutex_);
  entries_.at(socket).since = Clock::now();
}

void ConnectionTable::Work(int socket) {
  const std::lock_guard lock(mutex_);
  entries_.at(socket).waits = false;
}

Time ConnectionTable::EndStalledHandshake(std::uint64_t came) {
  const Time now = Clock::now();
  Time next = now + limits_.newer_handshake_grace;
  const auto longest = Longest([&](const Entry& entry) {
    if (!entry.shakes_hands) return false;
    const Time may_end =
        entry.since + (entry.came < came ? limits_.handshake_grace : limits_.newer_handshake_grace);
    next = std::min(next, std::max(may_end, now));
    return may_end <= now;
  });
  if (longest == entries_.end()) return next;
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
  self.came = ++came_;
  line_.push_back(&turn);
  const auto is_mine = [&] { return line_.back() == &turn && handshakes_ < limits_.handshakes; };
  while (!self.ended && !is_mine() && Clock::now() < until) {
    const Time wake = line_.back() == &turn ? EndStalledHandshake(self.came) : until;
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
