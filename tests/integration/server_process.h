#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/subprocess.h"

namespace registry_backend::testing {

// Options under which a test does not depend on whose machine it runs: no proxies, no registry
// credentials, no Docker configuration, no CA bundle for AWS (docker-registry panics on one).
[[nodiscard]] SubprocessOptions HermeticOptions();

// Starts a server and waits until `ready` says so (asked only while the program runs).
// Null when it ended because its port was in use, for WithFreePort. Throws std::runtime_error with
// its output when it ended otherwise or is not ready after `deadline`.
[[nodiscard]] std::unique_ptr<Subprocess> StartServer(
    const std::vector<std::string>& argv, const std::function<bool(Subprocess&)>& ready,
    const SubprocessOptions& options = HermeticOptions(),
    std::chrono::milliseconds deadline = std::chrono::seconds(30));

}  // namespace registry_backend::testing
