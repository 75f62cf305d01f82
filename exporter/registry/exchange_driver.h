#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <unordered_map>
#include <variant>
#include <vector>

#include "exporter/http/loop.h"
#include "exporter/http/pacer.h"
#include "exporter/http/transport.h"
#include "exporter/registry/exchange.h"

namespace registry_backend {

// What every registry client of the process shares. All of it outlives the clients.
struct Network {
  Loop& loop;
  Transport& transport;
  Pacer& pacer;
  RequestObserver* observer;  // may be null
};

enum class ExchangeId : std::uint64_t {};

// Carries Exchanges out: sends when the pacer lets it, waits, asks for authorization. Network
// thread only.
class ExchangeDriver {
 public:
  // `others` are the hosts of other registries that the request was sent on to, whatever came of
  // it.
  using Done = std::function<void(Result<Reply>, const std::vector<Host>& others)>;
  using Authorized = std::function<void(Result<std::string>)>;
  // Answers a challenge by calling `authorized` once, at once or later.
  using Authorizer = std::function<void(Exchange::Authorize question, Authorized authorized)>;

  // `request_timeout` bounds each try.
  ExchangeDriver(Network network, Duration request_timeout);
  ~ExchangeDriver();  // cancels what runs
  ExchangeDriver(const ExchangeDriver&) = delete;
  ExchangeDriver& operator=(const ExchangeDriver&) = delete;

  // `done` runs once, later, from the loop, unless cancelled. Without an authorizer a 401 is an
  // error.
  ExchangeId Start(Exchange exchange, Authorizer authorizer, Done done);
  void Cancel(ExchangeId id);

 private:
  struct Running {
    Exchange exchange;
    Authorizer authorizer;
    Done done;
    std::variant<std::monostate, CallId, TimerId> waiting_for = {};
  };

  void Advance(ExchangeId id, Exchange::Event event);
  void Wait(ExchangeId id, const Exchange::Wait& wait);
  void Send(ExchangeId id, Request request);
  void SendNow(ExchangeId id, Request request);
  void Authorize(ExchangeId id, Exchange::Authorize question);
  void Release(Running& running);

  Network network_;
  const Duration request_timeout_;
  std::mt19937_64 random_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<ExchangeId, Running> running_;
};

}  // namespace registry_backend
