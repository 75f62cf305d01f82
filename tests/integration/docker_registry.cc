#include "tests/integration/docker_registry.h"

#include <stdexcept>
#include <utility>

#include "tests/integration/server_process.h"
#include "tests/support/free_port.h"

namespace registry_backend::testing {
namespace {

void WriteHtpasswd(const std::filesystem::path& path, const std::string& username,
                   const std::string& password) {
  const RunResult result = RunToEnd({"htpasswd", "-Bbn", username, password});
  if (result.exit_code != 0) throw std::runtime_error("htpasswd: " + result.err);
  WriteFile(path, result.out);
}

std::string TokenYaml(const TokenAuth& token) {
  return "auth: {token: {realm: \"" + token.realm + "\", service: \"" + token.service +
         "\", issuer: \"" + token.issuer + "\", rootcertbundle: \"" +
         token.root_certificates.string() + "\"}}\n";
}

std::string StorageYaml(const DockerRegistryOptions& options, const std::string& directory) {
  std::string yaml = "storage:\n  ";
  yaml += options.storage.empty() ? "filesystem: {rootdirectory: \"" + directory + "/storage\"}"
                                  : options.storage;
  if (!options.redirect_to_storage) yaml += "\n  redirect: {disable: true}";
  return yaml + "\n";
}

std::string MiddlewareYaml(const DockerRegistryOptions& options) {
  std::string middleware;
  if (!options.redirect_baseurl.empty()) {
    middleware = "{name: redirect, options: {baseurl: \"" + options.redirect_baseurl + "\"}}";
  } else if (!options.cloudfront.baseurl.empty()) {
    const CloudFront& cloudfront = options.cloudfront;
    middleware = "{name: cloudfront, options: {baseurl: \"" + cloudfront.baseurl +
                 "\", keypairid: \"" + cloudfront.key_pair_id + "\", privatekey: \"" +
                 cloudfront.private_key.string() + "\"}}";
  }
  return middleware.empty() ? "" : "middleware: {storage: [" + middleware + "]}\n";
}

SubprocessOptions ProcessOptions(const DockerRegistryOptions& options) {
  SubprocessOptions process = HermeticOptions();
  if (!options.http_proxy.empty()) process.env["HTTP_PROXY"] = options.http_proxy;
  return process;
}

}  // namespace

DockerRegistry::DockerRegistry(DockerRegistryOptions options) : options_(std::move(options)) {
  process_ = WithFreePort([this](std::uint16_t port) {
    port_ = port;
    return Start(port);
  });
}

void DockerRegistry::Restart(std::string redirect_baseurl) {
  DockerRegistryOptions options = options_;
  options.redirect_baseurl = std::move(redirect_baseurl);
  Restart(std::move(options));
}

void DockerRegistry::Restart(DockerRegistryOptions options) {
  Stop();
  options_ = std::move(options);
  process_ = Start(port_);
  if (!process_) throw std::runtime_error(host() + " was taken while the registry restarted");
}

std::string DockerRegistry::url() const {
  return (options_.tls.certificate.empty() ? "http://" : "https://") + host();
}

HttpOptions DockerRegistry::http_options() const {
  return {.username = options_.username,
          .password = options_.password,
          .ca_file = options_.tls.certificate};
}

std::unique_ptr<Subprocess> DockerRegistry::Start(std::uint16_t port) {
  if (!options_.username.empty()) {
    WriteHtpasswd(directory_ / "htpasswd", options_.username, options_.password);
  }
  const auto config = directory_ / "config.yml";
  WriteFile(config, Configuration(port));
  const auto ready = [this](Subprocess& process) {
    // Its own word that it listens: another process on that port would answer /v2/ as well.
    return process.Stderr().find("listening on 127.0.0.1:") != std::string::npos &&
           HttpGet(url() + "/v2/", http_options()).status ==
               (options_.token.realm.empty() ? 200 : 401);
  };
  return StartServer({"docker-registry", "serve", config.string()}, ready,
                     ProcessOptions(options_));
}

std::string DockerRegistry::Configuration(std::uint16_t port) const {
  const std::string directory = directory_.path().string();
  std::string yaml = "version: 0.1\nlog: {level: info}\n";
  yaml += StorageYaml(options_, directory) + MiddlewareYaml(options_);
  if (!options_.username.empty()) {
    yaml += "auth: {htpasswd: {realm: test, path: \"" + directory + "/htpasswd\"}}\n";
  }
  if (!options_.token.realm.empty()) yaml += TokenYaml(options_.token);
  yaml += "http:\n  addr: 127.0.0.1:" + std::to_string(port) + "\n  secret: test\n";
  if (!options_.tls.certificate.empty()) {
    yaml += "  tls: {certificate: \"" + options_.tls.certificate.string() + "\", key: \"" +
            options_.tls.key.string() + "\"}\n";
  }
  return yaml;
}

}  // namespace registry_backend::testing
