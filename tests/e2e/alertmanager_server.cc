#include "tests/e2e/alertmanager_server.h"

#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

AlertmanagerServer::AlertmanagerServer(const std::string& config) {
  WriteFile(directory_ / "alertmanager.yml", config);
  process_ = WithFreePort([this](std::uint16_t port) {
    port_ = port;
    return StartServer(
        {"prometheus-alertmanager", "--config.file=" + (directory_ / "alertmanager.yml").string(),
         "--storage.path=" + (directory_ / "data").string(), "--web.listen-address=" + host(),
         "--cluster.listen-address="},
        [this](Subprocess&) { return HttpGet(url() + "/-/ready").status == 200; });
  });
}

}  // namespace registry_backend::testing
