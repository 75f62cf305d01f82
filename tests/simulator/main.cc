// The simulator as a program: see --help.

#include <CLI/CLI.hpp>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "tests/simulator/simulator.h"

namespace registry_backend::simulator {
namespace {

// With a second backend it holds what an image's later steps added.
constexpr std::size_t kFirstDeeperLayer = 11;

struct Flags {
  std::string listen = "127.0.0.1:5000";
  GenerateOptions content;
  std::string kinds = "mixed";
  std::string latency = "50ms";
  std::string authentication = "none";
  bool tls = false;
  std::string tls_ca_out;
  std::string second_backend;
  std::string port_file;
  Options options;
};

void AddFlags(CLI::App& app, Flags& flags) {
  const auto add = [&app](const char* name, auto& value, const char* help) {
    return app.add_option(name, value, help)->capture_default_str();
  };
  add("--listen", flags.listen, "IP address and port; port 0 is any free one");
  add("--repository", flags.content.repository, "name of the repository");
  add("--tags", flags.content.tags, "tags to generate");
  add("--layers", flags.content.layers_per_tag, "layers of each image");
  add("--shared", flags.content.shared_ratio, "share of the layers that all tags have")
      ->check(CLI::Range(0.0, 1.0));
  add("--kinds", flags.kinds,
      "mixed: lists, indexes and bare manifests in turn; docker, oci: bare manifests of one kind")
      ->check(CLI::IsMember({"mixed", "docker", "oci"}));
  add("--seed", flags.content.seed, "another seed gives other digests");
  add("--latency", flags.latency, "of each answer, in ms (50ms, 50) or s (1s)");
  add("--auth", flags.authentication, "how clients must authenticate")
      ->check(CLI::IsMember({"none", "basic", "bearer"}));
  add("--username", flags.options.username, "with --auth; bearer without one is open to all");
  add("--password", flags.options.password, "with --auth");
  app.add_flag("--tls", flags.tls, "serve TLS with a certificate made for this run");
  add("--tls-ca-out", flags.tls_ca_out, "write the certificate to this file, for clients");
  add("--page-size", flags.options.page_size, "tags a page; 0 for all on one");
  add("--backend", flags.options.backend, "host blobs are redirected to, or `direct`");
  add("--second-backend", flags.second_backend, "host of the layers from the 11th on");
  add("--threads", flags.options.threads, "connections served at once");
  add("--port-file", flags.port_file, "write the port to this file when ready");
}

// `127.0.0.1:5000` or `[::1]:5000`.
void ParseListen(std::string_view text, Options& options) {
  const std::size_t colon = text.rfind(':');
  const std::string_view port = colon == text.npos ? "" : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
  if (error != std::errc() || end != port.data() + port.size() || options.port < 0 ||
      options.port > 65535) {
    throw std::runtime_error("--listen: must be ADDRESS:PORT");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  options.host = host;
}

std::chrono::milliseconds ParseLatency(std::string_view text) {
  int number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  const std::string_view unit(end, static_cast<std::size_t>(last - end));
  if (error == std::errc() && number >= 0 && number <= 3'600'000) {
    if (unit.empty() || unit == "ms") return std::chrono::milliseconds(number);
    if (unit == "s") return std::chrono::seconds(number);
  }
  throw std::runtime_error("--latency: must be like 50ms, 50 or 1s");
}

// Whole or not there: readers wait for the name.
void WriteFile(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".tmp";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file || std::rename(temporary.c_str(), path.c_str()) != 0) {
    throw std::runtime_error("cannot write " + path);
  }
}

Options MakeOptions(const Flags& flags) {
  Options options = flags.options;
  ParseListen(flags.listen, options);
  options.latency = ParseLatency(flags.latency);
  if (flags.authentication == "basic") options.authentication = Authentication::kBasic;
  if (flags.authentication == "bearer") options.authentication = Authentication::kBearer;
  if (!flags.second_backend.empty()) {
    options.backend_rules = {{FromLayer{kFirstDeeperLayer}, flags.second_backend}};
  }
  if (flags.tls || !flags.tls_ca_out.empty()) {
    options.tls = MakeCertificate({"localhost", "127.0.0.1", "::1", options.host});
    if (!flags.tls_ca_out.empty()) WriteFile(flags.tls_ca_out, options.tls->certificate_pem);
  }
  return options;
}

GenerateOptions MakeContent(const Flags& flags) {
  GenerateOptions content = flags.content;
  if (flags.kinds == "docker") content.kinds = {TagKind::kDockerImage};
  if (flags.kinds == "oci") content.kinds = {TagKind::kOciImage};
  return content;
}

int Run(const Flags& flags) {
  // Before there are threads, which inherit it: the signals wait for sigwait.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Simulator simulator(MakeOptions(flags), Generate(MakeContent(flags)));
  std::cout << "registry simulator at " << simulator.base_url() << std::endl;
  if (!flags.port_file.empty()) WriteFile(flags.port_file, std::to_string(simulator.port()) + "\n");
  int received = 0;
  sigwait(&signals, &received);
  simulator.Stop();
  return 0;
}

}  // namespace
}  // namespace registry_backend::simulator

int main(int argc, char** argv) {
  using registry_backend::simulator::Flags;
  CLI::App app("A container registry that redirects its blobs, for tests and benchmarks.");
  Flags flags;
  registry_backend::simulator::AddFlags(app, flags);
  CLI11_PARSE(app, argc, argv);
  try {
    return registry_backend::simulator::Run(flags);
  } catch (const std::exception& error) {
    std::cerr << "registry_simulator: " << error.what() << "\n";
    return 1;
  }
}
