#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/integration/exporter_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"
#include "tests/support/terminal.h"

// `scan` as a person at a terminal uses it: progress, reports to read, Ctrl-C.
namespace registry_backend::testing {
namespace {

using Json = nlohmann::json;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
namespace sim = simulator;

class Scan : public ::testing::Test {
 protected:
  sim::Simulator registry_{
      sim::Options{}, sim::Generate({.repository = "team/app", .tags = 3, .layers_per_tag = 4})};
  const TempDir directory_{"scan"};
  SubprocessOptions options_ = HermeticOptions();

  [[nodiscard]] std::vector<std::string> Arguments(const std::vector<std::string>& more) const {
    std::vector<std::string> argv = {REGISTRY_BACKEND_EXPORTER, "scan",         "--registry",
                                     registry_.base_url(),      "--repository", "team/app"};
    argv.insert(argv.end(), more.begin(), more.end());
    return argv;
  }

  // One blob, or what else, never gets an answer.
  void StallOne(sim::Operation operation) {
    registry_.AddFault({operation, "", "", 1, sim::StallFault{}});
  }
  // All blobs have been asked for. CountBlobs comes before.
  [[nodiscard]] bool IsStuck() const {
    return registry_.GetStats().Count(sim::Operation::kBlob) >= blobs_;
  }

  // By a complete scan.
  void CountBlobs() {
    const RunResult whole = RunToEnd(ArgumentsAtFullSpeed(), options_);
    blobs_ = Json::parse(whole.out).at("coverage").at("blobs");
    registry_.ResetStats();
  }

  [[nodiscard]] std::vector<std::string> ArgumentsAtFullSpeed() const {
    WriteFile(directory_ / "fast.yml",
              "scan: {max_requests_per_second: 0}\ntargets: [{registry: \"" + registry_.base_url() +
                  "\", repository: team/app}]\n");
    return {REGISTRY_BACKEND_EXPORTER, "scan", "--config.file", (directory_ / "fast.yml").string()};
  }

