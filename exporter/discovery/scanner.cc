#include "exporter/discovery/scanner.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace registry_backend {
namespace {

Serves ServesOf(Operation::Kind kind) {
  switch (kind) {
    case Operation::Kind::kTags:
      return Serves::kApi;
    case Operation::Kind::kManifest:
      return Serves::kManifests;
    case Operation::Kind::kBlob:
      break;
  }
  return Serves::kBlobs;
}

}  // namespace

Scanner::Scanner(Loop& loop, RegistryClient& client, ScanOptions options, ScanHints hints)
    : loop_(loop),
      client_(client),
      options_(std::move(options)),
      plan_(options_, std::move(hints), client.options().registry.host()) {}

Scanner::~Scanner() { CallOff(); }

void Scanner::Start(Done done) {
  done_ = std::move(done);
  client_.BeginScan();
  started_ = loop_.Now();
  started_at_ = WallClock::now();
  timeout_ = loop_.At(started_ + options_.timeout, [this] { OnTimeout(); });
  Pump();
}

void Scanner::Pump() {
  while (under_way_.size() < options_.max_concurrency) {
    std::optional<Operation> operation = plan_.Next();
    if (plan_.is_walked()) ObserveOnce();
    if (!operation) break;
    const std::uint64_t number = ++last_operation_;
    const OperationId call =
        client_.Start(*operation, [this, number, operation](Result<Answer> answer) {
          under_way_.erase(number);
          plan_.Finish(*operation, std::move(answer));
          Pump();
        });
    under_way_.emplace(number, call);
  }
  if (under_way_.empty()) End(std::nullopt);
}

void Scanner::CallOff() {
  for (const auto& [number, call] : under_way_) client_.Cancel(call);
  under_way_.clear();
  if (timeout_) loop_.Cancel(*timeout_);
  timeout_.reset();
}

// Says what it would have taken.
Error Scanner::TimeoutError() const {
  const ScanPlan::Progress progress = plan_.progress();
  const double seconds = std::max(Seconds(options_.timeout), 0.001);
  const auto rate = [seconds](std::uint64_t requests) {
    return static_cast<double>(requests) / seconds;
  };
  std::string message = fmt::format(
      "the scan did not end within its timeout of {}: {} of at least {} requests were answered, "
      "{:.3g} a second; it would take at least {:.3g} a second, or a longer timeout",
      FormatDuration(options_.timeout), progress.finished, progress.known, rate(progress.finished),
      rate(progress.known));
  if (options_.max_requests_per_second > 0) {
    message +=
        fmt::format(" (max_requests_per_second is {:.3g})", options_.max_requests_per_second);
  }
  return {ErrorKind::kTimeout, message};
}

void Scanner::OnTimeout() {
  timeout_.reset();
  CutShort(TimeoutError());
}

void Scanner::CutShort(const Error& why) {
  if (done_) End(why);
}

// The hosts that the client has met besides those that answers named.
void Scanner::ObserveOnce() {
  if (std::exchange(has_observed_, true)) return;
  for (const Host& realm : client_.RealmHosts()) plan_.Observe(Serves::kTokens, realm, "direct");
  for (const auto& [kind, host] : client_.sent_on()) {
    plan_.Observe(ServesOf(kind), host, "redirect");
  }
}

void Scanner::End(const std::optional<Error>& cut_short) {
  CallOff();
  ObserveOnce();
  ScanResult result = std::move(plan_).Take(cut_short);
  result.started = started_at_;
  result.finished = WallClock::now();
  result.took = loop_.Now() - started_;
  const Done done = std::exchange(done_, nullptr);
  done(std::move(result));
}

}  // namespace registry_backend
