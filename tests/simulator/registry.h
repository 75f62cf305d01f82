#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "tests/simulator/authenticator.h"
#include "tests/simulator/backends.h"
#include "tests/simulator/catalog.h"
#include "tests/simulator/faults.h"
#include "tests/simulator/http_message.h"
#include "tests/simulator/options.h"
#include "tests/simulator/stats.h"

namespace registry_backend::simulator {

// What a request's path asks for.
struct Query {
  Operation operation = Operation::kOther;
  std::string repository;
  std::string reference;     // as in RequestRecord
  int hop = 0;               // of `/hop/N/v2/…`
  std::string plain_target;  // the target without `/hop/N`
};

Query ParseQuery(const HttpRequest& request);

// The registry's side of the OCI distribution protocol, without sockets: the answer to a request.
// Answers as ECR does: HEAD of a blob itself, GET of it by a redirect to a storage host.
// Thread-safe.
class Registry {
 public:
  Registry(const Options& options, Catalog catalog);

  // `/v2/…`, `/token`; 404 for the rest. The registry must outlive the answer.
  HttpAnswer Answer(const HttpRequest& request);

  void SetBackend(std::string host);
  void SetBackendRules(std::vector<BackendRule> rules);
  void AddFault(Fault fault);
  void ClearFaults();
  void SetLatency(std::chrono::milliseconds latency);
  void SetPassword(std::string password);
  void RevokeTokens();
  void SetPageSize(std::size_t page_size);
  void SetOwnHostHops(int hops);
  void EditCatalog(const std::function<void(Catalog&)>& edit);

  const RequestLog& log() const { return log_; }
  RequestLog& log() { return log_; }

 private:
  // With mutex_ held. What befalls a hop is noted in `query`.
  HttpAnswer Decide(const HttpRequest& request, Query& query);
  HttpAnswer Serve(const HttpRequest& request, const Query& query);
  HttpAnswer Tags(const HttpRequest& request, const Query& query) const;
  HttpAnswer Manifest(const HttpRequest& request, const Query& query) const;
  HttpAnswer Blob(const HttpRequest& request, const Query& query);

  std::mutex mutex_;  // guards all down to log_, which guards itself
  Options options_;
  Catalog catalog_;
  Authenticator authenticator_;
  Backends backends_;
  FaultList faults_;
  RequestLog log_;
};

}  // namespace registry_backend::simulator
