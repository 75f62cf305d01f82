#include "exporter/registry/exchange_driver.h"

#include <utility>

namespace registry_backend {
namespace {

// Calls the visitor's overload for the alternative.
template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

ExchangeDriver::ExchangeDriver(Network network, Duration request_timeout)
    : network_(network), request_timeout_(request_timeout), random_(std::random_device{}()) {}

ExchangeDriver::~ExchangeDriver() {
  for (auto& [id, running] : running_) Release(running);
}

ExchangeId ExchangeDriver::Start(Exchange exchange, Authorizer authorizer, Done done) {
  const auto id = static_cast<ExchangeId>(++last_id_);
  running_.emplace(id, Running{std::move(exchange), std::move(authorizer), std::move(done)});
  Advance(id, Exchange::Began{});
  return id;
}

void ExchangeDriver::Cancel(ExchangeId id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  Release(found->second);
  running_.erase(found);
}

void ExchangeDriver::Release(Running& running) {
  if (const auto* call = std::get_if<CallId>(&running.waiting_for)) {
    network_.transport.Cancel(*call);
  } else if (const auto* timer = std::get_if<TimerId>(&running.waiting_for)) {
    network_.loop.Cancel(*timer);
  }
}

void ExchangeDriver::Advance(ExchangeId id, Exchange::Event event) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;  // cancelled while an authorization was under way
  Running& running = found->second;
  running.waiting_for = std::monostate{};
  const double jitter = std::uniform_real_distribution<double>(0, 1)(random_);
  std::visit(Overloaded{
                 [&](Exchange::Send send) { Send(id, std::move(send.request)); },
                 [&](const Exchange::Wait& wait) { Wait(id, wait); },
                 [&](Exchange::Authorize question) { Authorize(id, std::move(question)); },
                 [&](Result<Reply> reply) {
                   const Done done = std::move(running.done);
                   const std::vector<Host> others = running.exchange.others();
                   running_.erase(id);
                   done(std::move(reply), others);
                 },
             },
             running.exchange.On(std::move(event), jitter));
}

void ExchangeDriver::Wait(ExchangeId id, const Exchange::Wait& wait) {
  Running& running = running_.at(id);
  const Request& request = running.exchange.request();
  const Time until = network_.loop.Now() + wait.delay;
  if (network_.observer != nullptr) network_.observer->OnRetry(request.registry, wait.reason);
  if (wait.hold_origin) network_.pacer.Hold(request.url.origin(), until);
  running.waiting_for = network_.loop.At(until, [this, id] { Advance(id, Exchange::Waited{}); });
}

// Sends when the pacer lets it. A place in its queue that a hold has overtaken is changed for
// another one.
void ExchangeDriver::Send(ExchangeId id, Request request) {
  const Time now = network_.loop.Now();
  const Time slot = network_.pacer.Reserve(request.url.origin(), now);
  Running& running = running_.at(id);
  if (slot > now) {
    running.waiting_for = network_.loop.At(slot, [this, id, request = std::move(request)] {
      if (network_.pacer.HeldUntil(request.url.origin()) > network_.loop.Now()) {
        Send(id, request);
      } else {
        SendNow(id, request);
      }
    });
    return;
  }
  SendNow(id, std::move(request));
}

void ExchangeDriver::SendNow(ExchangeId id, Request request) {
  const auto responded = [this, id](Result<Response> response) {
    Advance(id, Exchange::Responded{std::move(response), WallClock::now()});
  };
  running_.at(id).waiting_for = network_.transport.Start(
      std::move(request), network_.loop.Now() + request_timeout_, responded);
}

void ExchangeDriver::Authorize(ExchangeId id, Exchange::Authorize question) {
  Running& running = running_.at(id);
  if (!running.authorizer) {
    const std::string where = running.exchange.request().url.shown();
    Advance(id, Exchange::Authorized{
                    Error{ErrorKind::kAuth, where + ": status 401 Unauthorized", 401}});
    return;
  }
  // A copy: the answer may end the exchange, and with it the function that is running.
  const Authorizer authorizer = running.authorizer;
  authorizer(std::move(question), [this, id](Result<std::string> authorization) {
    Advance(id, Exchange::Authorized{std::move(authorization)});
  });
}

}  // namespace registry_backend
