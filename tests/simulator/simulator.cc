#include "tests/simulator/simulator.h"

#include <utility>

#include "tests/simulator/answers.h"
#include "tests/simulator/control.h"
#include "tests/simulator/http_server.h"
#include "tests/simulator/registry.h"

namespace registry_backend::simulator {

class Simulator::Impl {
 public:
  Impl(Simulator& simulator, Options options, Catalog catalog)
      : simulator_(simulator),
        host_(options.host),
        scheme_(options.tls ? "https" : "http"),
        registry(options, std::move(catalog)),
        server(ServerOptions(std::move(options)),
               [this](const HttpRequest& request) { return Answer(request); }) {}

  std::string Authority() const {
    const bool v6 = host_.find(':') != std::string::npos;
    return (v6 ? "[" + host_ + "]" : host_) + ":" + std::to_string(server.port());
  }
  std::string BaseUrl() const { return scheme_ + "://" + Authority(); }

  Stats GetStats() const {
    Stats stats = registry.log().Get();
    stats.connections = server.accepted();
    stats.open_connections = server.open();
    return stats;
  }

 private:
  static HttpServer::Options ServerOptions(Options options) {
    HttpServer::Options server_options;
    server_options.host = std::move(options.host);
    server_options.port = options.port;
    server_options.threads = options.threads;
    server_options.tls = std::move(options.tls);
    return server_options;
  }

  HttpAnswer Answer(const HttpRequest& request) {
    if (request.path == "/-/stats" && request.method == "GET") {
      return JsonAnswer(200, StatsJson(GetStats()));
    }
    if (request.path != "/-/control") return registry.Answer(request);
    if (request.method != "POST") return JsonAnswer(405, ControlErrorJson("POST only"));
    try {
      // All is read before anything is changed.
      for (const Command& command : ParseControl(request.body)) command(simulator_);
      return JsonAnswer(200, R"({"ok":true})");
    } catch (const ControlError& error) {
      return JsonAnswer(400, ControlErrorJson(error.what()));
    }
  }

  Simulator& simulator_;
  const std::string host_;
  const std::string scheme_;

 public:
  Registry registry;
  HttpServer server;  // last: its threads use all of the above
};

Simulator::Simulator(Options options, Catalog catalog)
    : impl_(std::make_unique<Impl>(*this, std::move(options), std::move(catalog))) {
  impl_->server.Start();
}
Simulator::~Simulator() = default;

void Simulator::Stop() { impl_->server.Stop(); }
int Simulator::port() const { return impl_->server.port(); }
std::string Simulator::authority() const { return impl_->Authority(); }
std::string Simulator::base_url() const { return impl_->BaseUrl(); }

void Simulator::SetBackend(std::string host) { impl_->registry.SetBackend(std::move(host)); }
void Simulator::SetBackendRules(std::vector<BackendRule> rules) {
  impl_->registry.SetBackendRules(std::move(rules));
}
void Simulator::AddFault(Fault fault) { impl_->registry.AddFault(std::move(fault)); }
void Simulator::ClearFaults() { impl_->registry.ClearFaults(); }
void Simulator::SetLatency(std::chrono::milliseconds latency) {
  impl_->registry.SetLatency(latency);
}
void Simulator::SetPassword(std::string password) {
  impl_->registry.SetPassword(std::move(password));
}
void Simulator::RevokeTokens() { impl_->registry.RevokeTokens(); }
void Simulator::SetPageSize(std::size_t page_size) { impl_->registry.SetPageSize(page_size); }
void Simulator::SetOwnHostHops(int hops) { impl_->registry.SetOwnHostHops(hops); }
void Simulator::EditCatalog(const std::function<void(Catalog&)>& edit) {
  impl_->registry.EditCatalog(edit);
}

Stats Simulator::GetStats() const { return impl_->GetStats(); }
void Simulator::ResetStats() { impl_->registry.log().Reset(); }

}  // namespace registry_backend::simulator
