#include <chrono>
#include <cstdio>
#include <memory>
#include <regex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/stored_inventory.h"
#include "tests/integration/exposition.h"
#include "tests/integration/self_signed.h"
#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

// What a scrape of the exporter takes, beside the packaged exporters, asked by the same programs in
// the same run: by wrk on one connection that is kept, as one Prometheus does, and by wrk and hey
// on eight. Each row is a fresh server.
namespace registry_backend {
namespace {

using namespace std::chrono_literals;
using testing::Subprocess;
using testing::TempDir;

constexpr double kMiB = 1024 * 1024;
constexpr int kEndpoints = 40;  // of each target but the first

enum class Over { kPlain, kGzip, kTls };

struct ServerKind {
  std::string name = {};
  int targets = 0;  // 0: none of this exporter
  std::vector<std::string> argv = {};
};

class Server {
 public:
  Server(const ServerKind& kind, Over over) : over_(over) {
    std::vector<std::string> argv = kind.argv;
    if (kind.targets > 0) {
      testing::WriteFile(dir_ / "config.yml", testing::StoredTargetsConfig(kind.targets));
      testing::FillStorage(dir_ / "data", kind.targets, kind.targets == 1 ? 3 : kEndpoints);
      argv.insert(argv.end(), {"--config.file", (dir_ / "config.yml").string(), "--storage.path",
                               (dir_ / "data").string()});
    }
    if (over == Over::kTls) {
      files_ = testing::MakeSelfSigned(dir_ / "tls");
      testing::WriteFile(dir_ / "web.yml",
                         "tls_server_config: {cert_file: " + files_.certificate.string() +
                             ", key_file: " + files_.key.string() + "}\n" +
                             "http_server_config: {http2: false}\n");
      argv.push_back("--web.config.file=" + (dir_ / "web.yml").string());
    }
    process_ = testing::WithFreePort([&](std::uint16_t port) {
      url_ = (over == Over::kTls ? "https://127.0.0.1:" : "http://127.0.0.1:") +
             std::to_string(port) + "/metrics";
      std::vector<std::string> all = argv;
      all.push_back("--web.listen-address=127.0.0.1:" + std::to_string(port));
      return testing::StartServer(all, [this](Subprocess&) { return Scrape().status == 200; });
    });
  }

  [[nodiscard]] testing::HttpAnswer Scrape() const {
    return testing::HttpGet(url_, {.ca_file = files_.certificate});
  }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] Over over() const { return over_; }

  // Bytes, of /proc/PID/status.
  [[nodiscard]] double Memory(const std::string& key) const {
    const std::string status =
        testing::ReadFile("/proc/" + std::to_string(process_->pid()) + "/status");
    return std::stod(status.substr(status.find(key + ":") + key.size() + 1)) * 1024;
  }

 private:
  const Over over_;
  const TempDir dir_{"scrape-bench"};
  testing::CertificateFiles files_;
  std::string url_;
  std::unique_ptr<Subprocess> process_;
};

struct Figures {
  double per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
};

double First(const std::string& text, const std::string& pattern) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex(pattern))) {
    throw std::runtime_error("no '" + pattern + "' in: " + text);
  }
  double value = std::stod(match[1]);
  if (match.size() > 2 && match[2] == "us") value /= 1000;
  if (match.size() > 2 && match[2] == "s") value *= 1000;
  return value;
}

std::string Output(const std::vector<std::string>& argv) {
  const testing::RunResult run = testing::RunToEnd(argv, testing::HermeticOptions(), 60s);
  if (run.exit_code != 0) throw std::runtime_error(argv[0] + ": " + run.out + run.err);
  return run.out;
}

