#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/sanitizer.h"
#include "tests/support/temp_dir.h"

// A month in minutes: what a running exporter goes through from scan to scan, and that it takes no
// more memory, descriptors and threads for it from one quarter to the next.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using testing::Eventually;
using testing::ExporterProcess;
using testing::HttpGet;
using testing::HttpPost;
namespace fs = std::filesystem;
namespace sim = simulator;

constexpr const char* kRepository = "team/app";
constexpr const char* kOther = "team/other";
constexpr int kHosts = 8;  // that blobs move between

// The median of the last quarter may be above that of the second by so much. The first is left out:
// caches fill. Journals and caches are bounded, but not full by then; allocators have their ways.
constexpr double kMoreMemory = 2.0 * 1024 * 1024;
constexpr double kMoreDescriptors = 2;
constexpr double kMoreThreads = 2;

// `scripts/test long` asks for more.
int Scans() {
  const char* wanted = std::getenv("REGISTRY_BACKEND_SOAK_SCANS");
  return wanted == nullptr ? 80 : std::atoi(wanted);
}

// What a process has at one instant.
struct Sample {
  double memory = 0;  // bytes
  double descriptors = 0;
  double threads = 0;
};

Sample Look(pid_t pid) {
  const fs::path proc = "/proc/" + std::to_string(pid);
  Sample sample;
  std::ifstream status(proc / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) sample.memory = std::stod(line.substr(6)) * 1024;
    if (line.starts_with("Threads:")) sample.threads = std::stod(line.substr(8));
  }
  sample.descriptors = static_cast<double>(
      std::distance(fs::directory_iterator(proc / "fd"), fs::directory_iterator()));
  return sample;
}

double MedianOfQuarter(const std::vector<Sample>& samples, std::size_t quarter,
                       double Sample::*member) {
  const std::size_t size = samples.size() / 4;
  std::vector<double> values;
  for (std::size_t i = quarter * size; i < (quarter + 1) * size; ++i) {
    values.push_back(samples[i].*member);
  }
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class SoakTest : public ::testing::Test {
 protected:
  SoakTest() {
    sim::Options options;
    options.authentication = sim::Authentication::kBearer;
    options.username = "user";
    options.password = "secret";
    sim::Catalog catalog =
        sim::Generate({.repository = kRepository, .tags = 12, .layers_per_tag = 8});
    sim::Generate({.repository = kOther, .tags = 2, .layers_per_tag = 3}, catalog);
    registry_ = std::make_unique<sim::Simulator>(options, std::move(catalog));
    testing::WriteFile(dir_ / "password", "secret");
    WriteConfig(0);
    exporter_ = std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, dir_ / "config.yml",
        std::vector<std::string>{"--storage.path", (dir_ / "data").string(),
                                 "--web.enable-lifecycle"});
  }

  // Every other one has a second target and another policy.
  void WriteConfig(int round) const {
    const bool other = round / 10 % 2 == 1;
    const auto target = [&](const std::string& name, const std::string& repository) {
      return "- {name: " + name + ", registry: \"" + registry_->base_url() +
             "\", repository: " + repository +
             ", basic_auth: {username: user, password_file: password}}\n";
    };
    testing::WriteFile(
        dir_ / "config.yml",
        std::string("scan: {interval: 24h, retry_interval: 24h, max_requests_per_second: 0}\n") +
            "policy: {approved_hosts: [" + (other ? "host0.example" : "'*.example'") +
            "]}\ntargets:\n" + target("app", kRepository) + (other ? target("other", kOther) : ""));
  }

  void Reload(int round) const {
    WriteConfig(round);
    EXPECT_EQ(HttpPost(exporter_->url() + "/-/reload").status, 200);
  }

  // What happens to the registry before a scan.
  void ChangeRegistry(int round) const {
    if (round % 3 == 0) {
      registry_->SetBackend("host" + std::to_string(round / 3 % kHosts) + ".example");
    }
    if (round % 5 == 0)
      registry_->EditCatalog([round](sim::Catalog& catalog) { Push(catalog, round); });
    if (round % 7 == 0) registry_->RevokeTokens();
    registry_->ClearFaults();
    switch (round % 12) {
      case 1:
        AddFault(sim::Operation::kManifest, sim::WrongBodyFault{});
        break;
      case 4:
        AddFault(sim::Operation::kBlob, sim::StatusFault{.status = 404, .headers = {}, .body = {}});
        break;
      case 7:
        AddFault(sim::Operation::kBlob, sim::StatusFault{.status = 403, .headers = {}, .body = {}});
        break;
      case 10:
        AddFault(sim::Operation::kTags, sim::StatusFault{.status = 404, .headers = {}, .body = {}});
        break;
      default:
        break;
    }
    // These are tried again after half a second or so.
    if (round % 25 == 13) AddFault(sim::Operation::kBlob, sim::CloseFault{});
    if (round % 25 == 23) AddFault(sim::Operation::kManifest, sim::TruncateFault{});
  }

  void AddFault(sim::Operation operation, sim::FaultAction action) const {
    registry_->AddFault({.operation = operation, .times = 1, .action = std::move(action)});
  }

  // A tag that is new, in the place of one that is as old as it gets.
  static void Push(sim::Catalog& catalog, int round) {
    const std::string name = "2.0." + std::to_string(round);
    catalog.Tag(kRepository, name,
                catalog.AddImage(kRepository, sim::Format::kOci, "{\"tag\":\"" + name + "\"}",
                                 {"base", "layer of " + name}));
    catalog.RemoveTag(kRepository, "2.0." + std::to_string(round - 20));
  }

  [[nodiscard]] double Finished() const {
    double sum = 0;
    for (const testing::Sample& sample : exporter_->Metrics()) {
      const bool ours = sample.name == "registry_backend_scans_total" &&
                        sample.labels.at("repository") == kRepository;
      if (ours) sum += sample.value;
    }
    return sum;
  }

  [[nodiscard]] bool Scan() const {
    double before = 0;
    const bool accepted = Eventually(30s, [&] {
      before = Finished();
      return HttpPost(exporter_->url() + "/-/scan?target=app").status == 202;
    });
    return accepted && Eventually(30s, [&] { return Finished() > before; });
  }

  // As Prometheus, a browser and a pipeline ask.
  void Ask(int round) const {
    const std::string url = exporter_->url();
    EXPECT_EQ(HttpGet(url + "/metrics", {.headers = {{"Accept-Encoding", "gzip"}}}).status, 200);
    EXPECT_EQ(
        HttpGet(url + "/metrics", {.headers = {{"Accept", "application/openmetrics-text"}}}).status,
        200);
    if (round % 4 != 0) return;
    for (const char* path : {"/", "/config", "/api/v1/targets", "/api/v1/endpoints",
                             "/api/v1/changes", "/api/v1/report?target=app", "/api/v1/sd"}) {
      EXPECT_EQ(HttpGet(url + path).status, 200) << path;
    }
    // There is none while a target that has just come has no baseline.
    EXPECT_NE(HttpGet(url + "/api/v1/allowlist?format=json").status, 0);
  }

  void Drill(int round) const {
    const std::string url = exporter_->url() + "/-/drill?target=app";
    if (round % 20 == 5) {
      EXPECT_EQ(HttpPost(url).status, 202);
    } else if (round % 20 == 8 || round % 20 == 11) {  // its host vanishes, then its series
      EXPECT_EQ(HttpPost(url + "&stop=true").status, 202);
    }
  }

  // What was seen in all the time.
  [[nodiscard]] std::set<std::string> OutcomesSeen() const {
    std::set<std::string> outcomes;
    for (const testing::Sample& sample : exporter_->Metrics()) {
      const bool ours = sample.name == "registry_backend_scans_total" &&
                        sample.labels.at("repository") == kRepository && sample.value > 0;
      if (ours) outcomes.insert(sample.labels.at("outcome"));
    }
    return outcomes;
  }

  const testing::TempDir dir_{"soak"};
  std::unique_ptr<sim::Simulator> registry_;
  std::unique_ptr<ExporterProcess> exporter_;
};

