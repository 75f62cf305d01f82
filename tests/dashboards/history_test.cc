// Whether the scripted week, as a Prometheus has it, is one that dashboards can be tried with: in
// all that they show something happens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/dashboards/history_prometheus.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {
namespace {

// The value at the week's end.
double AtTheEnd(const HistoryPrometheus& prometheus, const std::string& expression) {
  const auto result = prometheus.server()
                          .Api("query?time=" + std::to_string(UnixSeconds(prometheus.end())) +
                               "&query=" + PercentEncode(expression))
                          .at("result");
  EXPECT_EQ(result.size(), 1U) << expression;
  return result.empty() ? -1 : std::stod(result[0].at("value").at(1).get<std::string>());
}

TEST(History, IsAWeekInWhichAllThatDashboardsShowHappens) {
  const HistoryPrometheus prometheus;
  // Of an expression, what it is at the end.
  const std::map<std::string, double> facts = {
      // That it is there as of now as well.
      {"count(registry_backend_target_info offset 15m)", 6},
      {"count(registry_backend_target_info)", 6},
      {"count(count_over_time(up{job=\"registry-backend-exporter\"}[7d]) > 2400)", 1},
      // Hosts that came and went, and one that did both.
      {"sum(increase(registry_backend_endpoint_changes_total{change=\"added\"}[7d]) > bool 0)", 4},
      {"sum(registry_backend_endpoint_changes_total{change=\"added\"})", 4},
      {"sum(registry_backend_endpoint_changes_total{change=\"removed\"})", 3},
      {"count(registry_backend_endpoint_present == 0)", 3},
      {"count(time() - registry_backend_endpoint_changed_timestamp_seconds < 86400)", 2},
      // A roll-out.
      {"min(min_over_time(registry_backend_endpoint_blobs{backend_host=\"cdn.registry.gitlab-"
       "static.net\"}[7d]))",
       2},
      {"count(registry_backend_endpoint_present{backend_host=\"storage.googleapis.com\"} == 0)", 1},
      // What the policies say.
      {"count(registry_backend_endpoint_approved == 0 and registry_backend_endpoint_present == 1)",
       1},
      {"count(registry_backend_endpoint_region_allowed == 0)", 1},
      {"count(registry_backend_approved_host_observed == 0)", 2},
      // Scans that were not complete.
      {"count(max_over_time(registry_backend_scan_outcome{outcome=\"partial\"}[7d]) == 1)", 1},
      {"count(registry_backend_scan_outcome{outcome=\"failed\"} == 1)", 1},
      {"count(registry_backend_scan_error{reason=\"auth\"} == 1)", 1},
      {"count(min_over_time(registry_backend_scan_coverage_ratio[7d]) < 0.9)", 1},
      {"count(time() - registry_backend_scan_last_success_timestamp_seconds > "
       "2 * registry_backend_scan_interval_seconds)",
       1},
      // The exporter itself.
      {"count(count by (version) (last_over_time(registry_backend_exporter_build_info[7d])))", 2},
      {"count(min_over_time(up{job=\"registry-backend-exporter\"}[7d]) == 0)", 1},
      {"min(min_over_time(registry_backend_exporter_config_last_reload_successful[7d]))", 0},
      {"min(min_over_time(registry_backend_exporter_inventory_last_save_successful[7d]))", 0},
      {"count(sum by (reason) (increase(registry_backend_http_retries_total[7d])) > 0)", 3},
      // Probes.
      {"count(probe_success == 0)", 1},
      {"count(min_over_time(probe_success[7d]) == 0)", 2},
      {"count(probe_ssl_last_chain_expiry_timestamp_seconds - time() < 7 * 86400)", 1},
  };
  for (const auto& [expression, expected] : facts) {
    EXPECT_EQ(AtTheEnd(prometheus, expression), expected) << expression;
  }
}

}  // namespace
}  // namespace registry_backend::testing
