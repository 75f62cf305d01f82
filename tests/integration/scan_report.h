#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tests/integration/docker_registry.h"
#include "tests/integration/team_app.h"
#include "tests/support/subprocess.h"

// What is expected of the JSON that `scan --output json` prints for team/app.
namespace registry_backend::testing {

struct ScanRun {
  RunResult run = {};
  nlohmann::json report = {};  // what standard output held

  [[nodiscard]] std::string Everything() const { return run.err + "\nreport: " + report.dump(1); }
};

// Coverage, order and names of a complete scan of `app`.
void ExpectComplete(const ScanRun& scan, const DockerRegistry& registry, const TeamApp& app);

// Every layer of every tag is served by `host`.
void ExpectTags(const ScanRun& scan, const TeamApp& app, const std::string& host, bool is_s3_host);

// The summary names `host`.
void ExpectSummary(const nlohmann::json& report, const std::string& host, bool is_s3_host);

// The one endpoint that serves blobs; null when there is none or another beside it.
[[nodiscard]] nlohmann::json BlobsEndpoint(const nlohmann::json& report);

}  // namespace registry_backend::testing
