#include "tests/bench/simulated_registry.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/support/eventually.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

using nlohmann::json;

SimulatedRegistry::SimulatedRegistry(const SimulatedRegistryOptions& options)
    : tls_(options.tls), process_(Command(options)) {
  const std::filesystem::path port_file = dir_ / "port";
  if (!Eventually(std::chrono::seconds(20), [&] { return std::filesystem::exists(port_file); })) {
    throw std::runtime_error("the simulator does not start: " + process_.Stderr());
  }
  std::string port = ReadFile(port_file);
  port.erase(port.find_last_not_of("\r\n ") + 1);
  url_ = (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + port;
}

std::vector<std::string> SimulatedRegistry::Command(const SimulatedRegistryOptions& options) const {
  std::vector<std::string> command = {REGISTRY_SIMULATOR,
                                      "--listen",
                                      "127.0.0.1:0",
                                      "--repository",
                                      kBenchRepository,
                                      "--tags",
                                      std::to_string(options.tags),
                                      "--layers",
                                      std::to_string(options.layers),
                                      "--shared",
                                      std::to_string(options.shared),
                                      "--kinds",
                                      "docker",
                                      "--latency",
                                      "0",
                                      "--port-file",
                                      (dir_ / "port").string()};
  if (options.tls) command.insert(command.end(), {"--tls-ca-out", ca_file().string()});
  return command;
}

void SimulatedRegistry::SetLatency(std::chrono::milliseconds latency) const {
  Control({{"latency_ms", latency.count()}});
}

void SimulatedRegistry::ResetStats() const { Control({{"reset_stats", true}}); }

json SimulatedRegistry::Stats() const {
  return json::parse(HttpGet(url_ + "/-/stats", {.ca_file = tls_ ? ca_file() : ""}).body);
}

void SimulatedRegistry::Control(const json& command) const {
  const HttpAnswer answer = HttpPost(url_ + "/-/control", command.dump(), "application/json",
                                     {.ca_file = tls_ ? ca_file() : ""});
  if (answer.status != 200) {
    throw std::runtime_error("the simulator refuses " + command.dump() + ": " + answer.body);
  }
}

}  // namespace registry_backend::testing
