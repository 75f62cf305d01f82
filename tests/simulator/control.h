#pragma once

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/simulator/stats.h"

namespace registry_backend::simulator {

class Simulator;

using Command = std::function<void(Simulator&)>;

// Names the key at fault: `backend_rules[1].host: must be a string`.
class ControlError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What the body of `POST /-/control` asks for, in the order below. Throws ControlError. All keys
// are optional, others are an error:
//
//   {"reset_stats": true, "clear_faults": true, "revoke_tokens": true,
//    "backend": "host",
//    "backend_rules": [
//        {"host": "h", "digest": "sha256:…"}, {"host": "h", "every": 3},
//        {"host": "direct", "tag": "1.0.0", "repository": "r"}, {"host": "h", "from_layer": 11}],
//    "latency_ms": 50, "password": "…", "page_size": 10, "own_host_hops": 1,
//    "tag": {"repository": "r", "tag": "t", "digest": "sha256:… or another tag"},
//    "remove_tag": {"repository": "r", "tag": "t"},
//    "faults": [{"operation": "blob", "reference": "sha256:…", "method": "GET", "times": 2,
//                "chance": 0.5,
//                "action": "status", "status": 429, "headers": {"Retry-After": "1"}, "body": "…"}]}
//
// `operation` is version, tags, manifest, blob or token; `action` is status, close, stall
// (duration_ms), truncate, drip (interval_ms), oversize (bytes, chunked) or wrong_body. Faults are
// added to those there are, `repository` may be left out if there is one alone.
std::vector<Command> ParseControl(const std::string& body);

std::string ControlErrorJson(const std::string& message);
std::string StatsJson(const Stats& stats);

}  // namespace registry_backend::simulator
