#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "exporter/monitor/target_store.h"
#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/temp_dir.h"

// `diff` and `allowlist` as a user runs them, on what `scan` and `serve` leave behind.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;
using ::testing::AllOf;
using testing::Eventually;
using testing::ExporterProcess;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ReadFile;
using testing::RunResult;
using testing::TempDir;
using testing::WriteFile;
namespace fs = std::filesystem;
namespace sim = simulator;

constexpr const char* kFirstHost = "first.example";
constexpr const char* kSecondHost = "second.example";

RunResult RunProgram(const std::vector<std::string>& arguments, const std::string& input = {}) {
  testing::SubprocessOptions options = testing::HermeticOptions();
  options.stdin_text = input;
  return testing::RunExporter(REGISTRY_BACKEND_EXPORTER, arguments, options);
}

sim::Options WithPassword() {
  sim::Options options;
  options.backend = kFirstHost;
  options.authentication = sim::Authentication::kBasic;
  options.username = "user";
  options.password = "secret";
  return options;
}

class DiffCommandTest : public ::testing::Test {
 protected:
  // The report of a scan now.
  std::string Scan(const std::string& name, const std::string& password = "secret") {
    const RunResult run = RunProgram({"scan", "--registry", registry_.base_url(), "--repo",
                                      "team/app", "--username", "user", "--password", password});
    WriteFile(dir_ / name, run.out);
    return (dir_ / name).string();
  }

  sim::Simulator registry_{
      WithPassword(), sim::Generate({.repository = "team/app", .tags = 2, .layers_per_tag = 2})};
  const TempDir dir_{"reports"};
};

TEST_F(DiffCommandTest, ExitsZeroWhereNothingChanged) {
  const std::string before = Scan("old.json");
  const RunResult run = RunProgram({"diff", before, Scan("new.json")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("### Hosts of `" + registry_.authority() + "/team/app`: no change"),
                    HasSubstr("**Unchanged**"), Not(HasSubstr("**Added**"))));
}

TEST_F(DiffCommandTest, ExitsOneAndSaysWhatMoved) {
  const std::string before = Scan("old.json");
  registry_.SetBackend(kSecondHost);
  const std::string after = Scan("new.json");
  const RunResult run = RunProgram({"diff", before, after});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("1 added, 1 removed"),
                             HasSubstr("Allow `second.example` before the next pull"),
                             HasSubstr("Keep `first.example` allowed for now")));
  const RunResult text = RunProgram({"diff", before, after, "--output", "text"});
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_THAT(text.out, HasSubstr("added\n  blobs     second.example"));
  const RunResult json = RunProgram({"diff", "--output", "json", before, after});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_EQ(Json::parse(json.out)["added"][0]["backend_host"], kSecondHost);
}

// A roll-out begins with a few: here with one layer of one old tag.
TEST_F(DiffCommandTest, SeesAHostThatServesOneDeepLayer) {
  const std::string before = Scan("old.json");
  const Json report = Json::parse(ReadFile(before));
  const std::string tag = report["tag_order"].back();
  const std::string layer = report["tags"][tag]["layers"].back()["digest"];
  registry_.SetBackendRules({{sim::ByDigest{{layer}}, kSecondHost}});
  const RunResult run = RunProgram({"diff", before, Scan("new.json"), "--output", "json"});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  const Json diff = Json::parse(run.out);
  ASSERT_EQ(diff["added"].size(), 1U) << run.out;
  EXPECT_EQ(diff["added"][0]["tags"], Json::array({tag}));
  EXPECT_EQ(diff["removed"].size(), 0U);
}

TEST_F(DiffCommandTest, AFailedScanIsTroubleAndNotAllRemoved) {
  const std::string before = Scan("old.json");
  const std::string failed = Scan("failed.json", "wrong");
  const std::string original = (dir_ / "original.json").string();
  WriteFile(original, R"({"error": "Authentication failed"})");
  for (const auto& [first, second] :
       {std::pair{before, failed}, {failed, before}, {before, original}, {original, before}}) {
    const RunResult run = RunProgram({"diff", first, second});
    EXPECT_EQ(run.exit_code, 2);
    EXPECT_EQ(run.out, "");
    EXPECT_THAT(run.err, HasSubstr("it is of a scan that failed (Authentication failed"));
  }
}

