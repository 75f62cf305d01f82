#include "tests/simulator/stats.h"

#include <algorithm>
#include <utility>

namespace registry_backend::simulator {
namespace {

constexpr std::size_t kMostRequestsKept = 100'000;

template <typename Matches>
std::uint64_t Sum(const Stats& stats, Matches matches) {
  std::uint64_t sum = 0;
  for (const auto& [request, count] : stats.counts) {
    if (matches(request)) sum += count;
  }
  return sum;
}

}  // namespace

std::string_view OperationName(Operation operation) {
  switch (operation) {
    case Operation::kVersion:
      return "version";
    case Operation::kTags:
      return "tags";
    case Operation::kManifest:
      return "manifest";
    case Operation::kBlob:
      return "blob";
    case Operation::kToken:
      return "token";
    case Operation::kHop:
      return "hop";
    case Operation::kOther:
      break;
  }
  return "other";
}

std::uint64_t Stats::Count(Operation operation, std::string_view method, int status) const {
  return Sum(*this, [&](const RequestRecord& request) {
    return request.operation == operation && (method.empty() || request.method == method) &&
           (status < 0 || request.status == status);
  });
}

std::uint64_t Stats::CountOf(Operation operation, std::string_view reference,
                             std::string_view method, int status) const {
  return Sum(*this, [&](const RequestRecord& request) {
    return request.operation == operation && request.reference == reference &&
           (method.empty() || request.method == method) && (status < 0 || request.status == status);
  });
}

void RequestLog::Begin(RequestRecord request) {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  ++stats_.counts[request];
  ++stats_.total;
  ++stats_.in_flight;
  stats_.max_in_flight = std::max(stats_.max_in_flight, stats_.in_flight);
  if (stats_.requests.size() < kMostRequestsKept) {
    stats_.requests.push_back({std::move(request), now});
  }
}

void RequestLog::End() {
  const std::lock_guard lock(mutex_);
  --stats_.in_flight;
}

Stats RequestLog::Get() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

void RequestLog::Reset() {
  const std::lock_guard lock(mutex_);
  Stats fresh;
  fresh.in_flight = fresh.max_in_flight = stats_.in_flight;
  stats_ = std::move(fresh);
}

}  // namespace registry_backend::simulator
