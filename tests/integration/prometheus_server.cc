#include "tests/integration/prometheus_server.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/integration/exposition.h"
#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

using nlohmann::json;

std::string ScrapeJob(const std::string& job, const std::string& host) {
  return "- job_name: " + job + "\n  static_configs: [{targets: ['" + host + "']}]\n";
}

PrometheusServer::PrometheusServer(const std::string& scrape_configs, const std::string& rules,
                                   const std::string& alertmanager,
                                   const std::function<void(const std::filesystem::path&)>& fill) {
  std::string config = "global: {scrape_interval: 1s, scrape_timeout: 1s, ";
  config += "evaluation_interval: 1s}\n";
  if (!rules.empty()) {
    WriteFile(directory_ / "rules.yml", rules);
    config += "rule_files: [rules.yml]\n";
  }
  if (!alertmanager.empty()) {
    config +=
        "alerting: {alertmanagers: [{static_configs: [{targets: ['" + alertmanager + "']}]}]}\n";
  }
  WriteFile(directory_ / "prometheus.yml",
            config + "scrape_configs:" + (scrape_configs.empty() ? " []" : "\n" + scrape_configs));
  if (fill) fill(directory_ / "data");
  const auto ready = [this, &alertmanager](Subprocess&) {
    if (HttpGet(url() + "/-/ready").status != 200) return false;
    return alertmanager.empty() || !Api("alertmanagers").at("activeAlertmanagers").empty();
  };
  process_ = WithFreePort([&](std::uint16_t port) {
    port_ = port;
    return StartServer({"prometheus", "--config.file=" + (directory_ / "prometheus.yml").string(),
                        "--storage.tsdb.path=" + (directory_ / "data").string(),
                        "--web.listen-address=127.0.0.1:" + std::to_string(port)},
                       ready);
  });
}

json PrometheusServer::Api(const std::string& path_and_query) const {
  const HttpAnswer answer = HttpGet(url() + "/api/v1/" + path_and_query);
  const json body = json::parse(answer.body, nullptr, false);
  if (answer.status != 200 || body.value("status", "") != "success") {
    throw std::runtime_error(path_and_query + ": " + answer.error + answer.body);
  }
  return body.at("data");
}

json PrometheusServer::Query(const std::string& expression) const {
  return Api("query?query=" + PercentEncode(expression)).at("result");
}

std::optional<double> PrometheusServer::QueryValue(const std::string& expression) const {
  const json result = Query(expression);
  if (result.size() != 1) return std::nullopt;
  return std::stod(result[0].at("value").at(1).get<std::string>());
}

double PrometheusServer::RuleEvaluations() const {
  double sum = 0;
  for (const Sample& sample : ParseExposition(HttpGet(url() + "/metrics").body)) {
    if (sample.name == "prometheus_rule_group_iterations_total") sum += sample.value;
  }
  return sum;
}

}  // namespace registry_backend::testing