TEST_F(DiffCommandTest, APartialScanRemovesNothing) {
  const std::string before = Scan("old.json");
  registry_.SetBackend(kSecondHost);
  registry_.AddFault(
      {sim::Operation::kManifest, "v202401-1", "", -1, sim::StatusFault{403, {}, {}}});
  const RunResult run = RunProgram({"diff", before, Scan("new.json")});
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("1 added, 1 not seen"), HasSubstr("partial"),
                             Not(HasSubstr("**Removed**"))));
}

TEST_F(DiffCommandTest, TakesOneReportFromStandardInput) {
  const std::string before = Scan("old.json");
  const std::string text = ReadFile(before);
  EXPECT_EQ(RunProgram({"diff", before, "-"}, text).exit_code, 0);
  const RunResult run = RunProgram({"diff", "-", before}, text);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("`standard input`"));
  const RunResult both = RunProgram({"diff", "-", "-"}, text);
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.err, HasSubstr("only one of the two"));
}

TEST_F(DiffCommandTest, WhatItCannotUseIsTroubleThatNamesIt) {
  const std::string good = Scan("old.json");
  WriteFile(dir_ / "cut.json", ReadFile(good).substr(0, 400));
  WriteFile(dir_ / "two.json", "[" + ReadFile(good) + "," + ReadFile(good) + "]");
  Json other = Json::parse(ReadFile(good));
  other["repository"] = "team/other";
  WriteFile(dir_ / "other.json", other.dump());
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"diff"}, "OLD.json"},
      {{"diff", good}, "NEW.json"},
      {{"diff", good, good, "--output", "html"}, "html"},
      {{"diff", good, good, "--nonsense"}, "--nonsense"},
      {{"diff", good, good, good}, "belongs to no option"},
      {{"diff", good, "/nonexistent.json"}, "/nonexistent.json: No such file or directory"},
      {{"diff", good, dir_.path().string()}, "Is a directory"},
      {{"diff", good, (dir_ / "cut.json").string()}, "cut.json: it is no JSON: line "},
      {{"diff", good, (dir_ / "two.json").string()}, "two.json: it holds 2 reports"},
      {{"diff", good, (dir_ / "other.json").string()}, "/team/other"},
  };
  for (const auto& [arguments, named] : cases) {
    const RunResult run = RunProgram(arguments);
    EXPECT_EQ(run.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_THAT(run.err, HasSubstr(named));
    EXPECT_EQ(run.out, "");
  }
}

TEST_F(DiffCommandTest, OutputThatCannotBeWrittenIsTrouble) {
  const std::string report = Scan("r.json");
  const std::string program = REGISTRY_BACKEND_EXPORTER;
  for (const std::string& arguments :
       {"diff " + report + " " + report, "allowlist --report " + report}) {
    const RunResult run = testing::RunToEnd({"sh", "-c", program + " " + arguments + " >/dev/full"},
                                            testing::HermeticOptions());
    EXPECT_EQ(run.exit_code, 2) << arguments;
    EXPECT_THAT(run.err, HasSubstr("the output cannot be written: No space left"));
  }
}

TEST_F(DiffCommandTest, AllowlistOfAReport) {
  const RunResult run = RunProgram({"allowlist", "--report", Scan("r.json")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("\nfirst.example\n127.0.0.1\n"));
  const RunResult input = RunProgram({"allowlist", "--report", "-"}, ReadFile(dir_ / "r.json"));
  EXPECT_EQ(input.out, run.out);
  const RunResult failed = RunProgram({"allowlist", "--report", Scan("failed.json", "wrong")});
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_EQ(failed.out, "");
  EXPECT_THAT(failed.err, AllOf(HasSubstr("would block pulls"), HasSubstr("/team/app: ")));
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"--report", "r.json", "--storage.path", "data"},
        {"--format", "iptables"},
        {"--report", "/nonexistent.json"},
        {"--report", ""},
        {"--storage.path", "/nonexistent"}}) {
    std::vector<std::string> arguments = {"allowlist"};
    arguments.insert(arguments.end(), wrong.begin(), wrong.end());
    const RunResult bad = RunProgram(arguments);
    EXPECT_EQ(bad.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_EQ(bad.out, "");
    EXPECT_NE(bad.err, "");
  }
}

