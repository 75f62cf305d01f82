#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "exporter/http/transport.h"
#include "tests/http/fake_loop.h"

namespace registry_backend::testing {

// A Transport that asks a function for each answer and gives it from the loop, after `latency`.
class FakeTransport final : public Transport {
 public:
  using Server = std::function<Result<Response>(const Request&)>;

  FakeTransport(FakeLoop& loop, Server server) : loop_(loop), server_(std::move(server)) {}

  CallId Start(Request request, Time deadline, Done done) override {
    ++in_flight_;
    most_in_flight = std::max(most_in_flight, in_flight_);
    requests.push_back(request);
    const Time when = std::min(loop_.Now() + latency, deadline);
    const bool in_time = loop_.Now() + latency < deadline;
    const TimerId timer =
        loop_.At(when, [this, in_time, request = std::move(request), done = std::move(done)] {
          --in_flight_;
          done(in_time ? server_(request)
                       : Result<Response>(Error{ErrorKind::kTimeout, "the deadline has passed"}));
        });
    return static_cast<CallId>(timer);
  }

  void Cancel(CallId call) override {
    --in_flight_;
    ++cancelled;
    loop_.Cancel(static_cast<TimerId>(call));
  }

  Duration latency = std::chrono::milliseconds(1);
  std::vector<Request> requests;
  std::size_t most_in_flight = 0;
  std::size_t cancelled = 0;

 private:
  FakeLoop& loop_;
  Server server_;
  std::size_t in_flight_ = 0;
};

inline Response MakeResponse(
    int status, std::string body = "",
    std::initializer_list<std::pair<std::string, std::string>> fields = {}) {
  Response response;
  response.status = status;
  response.body = std::move(body);
  for (const auto& [name, value] : fields) response.headers.Add(name, value);
  return response;
}

}  // namespace registry_backend::testing
