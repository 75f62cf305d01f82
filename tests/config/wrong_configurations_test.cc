#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "exporter/config/config.h"

// Each kind of mistake that a configuration can have, with the whole message that a user sees.
namespace registry_backend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kTarget =
    "targets:\n"
    "  - registry: https://registry.example\n"
    "    repository: team/app\n";

std::string InTarget(const std::string& keys) { return kTarget + "    " + keys + "\n"; }
std::string InScan(const std::string& keys) { return "scan: {" + keys + "}\n" + kTarget; }
std::string Target(const std::string& keys) { return "targets: [{" + keys + "}]\n"; }

struct WrongConfiguration {
  std::string name;
  std::string text;
  std::string message;
};

std::vector<WrongConfiguration> WrongConfigurations() {
  return {
      // Unknown and repeated keys
      {"a misspelt key of the file", kTarget + "scans: {}\n",
       "f.yml:4:1: scans: unknown key (did you mean scan? expected one of metrics, policy, scan, "
       "targets)"},
      {"a misspelt key of a target", InTarget("tam: x"),
       "f.yml:4:5: targets[0].tam: unknown key (did you mean team? expected one of authorization, "
       "basic_auth, docker_config_file, name, no_proxy, policy, proxy_from_environment, "
       "proxy_password_file, proxy_url, registry, repositories, repository, scan, team, "
       "tls_config, token_realms)"},
      {"a misspelt key of scan", InScan("intervall: 1h"),
       "f.yml:1:8: scan.intervall: unknown key (did you mean interval? expected one of "
       "absent_after, forget_after, interval, max_concurrency, max_requests_per_second, platforms, "
       "retry_interval, schedule, tags, timeout)"},
      {"a misspelt key of a target's scan", InTarget("scan: {time: 1h}"),
       "f.yml:4:12: targets[0].scan.time: unknown key (did you mean timeout? expected one of "
       "absent_after, forget_after, interval, max_concurrency, max_requests_per_second, platforms, "
       "retry_interval, schedule, tags, timeout)"},
      {"a misspelt key of tags", InScan("tags: {newst: 1}"),
       "f.yml:1:15: scan.tags.newst: unknown key (did you mean newest? expected one of exclude, "
       "include, newest)"},
      {"a misspelt key of policy", kTarget + "policy: {approved_host: [a]}\n",
       "f.yml:4:10: policy.approved_host: unknown key (did you mean approved_hosts? expected one "
       "of allowed_regions, approved_hosts, approved_hosts_file)"},
      {"a misspelt key of metrics", kTarget + "metrics: {max_endpoint: 1}\n",
       "f.yml:4:11: metrics.max_endpoint: unknown key (did you mean max_endpoints? expected one of "
       "max_endpoints, max_tags)"},
      {"a misspelt key of basic_auth", InTarget("basic_auth: {user: x, password: y}"),
       "f.yml:4:18: targets[0].basic_auth.user: unknown key (did you mean username? expected one "
       "of password, password_file, username, username_file)"},
      {"a misspelt key of tls_config", InTarget("tls_config: {insecure: true}"),
       "f.yml:4:18: targets[0].tls_config.insecure: unknown key (did you mean "
       "insecure_skip_verify? expected one of ca_file, cert_file, insecure_skip_verify, key_file, "
       "server_name)"},
      {"a key that is like none", InTarget("bananas: 1"),
       "f.yml:4:5: targets[0].bananas: unknown key (expected one of authorization, basic_auth, "
       "docker_config_file, name, no_proxy, policy, proxy_from_environment, proxy_password_file, "
       "proxy_url, registry, repositories, repository, scan, team, tls_config, token_realms)"},
      {"a merge key", InTarget("scan: {<<: {interval: 1h}}"),
       "f.yml:4:12: targets[0].scan.<<: unknown key (expected one of absent_after, forget_after, "
       "interval, max_concurrency, max_requests_per_second, platforms, retry_interval, schedule, "
       "tags, timeout)"},
      {"a very long key", InTarget("? " + std::string(2000, 'k') + "\n    : x"),
       "f.yml:4:7: targets[0]." + std::string(64, 'k') +
           "...: unknown key (expected one of authorization, basic_auth, docker_config_file, name, "
           "no_proxy, policy, proxy_from_environment, proxy_password_file, proxy_url, registry, "
           "repositories, repository, scan, team, tls_config, token_realms)"},
      {"a key that is a list", kTarget + "? [a]\n: b\n",
       "f.yml:4:3: expected a key that is plain text"},
      {"a key twice", InTarget("team: a\n    team: b"),
       "f.yml:5:5: targets[0].team: the key is there twice"},
      {"the targets twice", kTarget + kTarget, "f.yml:4:1: targets: the key is there twice"},
      // Types
      {"a list for the file", "- registry: a.example\n",
       "f.yml:1:1: expected a mapping of keys to values"},
      {"a text for the file", "just text\n", "f.yml:1:1: expected a mapping of keys to values"},
      {"a list for a mapping", kTarget + "scan: [1h]\n",
       "f.yml:4:7: scan: expected a mapping of keys to values"},
      {"a text for a mapping", InTarget("policy: strict"),
       "f.yml:4:13: targets[0].policy: expected a mapping of keys to values"},
      {"a mapping for the list of targets", "targets: {registry: a.example}\n",
       "f.yml:1:10: targets: expected a list"},
      {"a text for a target", "targets: [a.example]\n",
       "f.yml:1:11: targets[0]: expected a mapping of keys to values"},
      {"a list for a text", InTarget("name: [a]"),
       "f.yml:4:11: targets[0].name: expected a single value"},
      {"a mapping for a text", InTarget("team: {a: b}"),
       "f.yml:4:11: targets[0].team: expected a single value"},
      {"a text for a list", InTarget("policy: {allowed_regions: us-east-1}"),
       "f.yml:4:31: targets[0].policy.allowed_regions: expected a list"},
      {"a list in a list", InScan("tags: {include: [[a]]}"),
       "f.yml:1:24: scan.tags.include: expected a list of texts"},
      {"nothing in a list", InTarget("token_realms: [~]"),
       "f.yml:4:19: targets[0].token_realms: expected a list of texts"},
      {"a word for true or false", InTarget("tls_config: {insecure_skip_verify: yes}"),
       "f.yml:4:40: targets[0].tls_config.insecure_skip_verify: expected true or false, not 'yes'"},
      // Numbers, rates and durations
      {"none at all of what there has to be", kTarget + "metrics: {max_endpoints: 0}\n",
       "f.yml:4:26: metrics.max_endpoints: expected a whole number of at least 1, not '0'"},
      {"a word for a number", kTarget + "metrics: {max_tags: lots}\n",
       "f.yml:4:21: metrics.max_tags: expected a whole number of at least 0, not 'lots'"},
      {"a negative number", InScan("absent_after: -1"),
       "f.yml:1:22: scan.absent_after: expected a whole number of at least 1, not '-1'"},
      {"a fraction of a whole number", InScan("max_concurrency: 2.5"),
       "f.yml:1:25: scan.max_concurrency: expected a whole number of at least 1, not '2.5'"},
      {"a number beyond all bounds", InScan("max_concurrency: " + std::string(70, '9')),
       "f.yml:1:25: scan.max_concurrency: expected a whole number of at least 1, not '" +
           std::string(64, '9') + "...'"},
      {"a negative rate", InScan("max_requests_per_second: -1"),
       "f.yml:1:33: scan.max_requests_per_second: expected 0 or a number of at least 0.001, not "
       "'-1'"},
      {"a rate that is no number", InScan("max_requests_per_second: nan"),
       "f.yml:1:33: scan.max_requests_per_second: expected 0 or a number of at least 0.001, not "
       "'nan'"},
      {"a rate of next to nothing", InScan("max_requests_per_second: 0.0001"),
       "f.yml:1:33: scan.max_requests_per_second: expected 0 or a number of at least 0.001, not "
       "'0.0001'"},
      {"a duration without a unit", InTarget("scan: {timeout: 60}"),
       "f.yml:4:21: targets[0].scan.timeout: '60' is not a duration (expected one like 90s, 1h30m "
       "or 30d)"},
      {"a duration in an unknown unit", InScan("interval: 1 day"),
       "f.yml:1:18: scan.interval: '1 day' is not a duration (expected one like 90s, 1h30m or "
       "30d)"},
      {"a duration of nothing", InScan("interval: 0"),
       "f.yml:1:18: scan.interval: expected a duration above 0"},
      {"a negative duration", InScan("retry_interval: -5m"),
       "f.yml:1:24: scan.retry_interval: '-5m' is not a duration (expected one like 90s, 1h30m or "
       "30d)"},
      {"a duration of a million years", InScan("forget_after: 1000000y"),
       "f.yml:1:22: scan.forget_after: '1000000y' is too long (expected at most 100y)"},
      // Schedules
      {"an interval and a schedule", InTarget("scan: {interval: 1h, schedule: \"0 6 * * *\"}"),
       "f.yml:4:36: targets[0].scan.schedule: expected either interval or schedule, not both"},
      {"an empty schedule", InScan("schedule: \"\""),
       "f.yml:1:18: scan.schedule: the schedule '' has 0 fields (expected five: minute, hour, day "
       "of month, month and day of week)"},
      {"a schedule of four fields", InScan("schedule: \"0 6 * *\""),
       "f.yml:1:18: scan.schedule: the schedule '0 6 * *' has 4 fields (expected five: minute, "
       "hour, day of month, month and day of week)"},
      {"a minute that is none", InScan("schedule: \"60 * * * *\""),
       "f.yml:1:18: scan.schedule: the minute '60' is not from 0 to 59"},
      {"an hour that is none", InScan("schedule: \"0 25 * * *\""),
       "f.yml:1:18: scan.schedule: the hour '25' is not from 0 to 23"},
      {"a day of month that is none", InScan("schedule: \"0 6 0 * *\""),
       "f.yml:1:18: scan.schedule: the day of month '0' is not from 1 to 31"},
      {"a month that is none", InScan("schedule: \"0 6 * MAI *\""),
       "f.yml:1:18: scan.schedule: the month 'MAI' is not from 1 to 12 or JAN to DEC"},
      {"a day of week that is none", InScan("schedule: \"0 6 * * 8\""),
       "f.yml:1:18: scan.schedule: the day of week '8' is not from 0 to 7 or SUN to SAT"},
      {"a step of nothing", InScan("schedule: \"*/0 * * * *\""),
       "f.yml:1:18: scan.schedule: the minute '*/0' has the step '0', which is not from 1 to 60"},
      {"a range that runs backwards", InScan("schedule: \"0 18-6 * * *\""),
       "f.yml:1:18: scan.schedule: the hour '18-6' runs backwards (expected two ranges, "
       "18-23,0-6)"},
      {"a day that never comes", InScan("schedule: \"0 6 30 2 *\""),
       "f.yml:1:18: scan.schedule: the schedule '0 6 30 2 *' never comes (expected a day of month "
       "that one of its months has)"},
      {"a word that is no schedule", InScan("schedule: \"@never\""),
       "f.yml:1:18: scan.schedule: '@never' is not a schedule (expected five fields, @hourly, "
       "@daily, @midnight, @weekly, @monthly, @yearly or @annually)"},
      // What counts of a repository
      {"a glob for an expression", InTarget("scan: {tags: {include: [\"*\"]}}"),
       "f.yml:4:28: targets[0].scan.tags.include: '*' is not a regular expression (RE2 syntax): no "
       "argument for repetition operator: *"},
      {"an expression with an open bracket", InScan("tags: {exclude: [\"[\"]}"),
       "f.yml:1:24: scan.tags.exclude: '[' is not a regular expression (RE2 syntax): missing ]: ["},
      {"an expression that looks ahead", InScan("tags: {include: [\"(?!rc).*\"]}"),
       "f.yml:1:24: scan.tags.include: '(?!rc).*' is not a regular expression (RE2 syntax): "
       "invalid perl operator: (?!"},
      {"an architecture only", InScan("platforms: [amd64]"),
       "f.yml:1:19: scan.platforms: 'amd64' is not a platform (expected one like linux/amd64)"},
      {"a platform in upper case", InScan("platforms: [Linux/amd64]"),
       "f.yml:1:19: scan.platforms: 'Linux/amd64' is not a platform (expected one like "
       "linux/amd64)"},
      {"a platform of too many parts", InScan("platforms: [linux/arm/v7/x]"),
       "f.yml:1:19: scan.platforms: 'linux/arm/v7/x' is not a platform (expected one like "
       "linux/amd64)"},
      {"an empty platform", InScan("platforms: [\"\"]"),
       "f.yml:1:19: scan.platforms: '' is not a platform (expected one like linux/amd64)"},
      // Policy
      {"a * within a label", InTarget("policy: {approved_hosts: [\"a*.x\"]}"),
       "f.yml:4:30: targets[0].policy.approved_hosts: 'a*.x' is no host to approve: a * can only "
       "be its whole first label (expected one like cdn.example.com, minio.corp:9000 or "
       "*.example.net)"},
      {"a * for all hosts", kTarget + "policy: {approved_hosts: [\"*\"]}\n",
       "f.yml:4:26: policy.approved_hosts: '*' is no host to approve: a * can only be its whole "
       "first label (expected one like cdn.example.com, minio.corp:9000 or *.example.net)"},
      {"a * with nothing below", kTarget + "policy: {approved_hosts: [\"*.\"]}\n",
       "f.yml:4:26: policy.approved_hosts: '*.' is no host to approve: nothing follows the *. "
       "(expected one like cdn.example.com, minio.corp:9000 or *.example.net)"},
      {"a * after the first label", kTarget + "policy: {approved_hosts: [\"a.*.x\"]}\n",
       "f.yml:4:26: policy.approved_hosts: 'a.*.x' is no host to approve: a * can only be its "
       "whole first label (expected one like cdn.example.com, minio.corp:9000 or *.example.net)"},
      {"a URL for a host", kTarget + "policy: {approved_hosts: [\"https://a.example\"]}\n",
       "f.yml:4:26: policy.approved_hosts: a URL, or a part of one, is no host to approve "
       "(expected one like cdn.example.com, minio.corp:9000 or *.example.net)"},
      {"a host at no port", kTarget + "policy: {approved_hosts: [\"a.example:0\"]}\n",
       "f.yml:4:26: policy.approved_hosts: 'a.example:0' is not a host name: its port is no number "
       "from 1 to 65535 (expected one like cdn.example.com, minio.corp:9000 or *.example.net)"},
      {"a file of hosts that is not there", kTarget + "policy: {approved_hosts_file: none.txt}\n",
       "f.yml:4:31: policy.approved_hosts_file: ./none.txt: No such file or directory"},
      {"a folder for a file of hosts", kTarget + "policy: {approved_hosts_file: /}\n",
       "f.yml:4:31: policy.approved_hosts_file: /: Is a directory"},
      {"a file of hosts without any", kTarget + "policy: {approved_hosts_file: /dev/null}\n",
       "f.yml:4:31: policy.approved_hosts_file: /dev/null: it names no host"},
      {"an empty region", kTarget + "policy: {allowed_regions: [\"\"]}\n",
       "f.yml:4:27: policy.allowed_regions: '' is not a region (expected one like us-east-1)"},
      // Registry and repository
      {"no registry", Target("repository: x"),
       "f.yml:1:11: targets[0].registry: is required, as in https://registry.example.com"},
      {"a target of nothing", "targets:\n  -\n",
       "f.yml:3:1: targets[0].registry: is required, as in https://registry.example.com"},
      {"another scheme", Target("registry: \"ftp://a.example\", repository: x"),
       "f.yml:1:22: targets[0].registry: 'ftp://a.example' is not a usable URL: its scheme is "
       "neither https nor http"},
      {"a user name in the registry",
       Target("registry: \"https://u:SECRET@a.example\", repository: x"),
       "f.yml:1:22: targets[0].registry: registry 'https://a.example' holds a user name; set "
       "basic_auth or --username (expected one like https://registry.example.com)"},
      {"the repository in the registry",
       Target("registry: https://a.example/team/app, repository: x"),
       "f.yml:1:22: targets[0].registry: registry 'https://a.example' has a path: move it to the "
       "beginning of the repository, as in team/app (expected one like "
       "https://registry.example.com)"},
      {"the API's path in the registry", Target("registry: https://a.example/v2/, repository: x"),
       "f.yml:1:22: targets[0].registry: registry 'https://a.example' has a path: leave /v2/ out "
       "(expected one like https://registry.example.com)"},
      {"a query in the registry", Target("registry: \"a.example?x=SECRET\", repository: x"),
       "f.yml:1:22: targets[0].registry: registry 'https://a.example' has a query (expected one "
       "like https://registry.example.com)"},
      {"a port that is none", Target("registry: \"a.example:99999\", repository: x"),
       "f.yml:1:22: targets[0].registry: 'https://a.example:99999' is not a usable URL: Port "
       "number was not a decimal number between 0 and 65535"},
      {"a blank in the registry", Target("registry: \"a example\", repository: x"),
       "f.yml:1:22: targets[0].registry: 'https://a example' is not a usable URL: a character is "
       "not allowed"},
      {"an empty label in the registry", Target("registry: a..example, repository: x"),
       "f.yml:1:22: targets[0].registry: 'https://a..example' is not a usable URL: 'a..example' is "
       "not a host name: a label is empty"},
      {"no repository", Target("registry: a.example"),
       "f.yml:1:11: targets[0].repository: is required, as in team/app"},
      {"a repository in upper case", Target("registry: a.example, repository: Team/App"),
       "f.yml:1:45: targets[0].repository: 'Team/App' is not a repository (expected a path in "
       "lower case like team/app)"},
      {"a repository with a tag", Target("registry: a.example, repository: \"team/app:v1\""),
       "f.yml:1:45: targets[0].repository: 'team/app:v1' is not a repository (expected a path in "
       "lower case like team/app)"},
      {"a repository with an empty part", Target("registry: a.example, repository: team//app"),
       "f.yml:1:45: targets[0].repository: 'team//app' is not a repository (expected a path in "
       "lower case like team/app)"},
      {"a repository that begins with a dash", Target("registry: a.example, repository: -app"),
       "f.yml:1:45: targets[0].repository: '-app' is not a repository (expected a path in lower "
       "case like team/app)"},
      {"a repository and repositories", InTarget("repositories: [a/b]"),
       "f.yml:4:19: targets[0].repositories: expected either repository or repositories, not both"},
      {"no repositories", Target("registry: a.example, repositories: []"),
       "f.yml:1:47: targets[0].repositories: is required, as in team/app"},
      {"a bad one of several repositories", Target("registry: a.example, repositories: [a, B]"),
       "f.yml:1:47: targets[0].repositories: 'B' is not a repository (expected a path in lower "
       "case like team/app)"},
      {"a name for several repositories",
       Target("registry: a.example, repositories: [a, b], name: x"),
       "f.yml:1:61: targets[0].name: expected none beside several repositories, which are named "
       "host/repository"},
      // Names
      {"a name that is too long", InTarget("name: " + std::string(257, 'n')),
       "f.yml:4:11: targets[0].name: expected at most 256 bytes, not 257"},
      {"a line break in a name", InTarget("name: \"a\\nb\""),
       "f.yml:4:11: targets[0].name: expected text without control characters"},
      {"a NUL in a team", InTarget("team: \"a\\0b\""),
       "f.yml:4:11: targets[0].team: expected text without control characters"},
      // Credentials and the way to the registry
      {"a user name without a password", InTarget("basic_auth: {username: u}"),
       "f.yml:4:17: targets[0].basic_auth.password_file: expected either password or "
       "password_file"},
      {"an empty password", InTarget("basic_auth: {username: u, password: \"\"}"),
       "f.yml:4:17: targets[0].basic_auth.password_file: expected either password or "
       "password_file"},
      {"a password without a user name", InTarget("basic_auth: {password: SECRET}"),
       "f.yml:4:17: targets[0].basic_auth.username_file: expected either username or "
       "username_file"},
      {"two passwords", InTarget("basic_auth: {username: u, password: SECRET, password_file: f}"),
       "f.yml:4:64: targets[0].basic_auth.password_file: expected either password or "
       "password_file"},
      {"two ways to log in",
       InTarget("docker_config_file: f\n    authorization: {credentials: SECRET}"),
       "f.yml:5:20: targets[0].authorization: expected only one of basic_auth, authorization and "
       "docker_config_file"},
      {"no token", InTarget("authorization: {}"),
       "f.yml:4:20: targets[0].authorization.credentials_file: expected either credentials or "
       "credentials_file"},
      {"a password for a list of realms",
       InTarget("token_realms: [\"https://u:SECRET@a.example\"]"),
       "f.yml:4:19: targets[0].token_realms: 'https://a.example/' has a user name or a query "
       "(expected one like https://auth.example.com/token)"},
      {"a certificate without its key", InTarget("tls_config: {cert_file: c}"),
       "f.yml:4:29: targets[0].tls_config.cert_file: expected cert_file and key_file together"},
      {"a proxy without a port", InTarget("proxy_url: \"http://u:SECRET\""),
       "f.yml:4:16: targets[0].proxy_url: 'http://u' is not a usable proxy: Port number was not a "
       "decimal number between 0 and 65535 (expected one like http://proxy:3128)"},
      {"a password for no proxy", InTarget("proxy_password_file: f"),
       "f.yml:4:26: targets[0].proxy_password_file: expected proxy_url beside it"},
      // What must be unique
      {"a name twice",
       "targets:\n  - {name: one, registry: a.example, repository: x}\n  - {name: one, registry: "
       "b.example, repository: x}\n",
       "f.yml:3:12: targets[1].name: another target has the name 'one' too"},
      {"a name that is another's by default",
       "targets:\n  - {registry: a.example, repository: x}\n  - {name: a.example/x, registry: "
       "b.example, repository: x}\n",
       "f.yml:3:12: targets[1].name: another target has the name 'a.example/x' too"},
      {"a repository twice",
       "targets:\n  - {registry: a.example, repository: x}\n  - {registry: "
       "\"https://A.example:443/\", repository: x}\n",
       "f.yml:3:54: targets[1].repository: target 'a.example/x' is the same repository, "
       "a.example/x"},
      {"a repository by https and http",
       "targets:\n  - {name: one, registry: https://a.example, repository: x}\n  - {name: two, "
       "registry: http://a.example, repository: x}\n",
       "f.yml:3:57: targets[1].repository: target 'one' is the same repository, a.example/x "
       "(http:// and https:// do not make two of a host)"},
      {"a repository twice in one list", Target("registry: a.example, repositories: [x, y, x]"),
       "f.yml:1:47: targets[0].repositories: target 'a.example/x' is the same repository, "
       "a.example/x"},
      {"a target twice by its alias", "targets: [&a {registry: a.example, repository: x}, *a]\n",
       "f.yml:1:48: targets[1].repository: target 'a.example/x' is the same repository, "
       "a.example/x"},
      // No targets
      {"an empty file", "", "f.yml: targets: expected at least one target"},
      {"a comment only", "# nothing but a comment\n",
       "f.yml:2:1: targets: expected at least one target"},
      {"an empty list of targets", "targets: []\n",
       "f.yml:1:10: targets: expected at least one target"},
      {"defaults only", "scan: {interval: 1h}\n",
       "f.yml:1:1: targets: expected at least one target"},
      // No YAML, or not as it was meant
      {"a tab", "targets:\n\t- registry: a.example\n",
       "f.yml:2:2: not valid YAML: a tab indents this line (expected spaces)"},
      {"a line in the wrong column", "targets:\n  - registry: a.example\n   repository: x\n",
       "f.yml:3:4: not valid YAML: this does not go on where those above it end (is it in another "
       "column, or a quote open?)"},
      {"an open [", "targets: [\n", "f.yml:2:1: not valid YAML: a [ is not closed"},
      {"an open {", "scan: {interval: 1h\n", "f.yml:2:1: not valid YAML: a { is not closed"},
      {"a } too many", InScan("interval: 1h}"),
       "f.yml:1:21: not valid YAML: a ] or } closes nothing"},
      {"an open quote", InTarget("team: \"platform"),
       "f.yml:4:5: not valid YAML: a quote that begins after this is not closed"},
      {"an open quote at the very end", kTarget + "    team: 'platform",
       "f.yml:4:5: not valid YAML: a quote that begins after this is not closed"},
      {"a colon without quotes", "targets:\n  - a: b: c\n",
       "f.yml:2:9: not valid YAML: a key's ': ' cannot stand here (a value with ': ' in it needs "
       "quotes)"},
      {"a \\ in double quotes", InTarget("team: \"a\\team\\q\""),
       "f.yml:4:20: not valid YAML: a \\ that begins no escape (in double quotes \\ is written "
       "\\\\, in single ones as it is)"},
      {"a value that begins with @", InTarget("team: @platform"),
       "f.yml:4:11: not valid YAML: a value cannot begin with this character without quotes"},
      {"a value that begins with *", InTarget("team: *platform"),
       "f.yml:4:11: not valid YAML: an alias without its anchor (a value that begins with * needs "
       "quotes)"},
      {"an alias of what it is in", "targets: &a [*a]\n",
       "f.yml:1:10: targets[0]: expected a mapping of keys to values"},
      {"a thousand brackets", "targets: " + std::string(3000, '[') + "\n",
       "f.yml:3:1: not valid YAML: it is nested too deeply"},
      {"a second document", kTarget + "---\nscan: {}\n",
       "f.yml:4:1: expected the file's end, not a second YAML document"},
      {"text after the document's end", kTarget + "...\nmore\n",
       "f.yml:5:1: expected the file's end, not a second YAML document"},
      {"a NUL", kTarget + std::string("# a\000b\n", 6),
       "f.yml:4:4: expected text without control characters, not the byte 0x00"},
      {"an escape character", InTarget("team: \033[31m"),
       "f.yml:4:11: expected text without control characters, not the byte 0x1b"},
      {"Latin-1", InTarget("team: caf\351"), "f.yml:4:14: expected UTF-8 text, not the byte 0xe9"},
      {"UTF-16", std::string("\377\376t\000", 4),
       "f.yml:1:1: expected UTF-8 text, not the byte 0xff"},
      {"a program", "\177ELF",
       "f.yml:1:1: expected text without control characters, not the byte 0x7f"},
  };
}

TEST(WrongConfigurations, EachHasItsMessage) {
  std::set<std::string> names;
  for (const WrongConfiguration& wrong : WrongConfigurations()) {
    EXPECT_TRUE(names.insert(wrong.name).second) << wrong.name;
    const Result<Config> config = ParseConfig(wrong.text, "f.yml");
    ASSERT_FALSE(config) << wrong.name;
    EXPECT_EQ(config.error().message, wrong.message) << wrong.name;
    EXPECT_THAT(config.error().message, Not(HasSubstr("SECRET"))) << wrong.name;
  }
}

}  // namespace
}  // namespace registry_backend
