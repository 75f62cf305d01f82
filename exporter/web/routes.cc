#include "exporter/web/routes.h"

#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "exporter/metrics/process.h"
#include "exporter/web/answers.h"
#include "exporter/web/api.h"
#include "exporter/web/drill_route.h"
#include "exporter/web/metrics_page.h"
#include "exporter/web/shared_answer.h"
#include "exporter/web/status_page.h"

namespace registry_backend {
namespace {

using Families = std::vector<prometheus::MetricFamily>;

Families Joined(Families families, Families more) {
  families.insert(families.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
  return families;
}

Families OfSnapshot(const Snapshot& snapshot) {
  return Joined(TargetFamilies(snapshot), StorageFamilies(snapshot));
}

Families OfProcess(const BuildInfo& build, const HttpMetrics& http,
                   const ConfigurationAccess& configuration) {
  Families families = {BuildInfoFamily(build)};
  if (configuration.state) families = Joined(families, ReloadFamilies(configuration.state()));
  return Joined(Joined(std::move(families), http.Collect()), ProcessFamilies());
}

server::Response Metrics(const server::Request& request, MetricsPage& page) {
  const ExpositionFormat format = NegotiateFormat(request.Field("accept"));
  server::Response response;
  response.content_type = ContentType(format);
  response.body = page.Text(format);
  response.fields.emplace_back("Vary", "Accept");
  return response;
}

// Whether a browser sent the request for another site's page: such a page must not be able to make
// its reader's exporter act. A reverse proxy may have put another Host in.
bool IsForeign(const server::Request& request, std::string_view external_host) {
  const std::string_view site = request.Field("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  const std::string_view origin = request.Field("origin");
  if (origin.empty()) return false;
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return true;
  const std::string_view host = origin.substr(scheme + 3);
  return host != request.Field("host") && (external_host.empty() || host != external_host);
}

// Wraps a route that makes the exporter act.
server::Route Lifecycle(const WebOptions& options, server::Route route) {
  return [enabled = options.enable_lifecycle, external_host = options.external_host,
          route = std::move(route)](const server::Request& request) {
    if (!enabled) {
      return JsonError(403, "lifecycle calls are off; start with --web.enable-lifecycle");
    }
    if (IsForeign(request, external_host)) {
      return JsonError(403, "a request from another site is refused");
    }
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
      return UnknownTarget(target);
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

Result<server::Router> MakeRouter(const WebOptions& options, const BuildInfo& build,
                                  Monitor& monitor, const HttpMetrics& http,
                                  const ConfigurationAccess& configuration) {
  server::Router router;
  router.AddUnlimited("GET", "/-/healthy", [](const server::Request&) {
    return server::Response::Text(200, "Healthy");
  });
  router.AddUnlimited("GET", "/-/ready",
                      [](const server::Request&) { return server::Response::Text(200, "Ready"); });
  router.Add("POST", "/-/scan", Lifecycle(options, [&monitor](const server::Request& request) {
               return Scan(request, monitor);
             }));
  router.Add("POST", "/-/drill", Lifecycle(options, [&monitor](const server::Request& request) {
               return AnswerDrill(request, monitor);
             }));
  if (configuration.reload) {
    router.Add("GET", "/config",
               [configuration](const server::Request&) { return Config(configuration); });
    // Those who wait for a reload that hangs keep nobody from the page and the API.
    router.AddUnlimited("POST", "/-/reload",
                        Lifecycle(options, [configuration](const server::Request&) {
                          return Reload(configuration);
                        }));
  }
  AddApi(router, monitor);
  if (options.telemetry_path != "/") {
    const auto page = std::make_shared<SharedAnswer>([options, build, &monitor] {
      return StatusPage(*monitor.Current(), build, options, WallClock::now());
    });
    router.Add("GET", "/", [page](const server::Request&) { return page->Get(); });
  }
  if (router.Has(options.telemetry_path)) {
    return Error{ErrorKind::kInternal, "--web.telemetry-path: " + options.telemetry_path +
                                           " is the path of something else"};
  }
  const auto page = std::make_shared<MetricsPage>(MetricsPage::Sources{
      .current = [&monitor] { return monitor.Current(); },
      .describe = OfSnapshot,
      .collect = [build, &http, configuration] { return OfProcess(build, http, configuration); }});
  router.AddUnlimited("GET", options.telemetry_path,
                      [page](const server::Request& request) { return Metrics(request, *page); });
  return router;
}

}  // namespace registry_backend
