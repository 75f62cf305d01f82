#include "exporter/commands/scan.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "exporter/commands/build.h"
#include "exporter/commands/environment.h"
#include "exporter/commands/exit_code.h"
#include "exporter/commands/interruption.h"
#include "exporter/commands/progress.h"
#include "exporter/config/config.h"
#include "exporter/config/target_values.h"
#include "exporter/discovery/scanner.h"
#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "exporter/report/html.h"
#include "exporter/report/report.h"
#include "exporter/report/text.h"

namespace registry_backend {
namespace {

void PrintError(const std::string& message) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", message.c_str());
}

// What flags say, each way of its own; else the environment.
Result<CredentialsSource> CredentialsFromFlags(const ScanCommand& command) {
  if (!command.token.empty()) {
    return CredentialsSource{.kind = CredentialsSource::Kind::kToken, .token = command.token};
  }
  if (!command.docker_config.empty()) {
    return CredentialsSource{.kind = CredentialsSource::Kind::kDockerConfig,
                             .docker_config_file = command.docker_config};
  }
  CredentialsSource basic{.kind = CredentialsSource::Kind::kBasic,
                          .username = command.username,
                          .password = command.password,
                          .password_file = command.password_file};
  const bool given =
      !basic.username.empty() || !basic.password.empty() || !basic.password_file.empty();
  if (!given) return CredentialsFromEnvironment();
  // A flag may complete what the environment has.
  if (basic.username.empty()) basic.username = EnvironmentVariable("REGISTRY_USERNAME");
  if (basic.password.empty() && basic.password_file.empty()) {
    basic.password = EnvironmentVariable("REGISTRY_PASSWORD");
  }
  return basic;
}

Result<ConnectionOptions> ConnectionFromFlags(const ScanCommand& command) {
  ConnectionOptions connection;
  connection.ca_file = command.ca_file;
  if (command.proxy_url.empty()) {
    if (Status set = SetProxies(ProxiesFromEnvironment(), connection); !set) return set.error();
    return connection;
  }
  Result<Proxy> proxy = ParseProxy(command.proxy_url);
  if (!proxy) return Error{ErrorKind::kInternal, "--proxy-url: " + proxy.error().message};
  connection.https_proxy = connection.http_proxy = *std::move(proxy);
  return connection;
}

// The registry and the repository that flags name, in place of the default ones.
Status SetSubject(const ScanCommand& command, TargetOptions& target) {
  if (!command.registry.empty()) {
    if (command.repository.empty()) {
      return Error{ErrorKind::kInternal, "--registry needs --repository"};
    }
    Result<Url> registry = ParseRegistry(command.registry);
    if (!registry) return Error{ErrorKind::kInternal, "--registry: " + registry.error().message};
    target.registry.registry = *std::move(registry);
  }
  if (!command.repository.empty()) {
    Result<std::string> repository = ParseRepository(command.repository);
    if (!repository) {
      return Error{ErrorKind::kInternal, "--repository: " + repository.error().message};
    }
    target.registry.repository = *std::move(repository);
  }
  target.name = target.registry.registry.host().text() + "/" + target.registry.repository;
  return Ok();
}

Result<std::vector<TargetOptions>> TargetsFromFlags(const ScanCommand& command) {
  Result<CredentialsSource> credentials = CredentialsFromFlags(command);
  if (!credentials) return credentials.error();
  const bool has_user =
      credentials->kind != CredentialsSource::Kind::kBasic || !credentials->username.empty();
  if (!command.registry.empty() && !has_user) {
    return Error{ErrorKind::kInternal, "--registry with a password needs --username"};
  }
  TargetOptions target = DefaultTarget(*std::move(credentials));
  if (Status set = SetSubject(command, target); !set) return set.error();
  Result<ConnectionOptions> connection = ConnectionFromFlags(command);
  if (!connection) return connection.error();
  target.registry.connection = std::make_shared<const ConnectionOptions>(*std::move(connection));
  target.scan.newest_tags = command.num_tags;
  return std::vector<TargetOptions>{std::move(target)};
}

Result<std::vector<TargetOptions>> TargetsFromFile(const ScanCommand& command) {
  Result<Config> config = LoadConfig(command.config_file, ProxiesFromEnvironment());
  if (!config) return config.error();
  for (const std::string& warning : config->warnings) PrintError("warning: " + warning);
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

// One target's client, scanner and, in the end, result. Without a client the result is there from
// the start.
struct Job {
  explicit Job(TargetOptions target) : options(std::move(target)) {}

  TargetOptions options;
  std::optional<RegistryClient> client;
  std::optional<Scanner> scanner;
  ScanResult result;
};

// Counts what is sent.
class RequestCounter : public RequestObserver {
 public:
  void OnRequest(std::string_view, std::string_view, int, Duration) override { ++requests_; }
  void OnRetry(std::string_view, std::string_view) override {}
  void OnRegistryGone(std::string_view) override {}
  [[nodiscard]] std::uint64_t requests() const { return requests_; }

 private:
  std::uint64_t requests_ = 0;
};

using Jobs = std::vector<std::unique_ptr<Job>>;

// Of those that can run at all.
ScanProgress ProgressOf(const Jobs& jobs, const RequestCounter& counter, Duration elapsed) {
  ScanProgress all{.targets = jobs.size(), .requests = counter.requests(), .elapsed = elapsed};
  for (const auto& job : jobs) {
    if (!job->scanner) {
      ++all.ended;
      all.asked += job->result.asked;
      all.answered += job->result.asked;
      continue;
    }
    if (all.target.empty()) all.target = job->options.name;
    const ScanPlan::Progress progress = job->scanner->progress();
    all.asked += progress.asked;
    all.answered += progress.answered;
  }
  return all;
}

// Runs all jobs at once, on this thread.
void RunJobs(NetworkLoop& loop, const Jobs& jobs, const RequestCounter& counter) {
  const Interruption interruption(loop, [&jobs](std::string_view signal) {
    const Error why{ErrorKind::kCancelled, "interrupted by " + std::string(signal)};
    for (const auto& job : jobs) {
      if (job->scanner) job->scanner->CutShort(why);
    }
  });
  const ProgressLine line(loop, [&jobs, &counter, &loop, start = loop.Now()] {
    return ProgressOf(jobs, counter, loop.Now() - start);
  });
  std::size_t left = 0;
  for (const auto& job : jobs) {
    if (!job->client) continue;
    ++left;
    job->scanner.emplace(loop, *job->client, job->options.scan, ScanHints{});
    job->scanner->Start([&loop, &left, raw = job.get()](ScanResult result) {
      raw->result = std::move(result);
      raw->scanner.reset();
      if (--left == 0) loop.Stop();
    });
  }
  if (left > 0) loop.Run();
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

ReportSubject SubjectOf(const Job& job) {
  return {job.options.registry.registry, job.options.registry.repository};
}

void PrintJson(const Jobs& jobs, const TextSink& print) {
  JsonWriter writer(JsonWriter::Layout::kIndented, print);
  if (jobs.size() != 1) writer.BeginArray();
  for (const auto& job : jobs) WriteReport(SubjectOf(*job), job->result, writer);
  if (jobs.size() != 1) writer.EndArray();
  writer.EndDocument();
}

void PrintDetailed(const Jobs& jobs, const TextSink& print) {
  for (const auto& job : jobs) {
    if (job != jobs.front()) print("\n");
    WriteDetailed(SubjectOf(*job), job->result, print);
  }
}

void PrintHtml(const Jobs& jobs, const TextSink& print) {
  std::vector<ReportedScan> scans;
  for (const auto& job : jobs) scans.push_back({SubjectOf(*job), &job->result});
  WriteHtml(scans, print);
}

// False where not all of it could be written.
bool Print(const Jobs& jobs, ReportOutput output) {
  const TextSink print = [](std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
  };
  switch (output) {
    case ReportOutput::kJson:
      PrintJson(jobs, print);
      break;
    case ReportOutput::kSummary:
      for (const auto& job : jobs) print(MakeSummary(SubjectOf(*job), job->result));
      break;
    case ReportOutput::kDetailed:
      PrintDetailed(jobs, print);
      break;
    case ReportOutput::kHtml:
      PrintHtml(jobs, print);
      break;
  }
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

// Says on standard error what kept scans from being complete; returns the worst outcome.
ScanOutcome Complain(const Jobs& jobs) {
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
  RequestCounter counter;
  CurlTransport transport({"registry_backend_exporter/" + ThisBuild().version}, &counter);
  NetworkLoop loop(transport);
  Pacer pacer;
  Jobs jobs;
  for (TargetOptions& target : *targets) {
    pacer.Limit(target.registry.registry.origin(), target.scan.max_requests_per_second);
    Result<Credentials> credentials = ReadCredentials(
        target.credentials, {target.registry.registry.host(), target.registry.repository});
    if (!credentials && command.config_file.empty()) {
      PrintError(credentials.error().message);
      return kExitUsage;
    }
    jobs.push_back(std::make_unique<Job>(std::move(target)));
    Job& job = *jobs.back();
    if (credentials) {
      job.client.emplace(Network{loop, transport, pacer, nullptr}, job.options.registry);
      job.client->SetCredentials(*std::move(credentials));
    } else {
      job.result = ScanThatCouldNotBegin(credentials.error(), WallClock::now());
    }
  }
  RunJobs(loop, jobs, counter);
  const bool printed = Print(jobs, command.output);
  const int code = ExitCodeOf(Complain(jobs));
  if (printed) return code;
  PrintError(std::string("the report cannot be written: ") + std::strerror(errno));
  return kExitFailed;
}

}  // namespace registry_backend
