#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "tests/integration/exporter_process.h"
#include "tests/integration/server_process.h"
#include "tests/simulator/simulator.h"
#include "tests/support/free_port.h"
#include "tests/support/temp_dir.h"

// The allowlist for squid, in the squid that Debian packages.
namespace registry_backend::testing {
namespace {

namespace fs = std::filesystem;
namespace sim = simulator;

constexpr const char* kSquid = "/usr/sbin/squid";

class SquidAllowlistTest : public ::testing::Test {
 protected:
  SquidAllowlistTest() {
    sim::Options options;
    options.backend = "storage.example:8080";
    registry_ = std::make_unique<sim::Simulator>(
        options, sim::Generate({.repository = "team/app", .tags = 1, .layers_per_tag = 2}));
    // squid reads as a user of its own.
    fs::permissions(dir_.path(), fs::perms(0755));
  }

  // The list of the registry, whose own host is an address and whose backend is a name.
  void MakeList() {
    const RunResult scan =
        RunExporter(REGISTRY_BACKEND_EXPORTER,
                    {"scan", "--registry", registry_->base_url(), "--repository", "team/app"});
    ASSERT_EQ(scan.exit_code, 0) << scan.err;
    WriteFile(dir_ / "report.json", scan.out);
    const RunResult list = RunExporter(
        REGISTRY_BACKEND_EXPORTER,
        {"allowlist", "--format", "squid", "--report", (dir_ / "report.json").string()});
    ASSERT_EQ(list.exit_code, 0) << list.err;
    WriteFile(dir_ / "list.conf", list.out);
  }

  // A squid that allows what is on the list. Nothing listens where names lead to, but at rebound's.
  void Start() {
    WriteFile(dir_ / "hosts",
              "127.0.0.2 storage.example sub.storage.example evil.example\n"
              "127.0.0.1 rebound.example\n");
    squid_ = WithFreePort([this](std::uint16_t port) {
      port_ = port;
      WriteFile(dir_ / "squid.conf", "http_port 127.0.0.1:" + std::to_string(port) +
                                         "\npid_filename none\ncache_log /dev/null\n"
                                         "access_log none\nnetdb_filename none\n"
                                         "dns_nameservers 127.0.0.1\nshutdown_lifetime 0 seconds\n"
                                         "hosts_file " +
                                         (dir_ / "hosts").string() + "\ninclude " +
                                         (dir_ / "list.conf").string() +
                                         "\nhttp_access allow registry_backend_hosts\n"
                                         "http_access allow registry_backend_addresses\n"
                                         "http_access deny all\n");
      return StartServer({kSquid, "-N", "-d", "1", "-f", (dir_ / "squid.conf").string()},
                         [](Subprocess& squid) {
                           return squid.Stderr().find("Accepting HTTP") != std::string::npos;
                         });
    });
  }

  // The status of a request through it.
  [[nodiscard]] std::string StatusOf(const std::string& url) const {
    return RunToEnd({"curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-x",
                     "http://127.0.0.1:" + std::to_string(port_), url},
                    HermeticOptions())
        .out;
  }

  std::unique_ptr<sim::Simulator> registry_;
  const TempDir dir_{"squid"};
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> squid_;
};

TEST_F(SquidAllowlistTest, Parses) {
  MakeList();
  const auto parse = [this] {
    return RunToEnd({kSquid, "-k", "parse", "-f", (dir_ / "list.conf").string()},
                    HermeticOptions());
  };
  const RunResult good = parse();
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_EQ(good.err.find("WARNING"), std::string::npos) << good.err;
  WriteFile(dir_ / "list.conf", "acl registry_backend_hosts dstdomains storage.example\n");
  EXPECT_NE(parse().exit_code, 0) << "squid tells when it does not";
}

TEST_F(SquidAllowlistTest, LetsThroughWhatAPullNeedsAndNothingElse) {
  MakeList();
  Start();
  EXPECT_EQ(StatusOf(registry_->base_url() + "/v2/"), "200");
  EXPECT_EQ(StatusOf("http://storage.example:1/"), "503") << "allowed, but nothing listens there";
  EXPECT_EQ(StatusOf("http://sub.storage.example:1/"), "403");
  EXPECT_EQ(StatusOf("http://evil.example:1/"), "403");
  EXPECT_EQ(StatusOf("http://127.0.0.2:1/"), "403");
  EXPECT_EQ(StatusOf("http://rebound.example:" + std::to_string(registry_->port()) + "/v2/"), "403")
      << "a name is not allowed because of where it leads to";
}

}  // namespace
}  // namespace registry_backend::testing
