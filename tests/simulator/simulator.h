#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/simulator/catalog.h"
#include "tests/simulator/certificate.h"
#include "tests/simulator/options.h"
#include "tests/simulator/stats.h"

namespace registry_backend::simulator {

// A registry of our own, for tests, the demo and benchmarks: it serves a Catalog over HTTP/1.1 or
// TLS and misbehaves as it is told. It shares no code with the exporter, and so is a second opinion
// on the protocol.
//
// Next to the registry it serves, without authentication, latency or being counted:
//   GET  /-/stats    Stats as JSON
//   POST /-/control  the changes below as JSON, see control.h
//
// All of it may be called from any thread while it serves, but Stop and the destructor from one,
// and never from within EditCatalog.
class Simulator {
 public:
  // Serves at once. Throws std::runtime_error if it cannot listen or use the certificate.
  Simulator(Options options, Catalog catalog);
  ~Simulator();  // stops
  Simulator(const Simulator&) = delete;
  Simulator& operator=(const Simulator&) = delete;

  // Breaks all connections, also idle and stalled ones, and joins all threads. Again does nothing.
  void Stop();

  int port() const;
  std::string authority() const;  // `127.0.0.1:41234`
  std::string base_url() const;   // `https://127.0.0.1:41234`, without a slash at the end

  // Hosts as in BackendRule. The default backend is for the blobs no rule matches.
  void SetBackend(std::string host);
  void SetBackendRules(std::vector<BackendRule> rules);
  void AddFault(Fault fault);
  void ClearFaults();  // those that have begun go on
  void SetLatency(std::chrono::milliseconds latency);
  // Tokens given so far stay good; see RevokeTokens.
  void SetPassword(std::string password);
  void RevokeTokens();
  void SetPageSize(std::size_t page_size);
  void SetOwnHostHops(int hops);
  // Runs `edit` while no request is being decided.
  void EditCatalog(const std::function<void(Catalog&)>& edit);

  Stats GetStats() const;
  void ResetStats();  // connections are not set back

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace registry_backend::simulator