void ExpectFlat(const char* what, const std::vector<Sample>& samples, double Sample::*member,
                double more, double unit) {
  std::printf("%s, medians of the quarters:", what);
  for (std::size_t quarter = 0; quarter < 4; ++quarter) {
    std::printf(" %.2f", MedianOfQuarter(samples, quarter, member) / unit);
  }
  std::printf("\n");
  EXPECT_LE(MedianOfQuarter(samples, 3, member), MedianOfQuarter(samples, 1, member) + more)
      << what;
}

TEST_F(SoakTest, MemoryDescriptorsAndThreadsStayFlatOverScansFaultsReloadsScrapesAndDrills) {
  if (testing::kHasSanitizer) GTEST_SKIP() << "it keeps what is freed, and is slow";
  std::vector<Sample> samples;
  for (int round = 0; round < Scans(); ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    ChangeRegistry(round);
    if (round % 10 == 0) Reload(round);
    Drill(round);
    ASSERT_TRUE(Scan()) << exporter_->Stderr();
    Ask(round);
    samples.push_back(Look(exporter_->pid()));
    if (HasFailure()) return;
  }
  EXPECT_EQ(OutcomesSeen(), (std::set<std::string>{"complete", "partial", "failed"}));
  EXPECT_GE(exporter_
                ->Metric("registry_backend_endpoint_changes_total",
                         {{"repository", kRepository}, {"change", "added"}})
                .value_or(0),
            Scans() / 12);
  ExpectFlat("MiB", samples, &Sample::memory, kMoreMemory, 1024.0 * 1024);
  ExpectFlat("descriptors", samples, &Sample::descriptors, kMoreDescriptors, 1);
  ExpectFlat("threads", samples, &Sample::threads, kMoreThreads, 1);
  const auto status = exporter_->Terminate(20s);
  ASSERT_TRUE(status) << "it does not end";
  EXPECT_EQ(status->code, 0);
}

}  // namespace
}  // namespace registry_backend
