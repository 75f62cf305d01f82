#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>
#include <utility>

#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "exporter/monitor/monitor.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

// Scans of a registry of whose answers every other one is lost, by everything below the web server.
namespace registry_backend {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Eventually;
using Json = nlohmann::json;
namespace sim = simulator;

constexpr const char* kRepository = "team/app";
constexpr const char* kFirstHost = "first.example";
constexpr const char* kSecondHost = "second.example";
constexpr std::size_t kTags = 6;
constexpr int kScans = 10;

// The real loop with a clock that runs so many times as fast: back-off, which is most of what such
// scans do, takes little time.
constexpr int kHurry = 20;

class HurriedLoop final : public Loop {
 public:
  explicit HurriedLoop(NetworkLoop& loop) : loop_(loop), start_(loop.Now()) {}

  // When that is by the real loop's clock.
  [[nodiscard]] Time Real(Time when) const {
    return start_ + (when - start_) / kHurry + Duration(1);
  }

  [[nodiscard]] Time Now() const override { return start_ + (loop_.Now() - start_) * kHurry; }
  TimerId At(Time when, std::function<void()> task) override {
    return loop_.At(Real(when), std::move(task));
  }
  void Cancel(TimerId timer) override { loop_.Cancel(timer); }
  void Post(std::function<void()> task) override { loop_.Post(std::move(task)); }

 private:
  NetworkLoop& loop_;
  const Time start_;
};

class HurriedTransport final : public Transport {
 public:
  HurriedTransport(CurlTransport& transport, const HurriedLoop& loop)
      : transport_(transport), loop_(loop) {}

  CallId Start(Request request, Time deadline, Done done) override {
    return transport_.Start(std::move(request), loop_.Real(deadline), std::move(done));
  }
  void Cancel(CallId call) override { transport_.Cancel(call); }

 private:
  CurlTransport& transport_;
  const HurriedLoop& loop_;
};

// An exporter without its web server that scans when it is told to.
class HurriedExporter {
 public:
  HurriedExporter(const std::filesystem::path& storage, TargetOptions target)
      : monitor_({loop_, transport_, pacer_, nullptr}, *Storage::Open(storage), {std::move(target)},
                 Logger()) {
    monitor_.Start();  // which makes the first scan
    network_ = std::thread([this] { real_loop_.Run(); });
  }
  ~HurriedExporter() {
    real_loop_.Stop();
    network_.join();
  }
  HurriedExporter(const HurriedExporter&) = delete;
  HurriedExporter& operator=(const HurriedExporter&) = delete;

  [[nodiscard]] TargetState State() const { return monitor_.Current()->targets.at(0)->state; }

  [[nodiscard]] bool AwaitScans(std::uint64_t count) const {
    return Eventually(seconds(60), [&] {
      std::uint64_t finished = 0;
      for (const auto& [outcome, scans] : State().scans) finished += scans;
      return finished >= count;
    });
  }
  [[nodiscard]] bool RequestScan() {
    return Eventually(seconds(10),
                      [&] { return monitor_.RequestScan("") == Monitor::ScanRequest::kAccepted; });
  }

 private:
  CurlTransport real_transport_{{}, nullptr};
  NetworkLoop real_loop_{real_transport_};
  HurriedLoop loop_{real_loop_};
  HurriedTransport transport_{real_transport_, loop_};
  Pacer pacer_;
  Monitor monitor_;
  std::thread network_;
};

std::string HttpDate(std::time_t time) {
  std::tm parts{};
  gmtime_r(&time, &parts);
  std::array<char, 64> text{};
  std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return text.data();
}

// Makes every other request fail, in one of many ways.
void AddFaults(sim::Simulator& registry) {
  const auto now = WallClock::to_time_t(WallClock::now());
  const sim::FaultAction actions[] = {
      sim::StatusFault{429, {{"Retry-After", "1"}}, {}},
      sim::StatusFault{429, {{"Retry-After", HttpDate(now + 2)}}, {}},
      sim::StatusFault{500, {}, {}},
      sim::StatusFault{502, {}, {}},
      sim::StatusFault{503, {{"Retry-After", "0"}}, {}},
      sim::StatusFault{504, {}, {}},
      sim::CloseFault{},
      sim::TruncateFault{},
      sim::StallFault{milliseconds(20)}};
  const double chance = 1 - std::pow(0.5, 1.0 / std::size(actions));
  for (const auto operation : {sim::Operation::kTags, sim::Operation::kManifest,
                               sim::Operation::kBlob, sim::Operation::kToken}) {
    for (const sim::FaultAction& action : actions) {
      registry.AddFault({.operation = operation, .action = action, .chance = chance});
    }
  }
}

class FaultyRegistry : public ::testing::Test {
 protected:
  static sim::Options RegistryOptions() {
    sim::Options options;
    options.authentication = sim::Authentication::kBearer;
    options.username = "user";
    options.password = "secret";
    options.token_lifetime = milliseconds(1000);  // several of them in the end
    options.announced_expires_in = 60;
    options.backend = kFirstHost;
    options.backend_rules = {{sim::EveryNth{2}, kSecondHost}};
    options.fault_seed = 20261123;
    return options;
  }

  FaultyRegistry() {
    const sim::Repository& repository = *catalog_.Find(kRepository);
    for (const auto& [digest, manifest] : repository.manifests) digests_.insert(digest);
    for (const auto& [digest, blob] : repository.blobs) digests_.insert(digest);
  }

