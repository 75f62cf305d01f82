#include "exporter/web/routes.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "exporter/metrics/exposition.h"
#include "exporter/metrics/process.h"
#include "exporter/web/answers.h"
#include "exporter/web/api.h"
#include "exporter/web/status_page.h"

namespace registry_backend {
namespace {

server::Response Metrics(const server::Request& request, const BuildInfo& build,
                         const Monitor& monitor, const HttpMetrics& http,
                         const ConfigurationAccess& configuration) {
  const std::shared_ptr<const Snapshot> snapshot = monitor.Current();
  std::vector<prometheus::MetricFamily> families = TargetFamilies(*snapshot);
  families.push_back(BuildInfoFamily(build));
  if (configuration.state) {
    for (auto& family : ReloadFamilies(configuration.state()))
      families.push_back(std::move(family));
  }
  for (auto&& more : {StorageFamilies(*snapshot), http.Collect(), ProcessFamilies()}) {
    families.insert(families.end(), more.begin(), more.end());
  }
  const ExpositionFormat format = NegotiateFormat(request.Field("accept"));
  server::Response response;
  response.content_type = ContentType(format);
  response.body = std::make_shared<const std::string>(WriteExposition(families, format));
  return response;
}

// Whether a browser sent the request for another site's page: such a page must not be able to make
// its reader's exporter act.
bool IsForeign(const server::Request& request) {
  const std::string_view site = request.Field("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  const std::string_view origin = request.Field("origin");
  if (origin.empty()) return false;
  const std::size_t scheme = origin.find("://");
  return scheme == std::string_view::npos || origin.substr(scheme + 3) != request.Field("host");
}

// Wraps a route that makes the exporter act.
server::Route Lifecycle(const WebOptions& options, server::Route route) {
  return [enabled = options.enable_lifecycle,
          route = std::move(route)](const server::Request& request) {
    if (!enabled) {
      return JsonError(403, "lifecycle calls are off; start with --web.enable-lifecycle");
    }
    if (IsForeign(request)) return JsonError(403, "a request from another site is refused");
    return route(request);
  };
}

server::Response Scan(const server::Request& request, Monitor& monitor) {
  const std::string_view target = request.Parameter("target");
  switch (monitor.RequestScan(target)) {
    case Monitor::ScanRequest::kAccepted:
      return JsonSuccess(202, "scan started");
    case Monitor::ScanRequest::kAlreadyScanning:
      return JsonError(409, "a scan is under way");
    case Monitor::ScanRequest::kUnknownTarget:
      return JsonError(404, "there is no target '" + std::string(target.substr(0, 200)) + "'");
  }
  return JsonError(500, "internal error");
}

server::Response Reload(const ConfigurationAccess& configuration) {
  const Status status = configuration.reload();
  if (!status) return JsonError(500, status.error().message);
  return JsonSuccess(200, "configuration reloaded");
}

server::Response Config(const ConfigurationAccess& configuration) {
  server::Response response;
  response.content_type = "text/yaml; charset=utf-8";
  response.body = std::make_shared<const std::string>(configuration.text());
  return response;
}

}  // namespace

server::Router MakeRouter(const WebOptions& options, const BuildInfo& build, Monitor& monitor,
                          const HttpMetrics& http, const ConfigurationAccess& configuration) {
  server::Router router;
  router.Add("GET", options.telemetry_path,
             [build, &monitor, &http, configuration](const server::Request& request) {
               return Metrics(request, build, monitor, http, configuration);
             });
  router.Add("GET", "/-/healthy",
             [](const server::Request&) { return server::Response::Text(200, "Healthy"); });
  router.Add("GET", "/-/ready",
             [](const server::Request&) { return server::Response::Text(200, "Ready"); });
  router.Add("POST", "/-/scan", Lifecycle(options, [&monitor](const server::Request& request) {
               return Scan(request, monitor);
             }));
  if (configuration.reload) {
    router.Add("GET", "/config",
               [configuration](const server::Request&) { return Config(configuration); });
    router.Add("POST", "/-/reload", Lifecycle(options, [configuration](const server::Request&) {
                 return Reload(configuration);
               }));
  }
  AddApi(router, monitor);
  if (options.telemetry_path != "/") {
    router.Add("GET", "/", [options, build, &monitor](const server::Request&) {
      return StatusPage(*monitor.Current(), build, options, WallClock::now());
    });
  }
  return router;
}

}  // namespace registry_backend
