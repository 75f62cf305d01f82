#include "exporter/commands/scan.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "exporter/commands/build.h"
#include "exporter/commands/environment.h"
#include "exporter/commands/exit_code.h"
#include "exporter/config/config.h"
#include "exporter/config/target_values.h"
#include "exporter/discovery/scanner.h"
#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "exporter/report/report.h"

namespace registry_backend {
namespace {

void PrintError(const std::string& message) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", message.c_str());
}

CredentialsSource CredentialsFromFlags(const ScanCommand& command) {
  CredentialsSource source = CredentialsFromEnvironment();
  if (!command.username.empty()) source.username = command.username;
  if (!command.password.empty()) source.password = command.password;
  source.password_file = command.password_file;
  if (!source.username.empty() || !source.password.empty() || !source.password_file.empty()) {
    source.kind = CredentialsSource::Kind::kBasic;
  }
  return source;
}

Result<std::vector<TargetOptions>> TargetsFromFlags(const ScanCommand& command) {
  TargetOptions target = DefaultTarget(CredentialsFromFlags(command));
  if (!command.registry.empty()) {
    if (command.repository.empty()) {
      return Error{ErrorKind::kInternal, "--registry needs --repository"};
    }
    const CredentialsSource given = CredentialsFromFlags(command);
    if (given.kind == CredentialsSource::Kind::kBasic && given.username.empty()) {
      return Error{ErrorKind::kInternal, "--registry with a password needs --username"};
    }
    Result<Url> registry = ParseRegistry(command.registry);
    if (!registry) return Error{ErrorKind::kInternal, "--registry: " + registry.error().message};
    target.registry.registry = *std::move(registry);
  }
  if (!command.repository.empty()) {
    Result<std::string> repository = ParseRepository(command.repository);
    if (!repository)
      return Error{ErrorKind::kInternal, "--repository: " + repository.error().message};
    target.registry.repository = *std::move(repository);
  }
  target.name = target.registry.registry.host().text() + "/" + target.registry.repository;
  ConnectionOptions connection = ConnectionFromEnvironment();
  connection.ca_file = command.ca_file;
  target.registry.connection = std::make_shared<const ConnectionOptions>(std::move(connection));
  target.scan.newest_tags = command.num_tags;
  return std::vector<TargetOptions>{std::move(target)};
}

Result<std::vector<TargetOptions>> TargetsFromFile(const ScanCommand& command) {
  Result<Config> config = LoadConfig(command.config_file);
  if (!config) return config.error();
  std::vector<TargetOptions> targets = std::move(config->targets);
  if (!command.target.empty()) {
    std::erase_if(targets, [&](const TargetOptions& t) { return t.name != command.target; });
    if (targets.empty()) {
      return Error{ErrorKind::kInternal,
                   command.config_file + ": there is no target '" + command.target + "'"};
    }
  }
  for (TargetOptions& target : targets) {
    if (command.num_tags != 0) target.scan.newest_tags = command.num_tags;
  }
  return targets;
}

// One target's client, scanner and, in the end, result.
struct Job {
  Job(Network network, TargetOptions target)
      : options(std::move(target)), client(network, options.registry) {}

  TargetOptions options;
  RegistryClient client;
  std::optional<Scanner> scanner;
  ScanResult result;
};

// Runs all jobs at once, on this thread.
void RunJobs(NetworkLoop& loop, const std::vector<std::unique_ptr<Job>>& jobs) {
  std::size_t left = jobs.size();
  for (const auto& job : jobs) {
    job->scanner.emplace(loop, job->client, job->options.scan, ScanHints{});
    job->scanner->Start([&loop, &left, raw = job.get()](ScanResult result) {
      raw->result = std::move(result);
      if (--left == 0) loop.Stop();
    });
  }
  loop.Run();
}

int ExitCodeOf(ScanOutcome outcome) {
  switch (outcome) {
    case ScanOutcome::kComplete:
      return kExitComplete;
    case ScanOutcome::kPartial:
      return kExitPartial;
    case ScanOutcome::kFailed:
      return kExitFailed;
  }
  return kExitFailed;
}

void Print(const std::vector<std::unique_ptr<Job>>& jobs, ReportOutput output) {
  nlohmann::ordered_json reports = nlohmann::ordered_json::array();
  std::string text;
  for (const auto& job : jobs) {
    const ReportSubject subject{job->options.registry.registry, job->options.registry.repository};
    if (output == ReportOutput::kJson) {
      reports.push_back(MakeReport(subject, job->result));
    } else {
      text += MakeSummary(subject, job->result);
    }
  }
  if (output == ReportOutput::kJson) text = WriteReport(jobs.size() == 1 ? reports[0] : reports, 2);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

// Says on standard error what kept scans from being complete; returns the worst outcome.
ScanOutcome Complain(const std::vector<std::unique_ptr<Job>>& jobs) {
  ScanOutcome worst = ScanOutcome::kComplete;
  for (const auto& job : jobs) {
    worst = std::max(worst, job->result.outcome);
    if (const Error* error = job->result.main_error()) {
      PrintError(job->options.name + ": the scan " +
                 (job->result.outcome == ScanOutcome::kFailed ? "failed" : "is partial") + " (" +
                 std::string(ReasonName(error->kind)) + "): " + error->message);
    }
  }
  return worst;
}

}  // namespace

int RunScan(const ScanCommand& command) {
  Result<std::vector<TargetOptions>> targets =
      command.config_file.empty() ? TargetsFromFlags(command) : TargetsFromFile(command);
  if (!targets) {
    PrintError(targets.error().message);
    return kExitUsage;
  }
  CurlTransport transport({"registry_backend_exporter/" + ThisBuild().version}, nullptr);
  NetworkLoop loop(transport);
  Pacer pacer;
  std::vector<std::unique_ptr<Job>> jobs;
  for (TargetOptions& target : *targets) {
    pacer.Limit(target.registry.registry.origin(), target.scan.max_requests_per_second);
    Result<Credentials> credentials = ReadCredentials(
        target.credentials, {target.registry.registry.host(), target.registry.repository});
    if (!credentials) {
      PrintError(credentials.error().message);
      return kExitUsage;
    }
    jobs.push_back(
        std::make_unique<Job>(Network{loop, transport, pacer, nullptr}, std::move(target)));
    jobs.back()->client.SetCredentials(*std::move(credentials));
  }
  RunJobs(loop, jobs);
  Print(jobs, command.output);
  return ExitCodeOf(Complain(jobs));
}

}  // namespace registry_backend
