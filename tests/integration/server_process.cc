#include "tests/integration/server_process.h"

#include <stdexcept>

#include "tests/support/eventually.h"

namespace registry_backend::testing {
namespace {

// The spelling of strerror(EADDRINUSE) is "Address already in use", Go's begins in lower case;
// tinyproxy names no reason.
bool PortWasTaken(const std::string& output) {
  return output.find("ddress already in use") != std::string::npos ||
         output.find("Could not create listening sockets") != std::string::npos;
}

}  // namespace

SubprocessOptions HermeticOptions() {
  return {.unset_env = {"AWS_CA_BUNDLE", "DOCKER_CONFIG", "REGISTRY_USERNAME", "REGISTRY_PASSWORD",
                        "REGISTRY_TOKEN", "REGISTRY_AUTH_FILE", "HTTP_PROXY", "HTTPS_PROXY",
                        "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy",
                        "no_proxy"}};
}

std::unique_ptr<Subprocess> StartServer(const std::vector<std::string>& argv,
                                        const std::function<bool(Subprocess&)>& ready,
                                        const SubprocessOptions& options,
                                        std::chrono::milliseconds deadline) {
  auto server = std::make_unique<Subprocess>(argv, options);
  bool is_ready = false;
  (void)Eventually(deadline, [&] {
    if (!server->Running()) return true;
    is_ready = ready(*server);
    return is_ready;
  });
  if (is_ready && server->Running()) return server;
  const bool running = server->Running();
  const std::string output = server->Stdout() + server->Stderr();
  if (!running && PortWasTaken(output)) return nullptr;
  throw std::runtime_error(argv[0] + (running ? " is not ready" : " has ended") + ":\n" + output);
}

}  // namespace registry_backend::testing
