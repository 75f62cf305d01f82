// A registry's name that is only a redirect to another registry, as vanity domains are.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "tests/integration/docker_registry.h"
#include "tests/integration/exporter_process.h"
#include "tests/integration/nginx_server.h"
#include "tests/integration/scan_report.h"
#include "tests/integration/team_app.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

// `blobs cdn.example redirect 7`
std::set<std::string> EndpointsOf(const json& report) {
  std::set<std::string> lines;
  for (const json& endpoint : report.at("endpoints")) {
    lines.insert(endpoint.at("serves").get<std::string>() + " " +
                 endpoint.at("backend_host").get<std::string>() + " " +
                 endpoint.at("delivery").get<std::string>() + " " +
                 std::to_string(endpoint.at("blobs").get<int>()));
  }
  return lines;
}

TEST(RegistryBehindAnother, IsFollowedToItsStorageAndEachHostIsNamed) {
  DockerRegistry behind;
  const TeamApp app = PushTeamApp(behind, kBucketHost);
  const NginxServer front(behind.host(), {.plain_http = true, .redirects = true});
  ScanRun scan{.run = RunExporter(REGISTRY_BACKEND_EXPORTER,
                                  {"scan", "--registry", front.url(), "--repository", kRepository,
                                   "--output", "json"})};
  scan.report = json::parse(scan.run.out, nullptr, false);
  ASSERT_EQ(scan.run.exit_code, 0) << scan.Everything();
  for (const auto& [tag, content] : scan.report.at("tags").items()) {
    EXPECT_EQ(content.at("endpoints"), (json{behind.host(), kBucketHost})) << tag;
    for (const json& layer : content.at("layers")) EXPECT_EQ(layer.at("endpoint"), kBucketHost);
  }
  const std::string blobs = std::to_string(app.blobs.size());
  EXPECT_EQ(EndpointsOf(scan.report),
            (std::set<std::string>{"api " + front.host() + " direct 0",
                                   "api " + behind.host() + " redirect 0",
                                   "manifests " + behind.host() + " redirect 0",
                                   "blobs " + behind.host() + " redirect " + blobs,
                                   "blobs " + std::string(kBucketHost) + " redirect " + blobs}));
}

TEST(RegistryBehindAnother, ThatServesItsBlobsItselfIsTheirHost) {
  DockerRegistry behind;
  const TeamApp app = PushTeamApp(behind);
  const NginxServer front(behind.host(), {.plain_http = true, .redirects = true});
  const RunResult run = RunExporter(
      REGISTRY_BACKEND_EXPORTER,
      {"scan", "--registry", front.url(), "--repository", kRepository, "--output", "json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const json endpoint = BlobsEndpoint(json::parse(run.out));
  ASSERT_TRUE(endpoint.is_object()) << run.out;
  EXPECT_EQ(endpoint.at("backend_host"), behind.host());
  EXPECT_EQ(endpoint.at("delivery"), "redirect");
  EXPECT_EQ(endpoint.at("blobs"), app.blobs.size());
}

}  // namespace
}  // namespace registry_backend::testing
