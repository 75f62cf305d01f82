#include "tests/simulator/faults.h"

#include <memory>
#include <utility>

#include "tests/simulator/answers.h"

namespace registry_backend::simulator {
namespace {

void Apply(const StatusFault& fault, HttpAnswer& answer) {
  answer = ErrorAnswer(fault.status, fault.status == 429 ? "TOOMANYREQUESTS" : "UNKNOWN",
                       "a fault of the simulator");
  if (!fault.body.empty()) answer.body = std::make_shared<const std::string>(fault.body);
  answer.headers = fault.headers;
}

void Apply(const CloseFault&, HttpAnswer& answer) { answer.delivery = Delivery::kClose; }

void Apply(const StallFault& fault, HttpAnswer& answer) {
  answer.delivery = Delivery::kStall;
  answer.pace = fault.duration;
}

void Apply(const TruncateFault&, HttpAnswer& answer) { answer.delivery = Delivery::kTruncate; }

void Apply(const DripFault& fault, HttpAnswer& answer) {
  answer.delivery = Delivery::kDrip;
  answer.pace = fault.interval;
  if (!answer.body || answer.body->empty()) {
    answer.body = std::make_shared<const std::string>(4096, ' ');
  }
}

void Apply(const OversizeFault& fault, HttpAnswer& answer) {
  answer.delivery = Delivery::kFiller;
  answer.filler_size = fault.bytes;
  answer.chunked = fault.chunked;
}

void Apply(const WrongBodyFault&, HttpAnswer& answer) {
  answer.body = std::make_shared<const std::string>((answer.body ? *answer.body : "") + " ");
}

}  // namespace

bool FaultList::Strikes(const Fault& fault) {
  // What is certain draws no number: adding such a fault does not shift when others strike.
  if (fault.chance >= 1) return true;
  return std::generate_canonical<double, 53>(random_) < fault.chance;
}

std::optional<FaultAction> FaultList::Take(Operation operation, const std::string& reference,
                                           const std::string& method) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (fault->operation != operation) continue;
    if (!fault->reference.empty() && fault->reference != reference) continue;
    if (!fault->method.empty() && fault->method != method) continue;
    if (!Strikes(*fault)) continue;
    FaultAction action = fault->action;
    if (fault->times > 0) --fault->times;
    if (fault->times == 0) faults_.erase(fault);
    return action;
  }
  return std::nullopt;
}

void ApplyFault(const FaultAction& action, HttpAnswer& answer) {
  std::visit([&](const auto& fault) { Apply(fault, answer); }, action);
}

}  // namespace registry_backend::simulator