Figures Wrk(const Server& server, const char* connections, const std::string& seconds) {
  std::vector<std::string> argv = {"wrk", "--latency", "-t", "1",
                                   "-c",  connections, "-d", seconds + "s"};
  if (server.over() == Over::kGzip) argv.insert(argv.end(), {"-H", "Accept-Encoding: gzip"});
  argv.push_back(server.url());
  const std::string out = Output(argv);
  if (out.find("Non-2xx") != std::string::npos || out.find("Socket errors") != std::string::npos) {
    throw std::runtime_error("wrk met errors: " + out);
  }
  return {.per_second = First(out, "Requests/sec: +([0-9.]+)"),
          .p50_ms = First(out, "50% +([0-9.]+)(us|ms|s)"),
          .p99_ms = First(out, "99% +([0-9.]+)(us|ms|s)")};
}

Figures Hey(const Server& server, const char* connections, const std::string& seconds) {
  std::vector<std::string> argv = {"hey", "-c", connections, "-z", seconds + "s"};
  if (server.over() == Over::kGzip) {
    argv.insert(argv.end(), {"-H", "Accept-Encoding: gzip"});
  } else {
    argv.emplace_back("-disable-compression");
  }
  argv.push_back(server.url());
  const std::string out = Output(argv);
  if (out.find("Error distribution") != std::string::npos ||
      out.find("[200]") == std::string::npos) {
    throw std::runtime_error("hey met errors: " + out);
  }
  return {.per_second = First(out, "Requests/sec:\\s+([0-9.]+)"),
          .p50_ms = First(out, "50% in ([0-9.]+) (s)"),
          .p99_ms = First(out, "99% in ([0-9.]+) (s)")};
}

const char* Name(Over over) {
  switch (over) {
    case Over::kPlain:
      return "plain";
    case Over::kGzip:
      return "gzip";
    case Over::kTls:
      return "TLS";
  }
  return "";
}

void Measure(const ServerKind& kind, Over over, const std::string& seconds) {
  struct Asker {
    const char* name;
    const char* connections;
    Figures (*ask)(const Server&, const char*, const std::string&);
  };
  for (const auto& [asker, connections, ask] :
       {Asker{"wrk", "1", Wrk}, Asker{"wrk", "8", Wrk}, Asker{"hey", "8", Hey}}) {
    const Server server(kind, over);
    const testing::HttpAnswer answer = server.Scrape();
    const std::size_t series = testing::ParseExposition(answer.body).size();
    const double before = server.Memory("VmRSS");
    const Figures figures = ask(server, connections, seconds);
    std::printf("| %s | %zu | %.0f | %s | %s | %s | %.0f | %.2f | %.2f | %.1f | %.1f |\n",
                kind.name.c_str(), series, static_cast<double>(answer.body.size()) / 1024,
                Name(over), asker, connections, figures.per_second, figures.p50_ms, figures.p99_ms,
                before / kMiB, server.Memory("VmHWM") / kMiB);
    std::fflush(stdout);
  }
}

std::vector<ServerKind> Servers() {
  const auto ours = [](int targets) {
    return ServerKind{.name = "this exporter",
                      .targets = targets,
                      .argv = {REGISTRY_BACKEND_EXPORTER, "serve", "--log.level", "error"}};
  };
  return {ours(1),
          ours(17),
          ours(168),
          {.name = "node_exporter", .argv = {"prometheus-node-exporter"}},
          {.name = "blackbox_exporter",
           .argv = {"prometheus-blackbox-exporter", "--config.file=" REGISTRY_BACKEND_SOURCE_DIR
                                                    "/deploy/prometheus/blackbox.yml"}}};
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  using registry_backend::Over;
  try {
    const std::string seconds = argc == 2 ? argv[1] : "5";
    std::printf(
        "| server | series | KiB | over | asked by | at a time | requests/s | p50 ms | p99 ms | "
        "MiB before | most |\n|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (const auto& server : registry_backend::Servers()) {
      for (const Over over : {Over::kPlain, Over::kGzip, Over::kTls}) {
        registry_backend::Measure(server, over, seconds);
      }
    }
    return 0;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "scrape_bench: %s\n", fault.what());
    return 1;
  }
}