TEST_F(DiffCommandTest, AnAllowlistForTheConfigurationIsOne) {
  const RunResult run = RunProgram({"allowlist", "--report", Scan("r.json"), "--format", "config"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  WriteFile(dir_ / "c.yml",
            run.out + "targets: [{registry: \"https://r.example\", repository: a/b}]\n");
  const RunResult check =
      RunProgram({"--config.file", (dir_ / "c.yml").string(), "--config.check"});
  EXPECT_EQ(check.exit_code, 0) << check.err << check.out << run.out;
}

class StoredAllowlistTest : public ::testing::Test {
 protected:
  StoredAllowlistTest() {
    sim::Options other = WithPassword();
    other.backend = kSecondHost;
    registries_.push_back(std::make_unique<sim::Simulator>(WithPassword(), Catalog()));
    registries_.push_back(std::make_unique<sim::Simulator>(other, Catalog()));
    WriteFile(dir_ / "password", "secret");
    std::string targets;
    for (const auto& registry : registries_) {
      targets += "- {registry: \"" + registry->base_url() +
                 "\", repository: team/app, basic_auth: {username: user, password_file: "
                 "password}}\n";
    }
    WriteFile(dir_ / "config.yml",
              "scan: {interval: 24h, retry_interval: 1h, max_requests_per_second: 0}\ntargets:\n" +
                  targets);
  }

  static sim::Catalog Catalog() {
    return sim::Generate({.repository = "team/app", .tags = 2, .layers_per_tag = 3});
  }

  std::unique_ptr<ExporterProcess> Serve() {
    return std::make_unique<ExporterProcess>(
        REGISTRY_BACKEND_EXPORTER, dir_ / "config.yml",
        std::vector<std::string>{"--storage.path", data().string()});
  }

  [[nodiscard]] bool AwaitScans(const ExporterProcess& exporter) const {
    return Eventually(20s, [&] {
      double finished = 0;
      for (const auto& registry : registries_) {
        for (const char* outcome : {"complete", "failed"}) {
          finished += exporter
                          .Metric("registry_backend_scans_total",
                                  {{"registry", registry->authority()}, {"outcome", outcome}})
                          .value_or(0);
        }
      }
      return finished >= 2;
    });
  }

  [[nodiscard]] RunResult Allowlist(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"allowlist", "--storage.path", data().string()});
    return RunProgram(more);
  }

  // Each file below the directory, with its content.
  [[nodiscard]] std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(data())) {
      if (entry.is_regular_file()) files[entry.path().string()] = ReadFile(entry.path());
    }
    return files;
  }

  [[nodiscard]] fs::path data() const { return dir_ / "data"; }
  [[nodiscard]] std::string TargetName(std::size_t which) const {
    return registries_[which]->authority() + "/team/app";
  }
  [[nodiscard]] fs::path StateFile(std::size_t which) const {
    return data() / testing::PercentEncode(TargetName(which)) / "state.json";
  }

  std::vector<std::unique_ptr<sim::Simulator>> registries_;
  const TempDir dir_{"allowlist"};
};