 private:
  std::size_t blobs_ = 0;
};

// The lines that a terminal was made to draw in one place.
std::vector<std::string> Drawn(const std::string& output) {
  std::vector<std::string> lines;
  std::istringstream pieces(output);
  for (std::string line; std::getline(pieces, line, '\r');) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

TEST_F(Scan, OnATerminalShowsHowFarItIsAndErasesItInTheEnd) {
  registry_.SetLatency(std::chrono::milliseconds(100));
  Terminal terminal(100);
  options_.stderr_file = terminal.path();
  options_.env["TERM"] = "xterm";
  Subprocess scan(Arguments({"--output", "summary"}), options_);
  ASSERT_TRUE(Eventually(seconds(30), [&] {
    static_cast<void>(terminal.Output());
    return !scan.Running();
  }));
  EXPECT_EQ(scan.Wait(seconds(10))->code, 0);
  EXPECT_THAT(scan.Stdout(), HasSubstr("team/app: complete"));
  const std::vector<std::string> lines = Drawn(terminal.Output());
  ASSERT_GE(lines.size(), 3U) << terminal.Output();
  for (const std::string& line : lines) EXPECT_TRUE(line.ends_with("\x1b[K")) << line;
  EXPECT_EQ(lines.back(), "\x1b[K") << "it is erased";
  EXPECT_THAT(lines[lines.size() - 2],
              MatchesRegex("127.0.0.1:[0-9]+/team/app: 3/3 tags, [0-9]+/[0-9]+ manifests, "
                           "[0-9]+/[0-9]+ blobs, [0-9]+ requests, [0-9]+s.*"));
  EXPECT_EQ(terminal.Output().find('\n'), std::string::npos) << "it stays in one line";
}

TEST_F(Scan, ShowsNoProgressWhereThereIsNoTerminalThatCanRedrawALine) {
  registry_.SetLatency(std::chrono::milliseconds(100));
  options_.env["TERM"] = "xterm";
  EXPECT_EQ(RunToEnd(Arguments({}), options_).err, "");
  Terminal terminal;
  options_.stderr_file = terminal.path();
  options_.env["TERM"] = "dumb";
  EXPECT_EQ(RunToEnd(Arguments({}), options_).exit_code, 0);
  options_.env.erase("TERM");
  options_.unset_env.emplace_back("TERM");
  EXPECT_EQ(RunToEnd(Arguments({}), options_).exit_code, 0);
  EXPECT_EQ(terminal.Output(), "");
}

TEST_F(Scan, PrintsDetailsAndHtml) {
  const RunResult detailed = RunToEnd(Arguments({"--output", "detailed"}), options_);
  EXPECT_EQ(detailed.exit_code, 0) << detailed.err;
  EXPECT_THAT(detailed.out,
              AllOf(HasSubstr("team/app: complete in "), HasSubstr(" layers  sha256:"),
                    HasSubstr("    needs prod-us-east-1-starport-layer-bucket")));
  const RunResult html = RunToEnd(Arguments({"--output", "html"}), options_);
  EXPECT_EQ(html.exit_code, 0) << html.err;
  EXPECT_TRUE(html.out.starts_with("<!DOCTYPE html>") && html.out.ends_with("</html>\n"));
  EXPECT_THAT(detailed.out + html.out, Not(HasSubstr(sim::kSignatureSecret)));
}

TEST_F(Scan, OfSeveralTargetsPrintsAllInEachForm) {
  sim::Options closed;
  closed.authentication = sim::Authentication::kBasic;
  closed.username = closed.password = "x";
  sim::Simulator other(closed, sim::Generate({.repository = "team/app", .tags = 1}));
  WriteFile(directory_ / "c.yml", "targets:\n- {registry: \"" + registry_.base_url() +
                                      "\", repository: team/app}\n- {registry: \"" +
                                      other.base_url() + "\", repository: team/app}\n");
  for (const std::string output : {"json", "summary", "detailed", "html"}) {
    const RunResult run = RunToEnd({REGISTRY_BACKEND_EXPORTER, "scan", "--config.file",
                                    (directory_ / "c.yml").string(), "--output", output},
                                   options_);
    EXPECT_EQ(run.exit_code, 1) << "the worst of both: " << run.err;
    EXPECT_THAT(run.out, AllOf(HasSubstr(registry_.authority()), HasSubstr(other.authority())));
  }
}

TEST_F(Scan, InterruptedReportsWhatItHasSeen) {
  CountBlobs();
  for (const auto& [signal, name] : {std::pair(SIGINT, "SIGINT"), std::pair(SIGTERM, "SIGTERM")}) {
    registry_.ResetStats();
    registry_.ClearFaults();
    StallOne(sim::Operation::kBlob);
    Subprocess scan(ArgumentsAtFullSpeed(), options_);
    ASSERT_TRUE(Eventually(seconds(30), [this] { return IsStuck(); }));
    scan.Signal(signal);
    const auto end = scan.Wait(seconds(5));
    ASSERT_TRUE(end);
    EXPECT_EQ(end->code, 3) << end->ToString() << scan.Stderr();
    const Json report = Json::parse(scan.Stdout());
    EXPECT_EQ(report["outcome"], "partial");
    EXPECT_EQ(report["tags"].size(), 3U);
    EXPECT_GE(report["coverage"]["unresolved"], 1);
    EXPECT_EQ(report["errors"][0]["scope"], "target");
    EXPECT_EQ(report["errors"][0]["reason"], "cancelled");
    EXPECT_EQ(report["errors"][0]["message"], std::string("interrupted by ") + name);
    EXPECT_THAT(scan.Stderr(),
                HasSubstr(std::string("is partial (cancelled): interrupted by ") + name));
  }
}

TEST_F(Scan, InterruptedBeforeItHasSeenAnythingFails) {
  StallOne(sim::Operation::kTags);
  Subprocess scan(Arguments({}), options_);
  ASSERT_TRUE(Eventually(seconds(30),
                         [this] { return registry_.GetStats().Count(sim::Operation::kTags) > 0; }));
  scan.Signal(SIGINT);
  const auto end = scan.Wait(seconds(5));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 1) << end->ToString();
  const Json report = Json::parse(scan.Stdout());
  EXPECT_EQ(report["error"], "Scan interrupted");
  EXPECT_EQ(report["outcome"], "failed");
}

// The report goes where nobody reads it.
TEST_F(Scan, ASecondInterruptionEndsItAtOnce) {
  registry_.EditCatalog([](sim::Catalog& catalog) {
    catalog = sim::Generate({.repository = "team/app", .tags = 60, .layers_per_tag = 20});
  });
  CountBlobs();
  StallOne(sim::Operation::kBlob);
  const std::string pipe = (directory_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const int reader = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  options_.stdout_file = pipe;
  Subprocess scan(ArgumentsAtFullSpeed(), options_);
  EXPECT_TRUE(Eventually(seconds(60), [this] { return IsStuck(); }));
  scan.Signal(SIGINT);
  EXPECT_TRUE(Eventually(seconds(10), [reader] {
    int waiting = 0;
    return ::ioctl(reader, FIONREAD, &waiting) == 0 && waiting >= 60'000;
  })) << "the report is being printed";
  EXPECT_TRUE(scan.Running());
  scan.Signal(SIGINT);
  const auto end = scan.Wait(seconds(5));
  ::close(reader);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->signal, SIGINT) << end->ToString();
}

TEST_F(Scan, ASignalThatItWasStartedToIgnoreStaysIgnored) {
  StallOne(sim::Operation::kTags);
  std::vector<std::string> argv = {"sh", "-c", "trap '' INT; exec \"$@\"", "sh"};
  const std::vector<std::string> program = Arguments({});
  argv.insert(argv.end(), program.begin(), program.end());
  Subprocess scan(argv, options_);
  ASSERT_TRUE(Eventually(seconds(30),
                         [this] { return registry_.GetStats().Count(sim::Operation::kTags) > 0; }));
  scan.Signal(SIGINT);
  scan.Signal(SIGTERM);
  const auto end = scan.Wait(seconds(5));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 1) << end->ToString();
  EXPECT_EQ(Json::parse(scan.Stdout())["message"], "interrupted by SIGTERM");
}

}  // namespace
}  // namespace registry_backend::testing
