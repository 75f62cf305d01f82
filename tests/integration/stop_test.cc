// SIGTERM ends `serve` within 5 s, exit status 0 and the inventory saved, wherever a scan is just
// then.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include "exporter/registry/digest.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/hostile_server.h"
#include "tests/simulator/simulator.h"
#include "tests/support/eventually.h"
#include "tests/support/sanitizer.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
namespace fs = std::filesystem;

constexpr char kApi[] = "/v2/team/app/";

// A target that is scanned at once and well, beside one that gets stuck.
class Stop : public ::testing::Test {
 protected:
  static simulator::Options FineOptions() {
    simulator::Options options;
    options.backend = "cdn.example";
    return options;
  }

  // Starts `serve`, waits until the one target's scan is complete and the other stands where it
  // shall, and ends it. `keys` are the stuck target's beside its name.
  using IsStuck = std::function<bool(const ExporterProcess&)>;
  void ExpectQuickEnd(const std::string& keys, const IsStuck& is_stuck,
                      SubprocessOptions options = HermeticOptions()) {
    WriteFile(directory_ / "config.yml",
              "scan: {max_requests_per_second: 0}\ntargets:\n"
              "- {name: fine, registry: \"" +
                  fine_.base_url() + "\", repository: team/app}\n- {name: stuck, " + keys + "}\n");
    ExporterProcess exporter(REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
                             {"--storage.path", (directory_ / "data").string()},
                             std::move(options));
    ASSERT_TRUE(Eventually(seconds(30), [&] {
      return exporter.Metric("registry_backend_scans_total",
                             {{"registry", fine_.authority()}, {"outcome", "complete"}}) >= 1;
    })) << exporter.Output();
    ASSERT_TRUE(Eventually(seconds(60), [&] { return is_stuck(exporter); })) << exporter.Output();
    EndQuickly(exporter);
  }

  // The same where `server` has said, by the answers below, that the point is reached.
  void ExpectQuickEnd(const HostileServer& server) {
    ExpectQuickEnd(Target(server), [this](const ExporterProcess&) { return stuck_->load(); });
  }
  static std::string Target(const HostileServer& server) {
    return "registry: \"" + server.http() + "\", repository: team/app";
  }

  void EndQuickly(ExporterProcess& exporter) const {
    const auto start = std::chrono::steady_clock::now();
    const std::optional<ExitStatus> end = exporter.Terminate(seconds(20));
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(end) << "still running after 20 s\n" << exporter.Output();
    EXPECT_LT(took.count(), 5);
    EXPECT_EQ(end->code, 0) << end->ToString() << exporter.Output();
    ExpectSaved();
  }

  // The fine target's inventory, whole.
  void ExpectSaved() const {
    int states = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory_ / "data")) {
      EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
      if (entry.path().filename() != "state.json") continue;
      const std::string text = ReadFile(entry.path());
      EXPECT_TRUE(json::accept(text)) << entry.path();
      states += text.find("cdn.example") != std::string::npos ? 1 : 0;
    }
    EXPECT_EQ(states, 1);
  }

  // Sends `text`, says that the point is reached, and sends no more.
  [[nodiscard]] HostileServer::Answer StallAfter(std::string text) const {
    return [stuck = stuck_, text](const HostileRequest&, HostilePeer& peer) {
      peer.Send(text);
      stuck->store(true);
      peer.raw().Stall();
    };
  }
  static std::string At(const char* part) { return std::string(kApi) + part; }
  static std::string Digest(int number) { return Sha256Of(std::to_string(number)); }

  // A tag list of `tags` tags and for each the same image of `layers` layers.
  static void ServeImage(HostileServer& server, int tags = 1, int layers = 2) {
    json names = json::array();
    for (int i = 0; i < tags; ++i) names.push_back("v" + std::to_string(i));
    server.On(At("tags/list"), HttpText(200, json{{"tags", names}}.dump()));
    json image = {
        {"schemaVersion", 2},
        {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
        {"config",
         {{"mediaType", "application/vnd.oci.image.config.v1+json"}, {"digest", Digest(0)}}},
        {"layers", json::array()}};
    for (int i = 1; i <= layers; ++i) {
      image["layers"].push_back(
          {{"mediaType", "application/vnd.oci.image.layer.v1.tar"}, {"digest", Digest(i)}});
    }
    server.On(At("manifests/"),
              HttpText(200, image.dump(),
                       "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n"));
    server.On(At("blobs/"), RedirectTo("https://storage.example/b"));
  }

  const TempDir directory_{"stop"};
  const simulator::Simulator fine_{
      FineOptions(),
      simulator::Generate({.repository = "team/app", .tags = 2, .layers_per_tag = 3})};
  // Shared with the servers' threads, which may end later.
  const std::shared_ptr<std::atomic<bool>> stuck_ = std::make_shared<std::atomic<bool>>(false);
};

