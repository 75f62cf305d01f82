#pragma once

#include <chrono>
#include <stop_token>
#include <string>

#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/registry/credentials.h"

namespace registry_backend {

// What to ask of which credential helper, a program that hands out what it keeps elsewhere
// (github.com/docker/docker-credential-helpers describes the protocol).
struct HelperQuestion {
  std::string helper;  // `ecr-login`: the program is docker-credential-ecr-login
  std::string server;  // the address that the helper knows the registry by

  bool operator==(const HelperQuestion&) const = default;
};

inline constexpr Duration kCredentialHelperTimeout = std::chrono::seconds(15);

// Runs the helper, looked up in PATH and without a shell, and waits for its answer; anonymous
// credentials where it knows none. What is left of the helper and its children then, or when
// `timeout` has passed, is killed. Blocks. Errors: kCredentials, which names the helper and never
// quotes what it wrote, as that may be a secret; kCancelled within 100 ms of `stop`.
Result<Credentials> AskCredentialHelper(const HelperQuestion& question, const std::stop_token& stop,
                                        Duration timeout = kCredentialHelperTimeout);

}  // namespace registry_backend
