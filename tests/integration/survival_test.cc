#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/stream_client.h"
#include "tests/support/temp_dir.h"

// What the program's inventory survives, seen as a user sees it: the log, the metrics, the files.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using testing::Eventually;
using testing::ExporterProcess;
using testing::Labels;
namespace fs = std::filesystem;
namespace sim = simulator;

constexpr const char* kRepository = "team/app";
constexpr const char* kFirstHost = "first.example";

class SurvivalTest : public ::testing::Test {
 protected:
  SurvivalTest() {
    sim::Options options;
    options.backend = kFirstHost;
    options.authentication = sim::Authentication::kBasic;
    options.username = "user";
    options.password = "secret";
    registry_ = std::make_unique<sim::Simulator>(
        options, sim::Generate({.repository = kRepository, .tags = 2, .layers_per_tag = 3}));
    testing::WriteFile(dir_ / "password", "secret");
  }

  // An exporter that scans at `interval`.
  std::unique_ptr<ExporterProcess> Serve(const std::string& interval = "24h",
                                         const std::string& retry = "1h",
                                         const std::string& program = REGISTRY_BACKEND_EXPORTER) {
    testing::WriteFile(dir_ / "config.yml",
                       "scan: {interval: " + interval + ", retry_interval: " + retry +
                           ", max_requests_per_second: 0}\n"
                           "targets: [{registry: \"" +
                           registry_->base_url() + "\", repository: " + kRepository +
                           ", basic_auth: {username: user, password_file: password}}]\n");
    return std::make_unique<ExporterProcess>(
        program, dir_ / "config.yml",
        std::vector<std::string>{"--storage.path", (dir_ / "data").string(),
                                 "--web.enable-lifecycle"});
  }

  [[nodiscard]] Labels Target(const Labels& more = {}) const {
    Labels labels = {{"registry", registry_->authority()}, {"repository", kRepository}};
    labels.insert(more.begin(), more.end());
    return labels;
  }

  static std::optional<double> Present(const ExporterProcess& exporter, const std::string& host) {
    return exporter.Metric("registry_backend_endpoint_present",
                           {{"serves", "blobs"}, {"backend_host", host}});
  }

  bool AwaitScans(const ExporterProcess& exporter, double count) {
    return Eventually(20s, [&] {
      return exporter.Metric("registry_backend_scans_total", Target({{"outcome", "complete"}})) >=
             count;
    });
  }

  static void End(ExporterProcess& exporter) {
    const auto status = exporter.Terminate(20s);
    ASSERT_TRUE(status) << "it does not end";
    EXPECT_EQ(status->code, 0);
  }

  // The state file, which exists once a scan was saved.
  [[nodiscard]] fs::path StateFile() const {
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / "data")) {
      if (entry.path().filename() == "state.json") return entry.path();
    }
    return {};
  }

  // An inventory with history: first.example gone, second.example present.
  void MakeHistory() {
    const auto exporter = Serve();
    ASSERT_TRUE(AwaitScans(*exporter, 1));
    registry_->SetBackend("second.example");
    ASSERT_TRUE(exporter->ScanNow());
    EXPECT_EQ(Present(*exporter, kFirstHost), 0);
    for (const char* line : {"msg=\"Endpoint added\"", "msg=\"Endpoint removed\""}) {
      EXPECT_NE(exporter->Stderr().find(line), std::string::npos) << exporter->Stderr();
    }
    End(*exporter);
  }

  // The exporter where no more files than that may be open.
  [[nodiscard]] std::string WithFiles(int files) const {
    const fs::path script = dir_ / "with-few-files";
    testing::WriteFile(script, "#!/bin/sh\nulimit -n " + std::to_string(files) + "\nexec " +
                                   REGISTRY_BACKEND_EXPORTER + " \"$@\"\n");
    fs::permissions(script, fs::perms::owner_all);
    return script.string();
  }

  const testing::TempDir dir_{"survival"};
  std::unique_ptr<sim::Simulator> registry_;
};