  [[nodiscard]] TargetOptions Target() const {
    TargetOptions target{
        .name = "app",
        .registry = {.registry = *Url::Parse(registry_.base_url()), .repository = kRepository}};
    target.credentials = {
        .kind = CredentialsSource::Kind::kBasic, .username = "user", .password = "secret"};
    target.scan.max_concurrency = 16;
    target.scan.max_requests_per_second = 0;
    target.schedule.retry_interval = hours(24);
    return target;
  }

  // Of the newest scan that did not fail.
  [[nodiscard]] Json Report() const {
    for (const auto& file : std::filesystem::recursive_directory_iterator(dir_ / "data")) {
      if (!file.path().filename().string().starts_with("report-")) continue;
      return Json::parse(testing::ReadFile(file.path()));
    }
    return Json();
  }

  // Each thing without an answer is named, once, and nothing else is.
  void ExpectNamed(const Json& report) const {
    std::set<std::string> named;
    for (const Json& error : report.at("errors")) {
      const std::string tag = error.value("tag", "");
      const std::string digest = error.value("digest", "");
      const bool exists =
          catalog_.Find(kRepository)->tags.contains(tag) || digests_.contains(digest);
      EXPECT_TRUE(exists) << error.dump();
      EXPECT_TRUE(named.insert(tag + digest).second) << "named twice: " << error.dump();
      static const std::set<std::string> kReasons = {"rate_limited", "http", "connect", "timeout",
                                                     "auth"};
      EXPECT_TRUE(kReasons.contains(error.at("reason"))) << error.dump();
    }
    EXPECT_EQ(report.at("coverage").at("unresolved"), named.size()) << report.at("errors").dump(1);
    EXPECT_EQ(report.at("coverage").at("unpullable"), 0);
    EXPECT_EQ(report.at("coverage").at("tags"), kTags);
  }

  static void ExpectNothingComesOrGoes(const TargetState& state) {
    for (const auto& [key, record] : state.endpoints) {
      EXPECT_TRUE(record.present()) << key.backend_host.text();
    }
    EXPECT_TRUE(state.journal.empty()) << ChangeName(state.journal.front().kind) << " "
                                       << state.journal.front().endpoint.backend_host.text();
    for (const auto& [kind, count] : state.changes) EXPECT_EQ(count, 0U) << ChangeName(kind);
  }

  const testing::TempDir dir_{"faulty"};
  const sim::Catalog catalog_ =
      sim::Generate({.repository = kRepository, .tags = kTags, .layers_per_tag = 8});
  std::set<std::string> digests_;  // of all manifests and blobs
  sim::Simulator registry_{RegistryOptions(), catalog_};
};

// Answers that failed; a body that was cut off is not told from a good one.
std::uint64_t CountFailed(const sim::Stats& stats) {
  std::uint64_t failed = 0;
  for (const auto& [request, count] : stats.counts) {
    if (request.status == 0 || request.status == 429 || request.status >= 500) failed += count;
  }
  return failed;
}

TEST_F(FaultyRegistry, ScansNameWhatGotNoAnswerAndTakeNothingAway) {
  AddFaults(registry_);
  HurriedExporter exporter(dir_ / "data", Target());
  std::map<EndpointKey, EndpointRecord> known;
  std::uint64_t usable = 0;
  for (std::uint64_t scan = 1; scan <= kScans; ++scan) {
    SCOPED_TRACE(scan);
    if (scan > 1) {
      ASSERT_TRUE(exporter.RequestScan());
    }
    ASSERT_TRUE(exporter.AwaitScans(scan));
    const TargetState state = exporter.State();
    ExpectNothingComesOrGoes(state);
    for (const auto& [key, record] : known) {
      EXPECT_TRUE(state.endpoints.contains(key)) << key.backend_host.text() << " is forgotten";
    }
    known = state.endpoints;
    if (state.newest->outcome == ScanOutcome::kFailed) {
      // Only for want of the tag list, or of a token to ask for it.
      const std::string& why = state.newest->error;
      EXPECT_TRUE(why.find("/tags/list") != std::string::npos ||
                  why.find("/token") != std::string::npos)
          << why;
      continue;
    }
    ++usable;
    const Json report = Report();
    EXPECT_EQ(report.at("outcome"), OutcomeName(state.newest->outcome));
    EXPECT_EQ(state.newest->outcome == ScanOutcome::kComplete,
              report.at("coverage").at("unresolved") == 0);
    ExpectNamed(report);
  }
  EXPECT_GE(usable, 3U);
  const sim::Stats stats = registry_.GetStats();
  EXPECT_GT(CountFailed(stats) * 3, stats.total) << "the registry was not faulty";

  registry_.ClearFaults();
  ASSERT_TRUE(exporter.RequestScan());
  ASSERT_TRUE(exporter.AwaitScans(kScans + 1));
  const TargetState state = exporter.State();
  EXPECT_EQ(state.newest->outcome, ScanOutcome::kComplete) << state.newest->error;
  ExpectNothingComesOrGoes(state);
  for (const char* host : {kFirstHost, kSecondHost}) {
    EXPECT_TRUE(state.endpoints.contains({Serves::kBlobs, *Host::Parse(host)})) << host;
  }
}

}  // namespace
}  // namespace registry_backend
