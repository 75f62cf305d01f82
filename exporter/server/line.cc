#include "exporter/server/line.h"

namespace registry_backend::server {
namespace {

// Lanes come and go with users; those of long ago are forgotten all at once.
constexpr std::size_t kMaxLanes = 1000;

}  // namespace

Line::Turn::~Turn() {
  const std::lock_guard lock(line_.mutex_);
  if (!has_place_) return;
  ++line_.free_;
  line_.CallNext();
}

bool Line::Turn::Await(const std::string& lane, Time until) {
  std::unique_lock lock(line_.mutex_);
  lane_ = lane;
  line_.waiting_.push_back(this);
  line_.CallNext();
  const auto is_over = [this] { return has_place_ || cancelled_ || line_.closed_; };
  called_.wait_until(lock, until, is_over);
  if (!has_place_) line_.waiting_.remove(this);
  return has_place_ && !cancelled_ && !line_.closed_;
}

void Line::Turn::Cancel() {
  const std::lock_guard lock(line_.mutex_);
  cancelled_ = true;
  called_.notify_one();
}

void Line::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (Turn* turn : waiting_) turn->called_.notify_one();
}

std::size_t Line::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void Line::CallNext() {
  const auto last_served = [this](const Turn* turn) {
    const auto lane = served_.find(turn->lane_);
    return lane == served_.end() ? 0 : lane->second;
  };
  while (free_ > 0 && !waiting_.empty()) {
    auto next = waiting_.begin();
    for (auto turn = waiting_.begin(); turn != waiting_.end(); ++turn) {
      if (last_served(*turn) < last_served(*next)) next = turn;
    }
    Turn* const called = *next;
    waiting_.erase(next);
    if (served_.size() >= kMaxLanes) served_.clear();
    served_[called->lane_] = ++turns_;
    called->has_place_ = true;
    --free_;
    called->called_.notify_one();
  }
}

}  // namespace registry_backend::server
