#include "tests/integration/exporter_process.h"

#include <sys/resource.h>

#include <csignal>
#include <stdexcept>
#include <utility>

#include "tests/support/eventually.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

namespace {

std::vector<std::string> ServeArguments(const std::string& binary,
                                        const std::filesystem::path& config,
                                        const std::vector<std::string>& arguments) {
  std::vector<std::string> argv = {binary, "serve", "--config.file", config.string()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return argv;
}

}  // namespace

RunResult RunExporter(const std::string& binary, const std::vector<std::string>& arguments,
                      const SubprocessOptions& options) {
  std::vector<std::string> argv = {binary};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  return RunToEnd(argv, options, std::chrono::seconds(60));
}

ExporterProcess::ExporterProcess(const std::string& binary, const std::filesystem::path& config,
                                 const std::vector<std::string>& arguments,
                                 SubprocessOptions options)
    : argv_(ServeArguments(binary, config, arguments)), options_(std::move(options)) {
  process_ = WithFreePort([this](std::uint16_t port) {
    port_ = port;
    return Start();
  });
}

std::unique_ptr<Subprocess> ExporterProcess::Start() const {
  std::vector<std::string> argv = argv_;
  argv.insert(argv.end(), {"--web.listen-address", host()});
  return StartServer(
      argv, [this](Subprocess&) { return HttpGet(url() + "/-/ready").status == 200; }, options_);
}

void ExporterProcess::LimitFiles(std::uint64_t bytes) const {
  const rlimit limit{bytes, RLIM_INFINITY};
  if (prlimit(process_->pid(), RLIMIT_FSIZE, &limit, nullptr) != 0) {
    throw std::runtime_error("prlimit failed");
  }
}

void ExporterProcess::Kill() {
  process_->Signal(SIGKILL);
  if (!process_->Wait(std::chrono::seconds(10))) throw std::runtime_error("SIGKILL had no effect");
}

void ExporterProcess::Restart() {
  Kill();
  process_ = Start();
  if (!process_) throw std::runtime_error(host() + " was taken while the exporter restarted");
}

std::string ExporterProcess::MetricsText() const {
  const HttpAnswer answer = HttpGet(url() + "/metrics");
  if (answer.status != 200) {
    throw std::runtime_error("/metrics: " + std::to_string(answer.status) + answer.error);
  }
  return answer.body;
}

bool ExporterProcess::ScanNow(std::chrono::milliseconds deadline) const {
  double before = 0;
  const bool accepted = Eventually(deadline, [&] {
    before = FinishedScans();
    return HttpPost(url() + "/-/scan").status == 202;
  });
  return accepted && Eventually(deadline, [&] { return FinishedScans() > before; });
}

std::optional<ExitStatus> ExporterProcess::Terminate(std::chrono::milliseconds deadline) {
  process_->Signal(SIGTERM);
  return process_->Wait(deadline);
}

double ExporterProcess::FinishedScans() const {
  double sum = 0;
  for (const Sample& sample : Metrics()) {
    if (sample.name == "registry_backend_scans_total") sum += sample.value;
  }
  return sum;
}

}  // namespace registry_backend::testing
