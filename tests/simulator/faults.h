#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/simulator/http_message.h"
#include "tests/simulator/options.h"

namespace registry_backend::simulator {

// The faults still to come. Not thread-safe.
class FaultList {
 public:
  explicit FaultList(std::uint64_t seed) : random_(seed) {}

  void Add(Fault fault) { faults_.push_back(std::move(fault)); }
  void Clear() { faults_.clear(); }
  // What befalls this request, if anything; counts it as done.
  std::optional<FaultAction> Take(Operation operation, const std::string& reference,
                                  const std::string& method);

 private:
  bool Strikes(const Fault& fault);

  std::vector<Fault> faults_;
  std::mt19937_64 random_;
};

// Turns the answer a request would have had into the faulty one.
void ApplyFault(const FaultAction& action, HttpAnswer& answer);

}  // namespace registry_backend::simulator
