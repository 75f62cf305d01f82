#include "tests/bench/contest.h"

#include <stdexcept>

#include "tests/support/eventually.h"

namespace registry_backend::testing {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

SimulatedRegistryOptions BehindFront(Protocol protocol, SimulatedRegistryOptions options) {
  options.tls = protocol == Protocol::kHttp11;
  return options;
}

std::string WriteConfig(const Site& site, int wide, const std::filesystem::path& path) {
  WriteFile(path, "scan: {timeout: 5m, max_requests_per_second: 0, max_concurrency: " +
                      std::to_string(wide) + "}\ntargets:\n- registry: " + site.url() +
                      "\n  repository: " + kBenchRepository +
                      "\n  tls_config: {ca_file: " + site.ca_file() + "}\n");
  return path.string();
}

// Every request of a scan as a URL a line. From what the registry was asked, because the report
// does not list configs.
std::string UrlsOf(const Json& stats, const std::string& base) {
  const std::string repository = base + "/v2/" + kBenchRepository;
  std::string urls;
  for (const Json& request : stats.at("requests")) {
    const auto operation = request.at("operation").get<std::string>();
    const std::string path =
        operation == "tags" ? "/tags/list"
                            : "/" + operation + "s/" + request.at("reference").get<std::string>();
    for (int i = 0; i < request.at("count").get<int>(); ++i) urls += repository + path + "\n";
  }
  return urls;
}

}  // namespace

const char* ProtocolName(Protocol protocol) {
  return protocol == Protocol::kHttp11 ? "HTTP/1.1" : "HTTP/2";
}

Site::Site(Protocol protocol, SimulatedRegistryOptions options)
    : registry_(BehindFront(protocol, options)) {
  if (protocol == Protocol::kHttp2) front_ = std::make_unique<Http2Front>(registry_.host());
}

void Site::CheckHttp2(const Http2Front::Served& before, int requests) const {
  // nginx logs a request after its answer, perhaps after the program that asked has ended.
  const bool all =
      Eventually(2s, [&] { return front_->Count().over_http2 - before.over_http2 == requests; });
  if (!all || front_->Count().requests - before.requests != requests) {
    throw std::runtime_error("not every request came over HTTP/2");
  }
}

double Asked(const Json& stats, std::string_view operation, int status) {
  double count = 0;
  for (const Json& request : stats.at("requests")) {
    if (request.at("operation") != operation) continue;
    if (status != 0 && (request.at("status") != status || request.at("method") != "GET")) continue;
    count += request.at("count").get<double>();
  }
  return count;
}

Contest::Contest(const ContestOptions& options)
    : options_(options),
      site_(options.protocol, options.repository),
      config_(WriteConfig(site_, options.wide, dir_ / "config.yml")) {
  const Json stats = site_.Count([&] { (void)CostOf(scan_command()); });
  WriteFile(dir_ / "urls", UrlsOf(stats, site_.url()));
  site_.registry().SetLatency(options_.latency);
}

std::vector<std::string> Contest::scan_command() const {
  return {REGISTRY_BACKEND_EXPORTER, "scan", "--config.file", config_};
}

std::vector<std::string> Contest::bare_command() const {
  return {BARE_LOOP, (dir_ / "urls").string(), site_.ca_file(), std::to_string(options_.wide)};
}

double Contest::IdealSeconds(double requests) const {
  return requests * std::chrono::duration<double>(options_.latency).count() / options_.wide;
}

Cost Contest::Measure(const std::vector<std::string>& command) const {
  Cost cost;
  const Json stats = site_.Count([&] { cost = CostOf(command); });
  cost.requests = stats.at("total").get<double>();
  return cost;
}

void Rivals::Run(const Contest& contest) {
  bare.push_back(contest.BareLoop());
  scan.push_back(contest.Scan());
  if (bare.back().requests != scan.back().requests) {
    throw std::runtime_error("the bare loop asked for something else than the scan");
  }
}

std::vector<double> Rivals::CpuRatios() const {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < scan.size(); ++i) ratios.push_back(scan[i].cpu_s / bare[i].cpu_s);
  return ratios;
}

}  // namespace registry_backend::testing
