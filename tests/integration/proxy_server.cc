#include "tests/integration/proxy_server.h"

#include <regex>
#include <sstream>
#include <utility>

#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"

namespace registry_backend::testing {
namespace {

// The first group of `pattern` in each line of the log that has it.
std::vector<std::string> FindInLines(const std::string& log, const std::regex& pattern) {
  std::vector<std::string> found;
  std::istringstream lines(log);
  std::smatch match;
  for (std::string line; std::getline(lines, line);) {
    if (std::regex_search(line, match, pattern)) found.push_back(match[1]);
  }
  return found;
}

}  // namespace

ProxyServer::ProxyServer(ProxyServerOptions options) : options_(std::move(options)) {
  WriteFile(directory_ / "log", "");
  process_ = WithFreePort([this](std::uint16_t port) {
    port_ = port;
    return Start(port);
  });
}

std::unique_ptr<Subprocess> ProxyServer::Start(std::uint16_t port) const {
  std::string configuration = "Port " + std::to_string(port) +
                              "\nListen 127.0.0.1\nMaxClients 50\nTimeout 60\nLogFile \"" +
                              (directory_ / "log").string() + "\"\nLogLevel Connect\n";
  if (!options_.username.empty()) {
    configuration += "BasicAuth " + options_.username + " " + options_.password + "\n";
  }
  const auto config = directory_ / "tinyproxy.conf";
  WriteFile(config, configuration);
  // It listens before it opens its log. Asking it would leave a request there.
  return StartServer({"tinyproxy", "-d", "-c", config.string()},
                     [this](Subprocess&) { return !Log().empty(); });
}

std::string ProxyServer::url_with_credentials() const {
  return "http://" + options_.username + ":" + options_.password + "@" + host();
}

std::vector<std::string> ProxyServer::Requests() const {
  static const std::regex kRequest(R"(Request \(file descriptor \d+\): (.*) HTTP/1\.[01]$)");
  return FindInLines(Log(), kRequest);
}

std::vector<std::string> ProxyServer::Connections() const {
  static const std::regex kConnection(R"re(Established connection to host "(.*)" using)re");
  return FindInLines(Log(), kConnection);
}

}  // namespace registry_backend::testing