TEST_F(StoredAllowlistTest, IsReadWhileAnExporterRunsAndChangesNothing) {
  const auto exporter = Serve();
  ASSERT_TRUE(AwaitScans(*exporter)) << exporter->Output();
  ASSERT_TRUE(
      Eventually(20s, [&] { return fs::exists(StateFile(0)) && fs::exists(StateFile(1)); }));
  const auto before = Files();
  const RunResult run = Allowlist();
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  EXPECT_THAT(run.out, AllOf(HasSubstr("\nfirst.example\nsecond.example\n127.0.0.1\n"),
                             HasSubstr("# - " + TargetName(0) + ": last complete scan 2"),
                             HasSubstr("# - " + TargetName(1) + ": last complete scan 2"),
                             HasSubstr("complete, coverage 100.0 %")));
  EXPECT_EQ(Files(), before);
  EXPECT_EQ(Allowlist().out, run.out) << "the same each time";
  const RunResult one = Allowlist({"--target", TargetName(1), "--format", "squid"});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(one.out, AllOf(HasSubstr("second.example"), Not(HasSubstr("first.example"))));
  const RunResult none = Allowlist({"--target", "no/such"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("there is no target 'no/such'"));
}

TEST_F(StoredAllowlistTest, WithoutABaselineThereIsNoList) {
  registries_[1]->SetPassword("another");
  const auto exporter = Serve();
  ASSERT_TRUE(AwaitScans(*exporter)) << exporter->Output();
  ASSERT_TRUE(
      Eventually(20s, [&] { return fs::exists(StateFile(0)) && fs::exists(StateFile(1)); }));
  for (const char* format : {"plain", "json", "squid", "cilium", "config"}) {
    const RunResult run = Allowlist({"--format", format});
    EXPECT_EQ(run.exit_code, 3) << format;
    EXPECT_EQ(run.out, "") << format;
    EXPECT_THAT(run.err, AllOf(HasSubstr(TargetName(1) + ": there is no complete scan yet"),
                               Not(HasSubstr(TargetName(0)))));
  }
  EXPECT_EQ(Allowlist({"--target", TargetName(0)}).exit_code, 0);
  EXPECT_EQ(Allowlist({"--target", TargetName(1)}).exit_code, 3);
}

TEST_F(StoredAllowlistTest, OfADirectoryWithoutTargetsThereIsNone) {
  fs::create_directories(data() / "lost+found");
  const RunResult run = Allowlist();
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr("no target has been scanned"));
}

TEST_F(StoredAllowlistTest, AStateThatCannotBeReadIsNamedAndLeftWhereItIs) {
  WriteFile(StateFile(0), "{");
  const auto before = Files();
  const RunResult run = Allowlist();
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr(StateFile(0).string() + ": not a usable state"));
  EXPECT_EQ(Files(), before);
}

// A list without what is behind it could be too short.
TEST_F(StoredAllowlistTest, AFolderThatLeadsNowhereIsTroubleThatNamesIt) {
  fs::create_directories(data());
  const fs::path loop = data() / "registry.example%2Floop";
  fs::create_symlink(loop, loop);
  const RunResult run = Allowlist();
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.out, "");
  EXPECT_THAT(run.err, HasSubstr(loop.string() + ": Too many levels of symbolic links"));
}

// Its folder's name has not room for all of it.
TEST_F(StoredAllowlistTest, ALongNameIsCutAndSaidToBeAndFoundAllTheSame) {
  const std::string repository = "team/" + std::string(190, 'a') + "/" + std::string(20, 'b');
  const std::string name = "registry.example/" + repository;
  {
    const Result<Storage> storage = Storage::Open(data());
    ASSERT_TRUE(storage) << storage.error().message;
    const ReportSubject subject{*Url::Parse("https://registry.example"), repository};
    TargetStore store(*storage, subject, Logger());
    TargetState state;
    state.baseline = WallClock::now();
    state.endpoints[{Serves::kBlobs, *Host::Parse("cdn.example")}] = {};
    ASSERT_TRUE(store.Save(subject, ScanResult{.outcome = ScanOutcome::kFailed}, state));
  }
  const RunResult all = Allowlist();
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_THAT(all.out, AllOf(HasSubstr("# - registry.example/team/aaa"),
                             HasSubstr("aaa… (the name is cut): "), Not(HasSubstr("b\n"))));
  EXPECT_THAT(Allowlist({"--format", "json"}).out, HasSubstr("aaa…\","));
  const RunResult one = Allowlist({"--target", name});
  EXPECT_EQ(one.exit_code, 0) << one.err;
  EXPECT_THAT(one.out, AllOf(HasSubstr("# - " + name + ": "), HasSubstr("\ncdn.example\n")));
  EXPECT_EQ(Allowlist({"--target", name + "b"}).exit_code, 2) << "another one's folder";
}

// An exporter that found it unusable has set it aside, and has not scanned since.
TEST_F(StoredAllowlistTest, ATargetWhoseStateWasSetAsideHasNoBaseline) {
  WriteFile(StateFile(0).string() + ".corrupt-20261126T060000.000Z", "{");
  const RunResult run = Allowlist();
  EXPECT_EQ(run.exit_code, 3);
  EXPECT_THAT(run.err, HasSubstr(TargetName(0) + ": there is no complete scan yet"));
}

}  // namespace
}  // namespace registry_backend
