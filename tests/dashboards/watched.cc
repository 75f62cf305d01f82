#include "tests/dashboards/watched.h"

#include <algorithm>

#include "exporter/inventory/apply.h"
#include "exporter/monitor/history.h"
#include "exporter/scheduler/schedule.h"

namespace registry_backend::testing {
namespace {

constexpr double kRequestsPerSecond = 20;  // the exporter's default

bool Redirects(const Situation& situation) {
  return std::ranges::any_of(situation.hosts, [](const ServingHost& host) {
    return host.serves == Serves::kBlobs && host.delivery == "redirect";
  });
}

bool AsksForTokens(const Situation& situation) {
  return std::ranges::any_of(
      situation.hosts, [](const ServingHost& host) { return host.serves == Serves::kTokens; });
}

}  // namespace

Watched::Watched(WatchedRepository repository, unsigned seed)
    : repository_(std::move(repository)), random_(seed) {}

void Watched::Pass(WallTime now, Day day, HttpMetrics& http) {
  if (scan_) {
    Ask(*scan_, http);
    if (now >= scan_->result.finished) {
      Apply(scan_->result, {.max_tags = 12}, state_);
      scan_.reset();
    }
  }
  if (scan_) return;
  next_scan_ = NextScan({.interval = repository_.interval}, LastScanOf(state_), now);
  if (now >= *next_scan_) Begin(now, day);
}

void Watched::Begin(WallTime now, Day day) {
  Situation situation = repository_.at(day);
  const std::size_t requests = RequestsOf(repository_, situation);
  double seconds = static_cast<double>(requests) / kRequestsPerSecond + Seconds(2);
  if (situation.trouble) seconds += situation.trouble->share < 1 ? 240 : 1;  // retries
  const auto took =
      std::chrono::duration_cast<Duration>(std::chrono::milliseconds(std::llround(seconds * 1000)));
  ScanResult result = ScanOf(repository_, situation, now, took);
  scan_ = Scan{std::move(situation), std::move(result), requests,
               1 + static_cast<std::size_t>(seconds / 60)};
}

void Watched::Ask(Scan& scan, HttpMetrics& http) {
  const std::size_t now = (scan.requests_left + scan.minutes_left - 1) / scan.minutes_left;
  for (std::size_t i = 0; i < now; ++i) AskOnce(scan.situation, http);
  scan.requests_left -= now;
  scan.minutes_left = std::max<std::size_t>(1, scan.minutes_left - 1);
}

void Watched::AskOnce(const Situation& situation, HttpMetrics& http) {
  const double median = std::chrono::duration<double>(repository_.latency).count();
  if (situation.trouble && situation.trouble->share >= 1) {
    Request(http, AsksForTokens(situation) ? "token" : "tags", 401, Seconds(median));
    return;
  }
  const bool token = Chance(0.01) && AsksForTokens(situation);
  if (token) Request(http, "token", 200, Seconds(median * 1.4));
  if (Chance(0.005)) Request(http, "tags", 200, Seconds(median * 2));
  const bool manifest = Chance(0.12);
  if (situation.trouble && Chance(situation.trouble->share)) {
    const bool slow = situation.trouble->kind == ErrorKind::kTimeout;
    Request(http, manifest ? "manifest" : "blob", slow ? 0 : 429, slow ? 30 : Seconds(median / 2));
    http.OnRetry(repository_.registry, ReasonName(situation.trouble->kind));
    return;
  }
  if (Chance(0.0015)) {
    Request(http, "blob", 503, Seconds(median * 3));
    http.OnRetry(repository_.registry, ReasonName(ErrorKind::kHttp));
  }
  Request(http, manifest ? "manifest" : "blob",
          manifest               ? 200
          : Redirects(situation) ? 307
                                 : 206,
          Seconds(manifest ? median * 1.2 : median));
}

void Watched::Request(HttpMetrics& http, std::string_view operation, int status, double seconds) {
  ++requests_;
  http.OnRequest(repository_.registry, operation, status,
                 std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

double Watched::Seconds(double median) {
  return median * std::lognormal_distribution<double>(0, 0.45)(random_);
}

bool Watched::Chance(double share) { return std::bernoulli_distribution(share)(random_); }

std::shared_ptr<const TargetSnapshot> Watched::Picture(Day day) const {
  TargetSnapshot picture{.name = repository_.name,
                         .team = repository_.team,
                         .registry = repository_.registry,
                         .scheme = "https",
                         .repository = repository_.repository,
                         .interval = repository_.interval,
                         .scanning = scan_.has_value(),
                         .next_scan = next_scan_,
                         .state = state_};
  if (repository_.policy != nullptr) {
    picture.policy = std::make_shared<const Policy>(repository_.policy(day));
  }
  // A disk that was full for an hour or two.
  picture.saved = day < 5.02 || day > 5.09;
  return std::make_shared<const TargetSnapshot>(std::move(picture));
}

}  // namespace registry_backend::testing