TEST_F(SurvivalTest, AWrongPasswordAfterGoodScansTakesNothingAway) {
  MakeHistory();
  testing::WriteFile(dir_ / "password", "wrong");
  const auto exporter = Serve();
  const auto before = exporter->Metrics();
  ASSERT_TRUE(exporter->ScanNow());
  EXPECT_EQ(exporter->Metric("registry_backend_scan_error", Target({{"reason", "auth"}})), 1);
  for (const testing::Sample& sample : before) {
    const bool kept = sample.name.starts_with("registry_backend_endpoint") ||
                      sample.name == "registry_backend_baseline_timestamp_seconds" ||
                      sample.name == "registry_backend_last_change_timestamp_seconds";
    if (!kept) continue;
    EXPECT_EQ(exporter->Metric(sample.name, sample.labels), sample.value) << sample.name;
  }
  EXPECT_EQ(exporter->Metric("registry_backend_endpoint_changes_total", {{"change", "removed"}}),
            1);
}

TEST_F(SurvivalTest, WhatCannotBeReadIsKeptBesideLoggedAndShown) {
  MakeHistory();
  const fs::path state = StateFile();
  const std::string good = testing::ReadFile(state);
  std::string corrupt = good;
  corrupt[good.size() / 2] = '\x01';
  const std::string newer =
      std::string(good).replace(good.find("\"version\": 1"), 12, "\"version\": 7");
  const std::pair<std::string, std::string> cases[] = {
      {"corrupt", corrupt},
      {"truncated", good.substr(0, good.size() / 3)},
      {"empty", ""},
      {"newer", newer}};
  for (const auto& [name, bytes] : cases) {
    testing::WriteFile(state, bytes);
    const auto exporter = Serve();
    EXPECT_EQ(exporter->Metric("registry_backend_exporter_inventory_load_successful"), 0) << name;
    EXPECT_NE(exporter->Stderr().find("level=error msg=\"Inventory is not usable"),
              std::string::npos)
        << name << exporter->Stderr();
    ASSERT_TRUE(AwaitScans(*exporter, 1)) << name;
    End(*exporter);
    int kept = 0;
    for (const auto& entry : fs::directory_iterator(state.parent_path())) {
      if (!entry.path().filename().string().starts_with("state.json.corrupt-")) continue;
      ++kept;
      EXPECT_EQ(testing::ReadFile(entry.path()), bytes) << name;
      fs::remove(entry.path());
    }
    EXPECT_EQ(kept, 1) << name;
  }
  testing::WriteFile(state, good);
  EXPECT_EQ(Serve()->Metric("registry_backend_exporter_inventory_load_successful"), 1);
}

TEST_F(SurvivalTest, AStorageThatCannotBeWrittenIsFoundAtOnce) {
  MakeHistory();
  // A directory where the trial's temporary file would be; it stops root as well.
  fs::create_directory(dir_ / "data" / ".write-test.tmp");
  const auto exporter = Serve();
  EXPECT_EQ(exporter->Metric("registry_backend_exporter_inventory_last_save_successful"), 0);
  EXPECT_NE(exporter->Stderr().find("Storage cannot be written"), std::string::npos);
  EXPECT_EQ(Present(*exporter, "second.example"), 1) << "what was stored is known";
}

