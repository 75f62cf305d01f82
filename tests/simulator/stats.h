#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulator/options.h"

namespace registry_backend::simulator {

std::string_view OperationName(Operation operation);  // `tags`, `manifest`, …

// One request as it was answered, without what might be secret.
struct RequestRecord {
  Operation operation = Operation::kOther;
  std::string method;
  std::string repository;
  std::string reference;  // tag or digest; kTags: `last`, kToken: the scope, kHop, kOther: the path
  int status = 0;         // 0: closed without an answer
  std::string authorization;  // the header's scheme as sent, empty: no such header

  auto operator<=>(const RequestRecord&) const = default;
};

struct TimedRequest {
  RequestRecord request;
  std::chrono::steady_clock::time_point at;  // of its arrival
};

// What happened since the start or the last reset. Requests to /-/ are not counted.
struct Stats {
  std::map<RequestRecord, std::uint64_t> counts;
  std::vector<TimedRequest> requests;  // in the order of their arrival, the first 100,000
  std::uint64_t total = 0;
  std::size_t in_flight = 0;      // arrived, their answers not yet begun
  std::size_t max_in_flight = 0;  // at once
  std::size_t connections = 0;    // TCP connections accepted, also those that ask /-/
  std::size_t open_connections = 0;

  // Requests of an operation; `method` empty and `status` -1: any.
  std::uint64_t Count(Operation operation, std::string_view method = {}, int status = -1) const;
  // The same of one reference.
  std::uint64_t CountOf(Operation operation, std::string_view reference,
                        std::string_view method = {}, int status = -1) const;
};

// Collects Stats but for the connections. Thread-safe.
class RequestLog {
 public:
  void Begin(RequestRecord request);
  void End();
  Stats Get() const;
  // What is in flight stays so.
  void Reset();

 private:
  mutable std::mutex mutex_;
  Stats stats_;  // guarded by mutex_
};

}  // namespace registry_backend::simulator
