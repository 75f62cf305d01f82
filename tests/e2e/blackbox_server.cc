#include "tests/e2e/blackbox_server.h"

#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {

BlackboxServer::BlackboxServer(const std::string& config) {
  WriteFile(directory_ / "blackbox.yml", config);
  process_ = WithFreePort([this](std::uint16_t port) {
    port_ = port;
    return StartServer(
        {"prometheus-blackbox-exporter", "--config.file=" + (directory_ / "blackbox.yml").string(),
         "--web.listen-address=" + host()},
        [this](Subprocess&) { return HttpGet("http://" + host() + "/-/healthy").status == 200; });
  });
}

}  // namespace registry_backend::testing