// A socket whose queue of connections is full: to further ones the kernel does not answer.
class FullListener {
 public:
  FullListener() : listener_(Socket()) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 0) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
    for (int i = 0; i < 4; ++i) {
      clients_.push_back(Socket());
      ::connect(clients_.back(), generic, size);
    }
  }
  ~FullListener() {
    for (const int client : clients_) ::close(client);
    ::close(listener_);
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // Attempts to connect that are under way, by the kernel's table of sockets.
  [[nodiscard]] int Unanswered() const {
    const std::string wanted = fmt::format("0100007F:{:04X} 02", port_);  // SYN_SENT
    const std::string table = ReadFile("/proc/net/tcp");
    int count = 0;
    for (auto at = table.find(wanted); at != std::string::npos; at = table.find(wanted, at + 1)) {
      ++count;
    }
    return count;
  }

 private:
  static int Socket() { return ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

  int listener_;
  std::uint16_t port_ = 0;
  std::vector<int> clients_;
};

TEST_F(Stop, WhileItConnects) {
  const FullListener full;
  const int before = full.Unanswered();
  ExpectQuickEnd("registry: \"" + full.url() + "\", repository: team/app",
                 [&](const ExporterProcess&) { return full.Unanswered() > before; });
}

TEST_F(Stop, InATlsHandshake) {
  const RawServer server([stuck = stuck_](RawConnection& connection) {
    (void)connection.Read(1);
    stuck->store(true);
    connection.Stall();
  });
  ExpectQuickEnd("registry: \"https://" + server.host() + "\", repository: team/app",
                 [this](const ExporterProcess&) { return stuck_->load(); });
}

TEST_F(Stop, BeforeAnAnswerAndWithinIt) {
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"tags\": [";
  for (const char* part : {"tags/list", "manifests/", "blobs/"}) {
    for (const std::string& text :
         {std::string(), whole.substr(0, 12), whole.substr(0, 30), whole}) {
      SCOPED_TRACE(part + text);
      HostileServer server;
      ServeImage(server);
      server.On(At(part), StallAfter(text));
      stuck_->store(false);
      fs::remove_all(directory_ / "data");
      ExpectQuickEnd(server);
    }
  }
}

TEST_F(Stop, WithinAToken) {
  HostileServer server;
  server.On(At("tags/list"), Challenge401("Bearer realm=\"" + server.http() + "/token\""));
  server.On("/token", StallAfter("HTTP/1.1 200 OK\r\n\r\n{"));
  ExpectQuickEnd(server);
}

TEST_F(Stop, WhileItWaitsForARetry) {
  for (const int status : {429, 503}) {
    HostileServer server;
    server.On(At("tags/list"), HttpText(status, "", "Retry-After: 60\r\n"));
    fs::remove_all(directory_ / "data");
    ExpectQuickEnd(Target(server), [&server](const ExporterProcess& exporter) {
      double retries = 0;
      for (const Sample& sample : exporter.Metrics()) {
        const bool own = sample.name == "registry_backend_http_retries_total" &&
                         sample.labels.at("registry") == server.host();
        if (own) retries += sample.value;
      }
      return retries > 0;
    });
  }
}

TEST_F(Stop, WhileItWaitsForItsTurn) {
  HostileServer server;
  ServeImage(server);
  ExpectQuickEnd(Target(server) + ", scan: {max_requests_per_second: 0.01}",
                 [&server](const ExporterProcess& exporter) {
                   return exporter.Metric("registry_backend_http_requests_total",
                                          {{"registry", server.host()}, {"operation", "tags"}}) > 0;
                 });
}

TEST_F(Stop, WhileACredentialHelperHangs) {
  const HostileServer server;
  WriteFile(
      directory_ / "bin/docker-credential-hang",
      "#!/bin/sh\necho $$ > \"" + (directory_ / "helper.pid").string() + "\"\nsleep 1000 & wait\n");
  ASSERT_EQ(::chmod((directory_ / "bin/docker-credential-hang").c_str(), 0700), 0);
  WriteFile(directory_ / "config.json", json{{"credHelpers", {{server.host(), "hang"}}}}.dump());
  SubprocessOptions options = HermeticOptions();
  options.env["PATH"] = (directory_ / "bin").string() + ":" + std::getenv("PATH");
  ExpectQuickEnd(
      Target(server) + ", docker_config_file: config.json",
      [this](const ExporterProcess&) { return fs::exists(directory_ / "helper.pid"); }, options);
  EXPECT_EQ(server.accepted(), 0);
  const int helper = std::stoi(ReadFile(directory_ / "helper.pid"));
  EXPECT_TRUE(Eventually(seconds(5), [&] { return ::kill(helper, 0) != 0 && errno == ESRCH; }));
}

// The largest report there is, of 500,000 rows, which the end waits for.
TEST_F(Stop, WhileALargeReportIsWritten) {
  HostileServer server;
  ServeImage(server, 250, kHasSanitizer ? 200 : 1990);
  const auto is_writing = [this](const ExporterProcess&) {
    for (const auto& entry : fs::recursive_directory_iterator(directory_ / "data")) {
      const std::string name = entry.path().filename().string();
      std::error_code gone;
      if (name.find("report") == std::string::npos || !name.ends_with(".tmp")) continue;
      if (fs::file_size(entry.path(), gone) > 1024 * 1024 && !gone) return true;
    }
    return false;
  };
  ExpectQuickEnd(Target(server), is_writing);
}

}  // namespace
}  // namespace registry_backend::testing
