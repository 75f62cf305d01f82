#include "exporter/config/show.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/config/config.h"

namespace registry_backend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kEveryKey = R"(
scan: {interval: 90m, retry_interval: 1m30s, timeout: 30m, platforms: [linux/amd64], absent_after: 2}
metrics: {max_endpoints: 50, max_tags: 5}
targets:
  - name: "first: \"one\" #"
    registry: http://localhost:5000
    repositories: [team/app]
    team: 'yes'
    basic_auth: {username: "07", password: "s3cret: #"}
    tls_config: {ca_file: a.pem, cert_file: c.pem, key_file: k.pem, insecure_skip_verify: true}
    scan: {tags: {include: ["v.*", "[0-9]+"], exclude: [".*-rc"], newest: 3}, max_concurrency: 2}
    policy: {approved_hosts: ["*.example.net", "minio.corp:9000"], allowed_regions: [us-east-1]}
  - registry: registry.example
    repository: a/b
    authorization: {credentials: s3cret}
    token_realms: ["https://auth.example/token"]
    proxy_url: http://proxy:3128
    no_proxy: .internal
    scan: {schedule: "*/5 * * * *", forget_after: 400d, max_requests_per_second: 2.5}
  - registry: registry.example
    repository: c/d
    docker_config_file: /etc/pull.json
    tls_config: {server_name: other.example}
  - registry: registry.example
    repository: e/f
    basic_auth: {username_file: u, password_file: p}
)";

std::vector<TargetOptions> Parse(const std::string& text) {
  Result<Config> config = ParseConfig(text, "/etc/f.yml");
  EXPECT_TRUE(config) << config.error().message << "\n" << text;
  return config ? std::move(config->targets) : std::vector<TargetOptions>();
}

TEST(ShowConfig, IsReadAsWhatItShows) {
  std::vector<TargetOptions> targets = Parse(std::string(kEveryKey));
  ASSERT_EQ(targets.size(), 4U);
  targets[1].schedule.interval = ScheduleOptions().interval;  // a schedule is in its place
  const std::vector<TargetOptions> again = Parse(ShowConfig(targets));
  for (TargetOptions& target : targets) {
    for (std::string* secret : {&target.credentials.password, &target.credentials.token}) {
      if (!secret->empty()) *secret = "<secret>";
    }
  }
  ASSERT_EQ(again.size(), targets.size());
  for (std::size_t i = 0; i < again.size(); ++i) EXPECT_EQ(again[i], targets[i]) << i;
}

TEST(ShowConfig, ShowsNoSecret) {
  const std::string shown = ShowConfig(Parse(std::string(kEveryKey)));
  EXPECT_THAT(shown, Not(HasSubstr("s3cret")));
  EXPECT_THAT(shown, HasSubstr("password: \"<secret>\""));
  EXPECT_THAT(shown, HasSubstr("credentials: \"<secret>\""));
}

TEST(ShowConfig, ShowsNoUserOfAProxy) {
  const std::string shown = ShowConfig(Parse(R"(
targets:
  - {registry: registry.example, repository: a/b, proxy_url: "https://hidden:s3cret@proxy:3128"}
)"));
  EXPECT_THAT(shown, HasSubstr("proxy_url: \"https://<secret>@proxy:3128\""));
  EXPECT_THAT(shown, Not(HasSubstr("s3cret")));
  EXPECT_THAT(shown, Not(HasSubstr("hidden")));
}

TEST(ShowConfig, WritesNumbersAsShortAsTheyAreRead) {
  for (const char* number : {"0.1", "0.7", "20", "2.5", "0.001", "100000"}) {
    const std::string key = std::string("max_requests_per_second: ") + number;
    const std::vector<TargetOptions> targets =
        Parse("targets: [{registry: r.example, repository: a/b, scan: {" + key + "}}]");
    const std::string shown = ShowConfig(targets);
    EXPECT_THAT(shown, HasSubstr(key + "\n"));
    EXPECT_EQ(Parse(shown), targets);
  }
}

TEST(ShowConfig, WritesOutWhatIsBuiltIn) {
  const std::string shown = ShowConfig({DefaultTarget({})});
  for (const char* line :
       {"registry: \"https://images.releases.hashicorp.com\"", "interval: \"1d\"",
        "max_requests_per_second: 20", "max_endpoints: 500", "max_tags: 20"}) {
    EXPECT_THAT(shown, HasSubstr(line));
  }
}

}  // namespace
}  // namespace registry_backend