TEST_F(SurvivalTest, AStorageInUseIsRefused) {
  MakeHistory();
  const auto first = Serve();
  const testing::RunResult second = testing::RunExporter(
      REGISTRY_BACKEND_EXPORTER, {"--config.file", (dir_ / "config.yml").string(), "--storage.path",
                                  (dir_ / "data").string(), "--web.listen-address", "127.0.0.1:0"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_NE(second.err.find("another process uses " + (dir_ / "data").string()), std::string::npos)
      << second.err;
  EXPECT_EQ(Present(*first, "second.example"), 1);
}

TEST_F(SurvivalTest, AFullDiskLosesNothingThatWasSavedAndIsShownUntilThereIsRoom) {
  MakeHistory();
  const auto exporter = Serve();
  const fs::path state = StateFile();
  const std::string saved = testing::ReadFile(state);
  const auto last_save = [&exporter] {
    return exporter->Metric("registry_backend_exporter_inventory_last_save_successful");
  };
  EXPECT_EQ(last_save(), 1);

  exporter->LimitFiles(saved.size() / 2);
  registry_->SetBackend("third.example");
  ASSERT_TRUE(exporter->ScanNow());
  EXPECT_EQ(last_save(), 0);
  EXPECT_EQ(Present(*exporter, "third.example"), 1) << "what is known is shown all the same";
  EXPECT_NE(exporter->Stderr().find("level=error msg=\"Inventory is not saved\""),
            std::string::npos)
      << exporter->Stderr();
  EXPECT_EQ(testing::ReadFile(state), saved);
  for (const auto& entry : fs::recursive_directory_iterator(dir_ / "data")) {
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  }

  exporter->LimitFiles(RLIM_INFINITY);
  ASSERT_TRUE(exporter->ScanNow());
  EXPECT_EQ(last_save(), 1);
  exporter->Restart();
  EXPECT_EQ(Present(*exporter, "third.example"), 1);
  EXPECT_EQ(exporter->Metric("registry_backend_endpoint_changes_total", {{"change", "added"}}), 2)
      << "the change is counted once";
  End(*exporter);
}

TEST_F(SurvivalTest, ADiskThatDoesNotAnswerKeepsNothingFromEnding) {
  MakeHistory();
  const auto exporter = Serve();
  // Opening it waits for somebody who reads.
  ASSERT_EQ(mkfifo((StateFile().parent_path() / "state.json.tmp").c_str(), 0600), 0);
  ASSERT_EQ(testing::HttpPost(exporter->url() + "/-/scan").status, 202);
  const auto has_scanned = [&exporter] {
    return exporter->Stderr().find("msg=\"Scan complete\"") != std::string::npos;
  };
  ASSERT_TRUE(Eventually(20s, has_scanned));
  exporter->Signal(SIGHUP);  // has to wait for it, too
  EXPECT_EQ(testing::HttpGet(exporter->url() + "/-/healthy").status, 200);
  const auto status = exporter->Terminate(20s);
  ASSERT_TRUE(status) << "it does not end";
  EXPECT_EQ(status->code, 1);
  EXPECT_NE(exporter->Stderr().find("what does not answer"), std::string::npos);
}

double Sum(const std::vector<testing::Sample>& samples, std::string_view name) {
  double total = 0;
  for (const auto& sample : samples) total += sample.name == name ? sample.value : 0;
  return total;
}

// Whether the journal tells the same as the counters and the endpoints, given a baseline.
void ExpectConsistent(const nlohmann::json& state) {
  std::map<std::string, std::uint64_t> counts;
  std::map<std::string, std::string> newest;  // change of each endpoint
  for (const auto& change : state.at("journal")) {
    ++counts[change.at("change")];
    newest.emplace(
        change.at("serves").get<std::string>() + " " + change.at("backend_host").get<std::string>(),
        change.at("change"));
  }
  if (state.at("journal").size() < 1000) {
    for (const char* kind : {"added", "removed"}) {
      EXPECT_EQ(state.at("changes").value(kind, std::uint64_t{0}), counts[kind]) << kind;
    }
  }
  for (const auto& endpoint : state.at("endpoints")) {
    const auto change = newest.find(endpoint.at("serves").get<std::string>() + " " +
                                    endpoint.at("backend_host").get<std::string>());
    const bool present = endpoint.at("absent_since").is_null();
    EXPECT_EQ(present, change == newest.end() || change->second == "added") << endpoint;
  }
}

// How often the exporter is killed; `scripts/test long` asks for more.
int Kills() {
  const char* wanted = std::getenv("REGISTRY_BACKEND_KILLS");
  return wanted == nullptr ? 100 : std::atoi(wanted);
}

// Kills the exporter while it saves as often as it can and the backend changes, and looks each time
// whether all it said it knew is still known.
TEST_F(SurvivalTest, KillInTheMiddleOfSavesLosesNothing) {
  std::mt19937 random(20261123);
  double first_seen = 0;
  double changes = 0;
  double scans = 0;
  auto exporter = Serve("1ms", "1ms");
  ASSERT_TRUE(AwaitScans(*exporter, 1));
  for (int round = 0; round < Kills(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    registry_->SetBackend(round % 2 == 0 ? "second.example" : kFirstHost);
    if (round % 10 == 9) {  // also on a machine so slow that no scan ends within a round
      for (const char* host : {"second.example", kFirstHost}) {
        registry_->SetBackend(host);
        ASSERT_TRUE(Eventually(60s, [&] { return Present(*exporter, host) == 1; })) << host;
      }
    }
    // Not to wait for anything: the kill is to come at any instant of a scan and a save.
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 12));
    const auto before = exporter->Metrics();
    exporter->Kill();
    const auto state = nlohmann::json::parse(testing::ReadFile(StateFile()));
    ExpectConsistent(state);
    EXPECT_TRUE(fs::exists(StateFile().parent_path() / state.at("report"))) << "its report";
    exporter->Restart();
    const auto after = exporter->Metrics();
    EXPECT_EQ(testing::ValueOf(after, "registry_backend_exporter_inventory_load_successful"), 1);
    for (const auto& [name, last] :
         {std::pair<std::string_view, double*>("registry_backend_endpoint_changes_total", &changes),
          {"registry_backend_scans_total", &scans}}) {
      ASSERT_GE(Sum(before, name), *last) << name;
      ASSERT_GE(Sum(after, name), Sum(before, name)) << name;
      *last = Sum(after, name);
    }
    const auto seen =
        testing::ValueOf(after, "registry_backend_endpoint_first_seen_timestamp_seconds",
                         Target({{"serves", "blobs"}, {"backend_host", kFirstHost}}));
    ASSERT_TRUE(seen);
    if (first_seen == 0) first_seen = *seen;
    ASSERT_EQ(*seen, first_seen);
    if (HasFailure()) return;
  }
  EXPECT_GT(changes, 10);
  for (const auto& entry : fs::recursive_directory_iterator(dir_ / "data")) {
    EXPECT_EQ(entry.path().filename().string().find("corrupt"), std::string::npos) << entry.path();
  }
}

TEST_F(SurvivalTest, ACrowdLeavesFilesForHealthAndInventoryWhereThereAreFew) {
  const auto exporter = Serve("24h", "1h", WithFiles(256));
  ASSERT_TRUE(AwaitScans(*exporter, 1));
  EXPECT_NE(exporter->Stderr().find("Few files may be open"), std::string::npos);
  std::vector<std::unique_ptr<testing::StreamClient>> crowd;
  const auto port = static_cast<std::uint16_t>(
      std::stoi(exporter->host().substr(exporter->host().find(':') + 1)));
  for (int i = 0; i < 400; ++i) crowd.push_back(std::make_unique<testing::StreamClient>(port));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(testing::HttpGet(exporter->url() + "/-/healthy", {.timeout = 2s}).status, 200);
  }
  registry_->SetBackend("second.example");
  ASSERT_TRUE(exporter->ScanNow());
  EXPECT_NE(testing::ReadFile(StateFile()).find("second.example"), std::string::npos);
  EXPECT_EQ(exporter->Stderr().find("Too many open files"), std::string::npos)
      << exporter->Stderr();
  End(*exporter);
}

}  // namespace
}  // namespace registry_backend
