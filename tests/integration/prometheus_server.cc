#include "tests/integration/prometheus_server.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

using nlohmann::json;

std::string ScrapeJob(const std::string& job, const std::string& host) {
  return "- job_name: " + job + "\n  static_configs: [{targets: ['" + host + "']}]\n";
}

PrometheusServer::PrometheusServer(const std::string& scrape_configs, const std::string& rules) {
  std::string config = "global: {scrape_interval: 1s, scrape_timeout: 1s, ";
  config += "evaluation_interval: 1s}\n";
  if (!rules.empty()) {
    WriteFile(directory_ / "rules.yml", rules);
    config += "rule_files: [rules.yml]\n";
  }
  WriteFile(directory_ / "prometheus.yml", config + "scrape_configs:\n" + scrape_configs);
  process_ = WithFreePort([this](std::uint16_t port) {
    port_ = port;
    return StartServer({"prometheus", "--config.file=" + (directory_ / "prometheus.yml").string(),
                        "--storage.tsdb.path=" + (directory_ / "data").string(),
                        "--web.listen-address=127.0.0.1:" + std::to_string(port)},
                       [this](Subprocess&) { return HttpGet(url() + "/-/ready").status == 200; });
  });
}

json PrometheusServer::Query(const std::string& expression) const {
  const HttpAnswer answer = HttpGet(url() + "/api/v1/query?query=" + PercentEncode(expression));
  const json body = json::parse(answer.body, nullptr, false);
  if (answer.status != 200 || body.value("status", "") != "success") {
    throw std::runtime_error("query " + expression + ": " + answer.error + answer.body);
  }
  return body.at("data").at("result");
}

std::optional<double> PrometheusServer::QueryValue(const std::string& expression) const {
  const json result = Query(expression);
  if (result.size() != 1) return std::nullopt;
  return std::stod(result[0].at("value").at(1).get<std::string>());
}

}  // namespace registry_backend::testing
