#include "exporter/commands/command_line.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdio>
#include <exception>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "exporter/commands/allowlist.h"
#include "exporter/commands/build.h"
#include "exporter/commands/completion.h"
#include "exporter/commands/diff.h"
#include "exporter/commands/drill.h"
#include "exporter/commands/exit_code.h"
#include "exporter/commands/healthcheck.h"
#include "exporter/commands/scan.h"
#include "exporter/commands/serve.h"
#include "exporter/monitor/drill.h"

namespace registry_backend {
namespace {

const std::map<std::string, LogLevel> kLogLevels = {{"debug", LogLevel::kDebug},
                                                    {"info", LogLevel::kInfo},
                                                    {"warn", LogLevel::kWarn},
                                                    {"error", LogLevel::kError}};
const std::map<std::string, LogFormat> kLogFormats = {{"logfmt", LogFormat::kLogfmt},
                                                      {"json", LogFormat::kJson}};
const std::map<std::string, ReportOutput> kReportOutputs = {{"json", ReportOutput::kJson},
                                                            {"summary", ReportOutput::kSummary},
                                                            {"detailed", ReportOutput::kDetailed},
                                                            {"html", ReportOutput::kHtml}};
const std::map<std::string, Shell> kShells = {
    {"bash", Shell::kBash}, {"fish", Shell::kFish}, {"zsh", Shell::kZsh}};
const std::map<std::string, DiffFormat> kDiffFormats = {
    {"json", DiffFormat::kJson}, {"markdown", DiffFormat::kMarkdown}, {"text", DiffFormat::kText}};
const std::map<std::string, AllowlistFormat> kAllowlistChoices(std::begin(kAllowlistFormats),
                                                               std::end(kAllowlistFormats));

const std::map<std::string, Serves> kServesChoices = {{"api", Serves::kApi},
                                                      {"blobs", Serves::kBlobs},
                                                      {"manifests", Serves::kManifests},
                                                      {"tokens", Serves::kTokens}};

constexpr const char* kDefaultCommand = "serve";

std::string VersionText() {
  const BuildInfo build = ThisBuild();
  return "registry_backend_exporter, version " + build.version + " (revision " + build.revision +
         ", " + build.compiler + ")";
}

// CLI11's own message shows the value only, and takes numbers for names.
template <typename Value>
CLI::Option* AddChoice(CLI::App& app, const std::string& flag, Value& value,
                       const std::map<std::string, Value>& choices, const std::string& help) {
  std::string names;
  for (const auto& [name, unused] : choices) names += (names.empty() ? "" : "|") + name;
  const auto read = [&choices, names](std::string& text) {
    const auto choice = choices.find(text);
    if (choice == choices.end()) return "expected " + names + ", not '" + text + "'";
    text = std::to_string(static_cast<int>(choice->second));
    return std::string();
  };
  return app.add_option(flag, value, help)
      ->transform(CLI::Validator(read, names))
      ->option_text(names);
}

template <typename Number>
CLI::Option* AddNumber(CLI::App& app, const std::string& flag, Number& value, std::size_t least,
                       const std::string& help) {
  const auto check = [least](const std::string& text) {
    Number number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = fault == std::errc() && end == text.data() + text.size();
    if (whole && number >= least) return std::string();
    return "expected a whole number of at least " + std::to_string(least) + ", not '" + text + "'";
  };
  return app.add_option(flag, value, help)->option_text("N")->check(check);
}

CLI::App* AddServe(CLI::App& app, ServeCommand& command) {
  CLI::App* serve = app.add_subcommand(kDefaultCommand, "Run the exporter (the default)");
  serve
      ->add_option("--config.file", command.config_file,
                   "Configuration (YAML); without it HashiCorp's Terraform Enterprise is the "
                   "target, with REGISTRY_USERNAME and REGISTRY_PASSWORD")
      ->option_text("FILE");
  serve
      ->add_option("--storage.path", command.storage_path,
                   "Directory for what is known of the targets (default data/)")
      ->option_text("DIR");
  serve->add_flag("--config.check", command.check_only, "Only check the configuration");
  serve
      ->add_option("--web.listen-address", command.listen_addresses,
                   "Where to listen; may be repeated (default :9877)")
      ->option_text("ADDRESS");
  serve
      ->add_option(
          "--web.config.file", command.web_config_file,
          "TLS, passwords and headers of the web server (YAML), as other exporters have it")
      ->option_text("FILE");
  AddNumber(*serve, "--web.max-connections", command.max_connections, 1,
            "Connections at once; then the one that is idle longest ends (default 512)");
  serve
      ->add_option("--web.telemetry-path", command.web.telemetry_path,
                   "Path of the metrics (default /metrics)")
      ->option_text("PATH")
      ->check([](const std::string& path) {
        return path.starts_with("/") ? std::string() : "'" + path + "' does not begin with /";
      });
  serve
      ->add_option(
          "--web.external-url", command.external_url,
          "Where browsers find the exporter behind a reverse proxy: its path is put before "
          "links, and may be before what is asked for")
      ->option_text("URL");
  serve->add_flag("--web.enable-lifecycle", command.web.enable_lifecycle,
                  "Allow POST /-/scan, /-/reload and /-/drill");
  AddNumber(*serve, "--shard.index", command.shard.index, 0,
            "Which part of the targets to scan, from 0 (default 0)");
  AddNumber(*serve, "--shard.total", command.shard.total, 1,
            "How many processes share the targets (default 1)");
  AddChoice(*serve, "--log.level", command.log_level, kLogLevels,
            "Least level logged (default info)");
  AddChoice(*serve, "--log.format", command.log_format, kLogFormats,
            "Form of log lines (default logfmt)");
  return serve;
}

CLI::App* AddScan(CLI::App& app, ScanCommand& command) {
  CLI::App* scan = app.add_subcommand("scan", "Scan once and print the report");
  CLI::Option* file =
      scan->add_option("--config.file", command.config_file, "Scan the targets of this file")
          ->option_text("FILE");
  scan->add_option("--target", command.target, "Only this target of the file")
      ->option_text("NAME")
      ->needs(file);
  for (const auto& [flag, text, value, help] :
       std::vector<std::tuple<std::string, std::string, std::string*, std::string>>{
           {"--registry", "URL", &command.registry,
            "Registry, https:// unless written out (default images.releases.hashicorp.com)"},
           {"--repository,--repo", "PATH", &command.repository,
            "Repository (default hashicorp/terraform-enterprise)"},
           {"--username", "NAME", &command.username, "User (or REGISTRY_USERNAME)"},
           {"--password", "TEXT", &command.password,
            "Password; others may see it in the process list (or REGISTRY_PASSWORD)"},
           {"--password-file", "FILE", &command.password_file,
            "File with the password; - is standard input"},
           {"--token", "TEXT", &command.token,
            "Bearer token for the registry; others may see it in the process list (or "
            "REGISTRY_TOKEN)"},
           {"--docker-config", "FILE", &command.docker_config,
            "Docker config file or Kubernetes pull secret with the credentials (or config.json in "
            "DOCKER_CONFIG)"},
           {"--ca-file", "FILE", &command.ca_file,
            "Trust these certificates (PEM), not the system's"},
           {"--proxy-url", "URL", &command.proxy_url,
            "Proxy, as http://user@proxy:3128 (or HTTPS_PROXY, HTTP_PROXY, NO_PROXY)"},
       }) {
    scan->add_option(flag, *value, help)->option_text(text)->excludes(file);
  }
  scan->get_option("--password")->excludes(scan->get_option("--password-file"));
  for (const char* flag : {"--username", "--password", "--password-file"}) {
    scan->get_option("--token")->excludes(scan->get_option(flag));
    scan->get_option("--docker-config")->excludes(scan->get_option(flag));
  }
  scan->get_option("--token")->excludes(scan->get_option("--docker-config"));
  AddNumber(*scan, "--num-tags", command.num_tags, 0,
            "Scan only the newest N tags; 0 is all (default)");
  AddChoice(*scan, "--output", command.output, kReportOutputs, "Form of the report (default json)");
  return scan;
}

CLI::App* AddDiff(CLI::App& app, DiffCommand& command) {
  CLI::App* diff = app.add_subcommand("diff", "Say what changed between two reports");
  const std::pair<std::string, std::string*> reports[] = {{"OLD.json", &command.old_report},
                                                          {"NEW.json", &command.new_report}};
  for (const auto& [name, value] : reports) {
    diff->add_option(name, *value, "Report by scan, or by the original tool; - is standard input")
        ->option_text("FILE")
        ->required();
  }
  AddChoice(*diff, "--output", command.output, kDiffFormats,
            "Form of the comparison (default markdown)");
  return diff;
}

CLI::App* AddAllowlist(CLI::App& app, AllowlistCommand& command) {
  CLI::App* allowlist = app.add_subcommand("allowlist", "Print the hosts that pulls need");
  CLI::Option* report =
      allowlist->add_option("--report", command.report, "Of this report; - is standard input")
          ->option_text("FILE");
  allowlist
      ->add_option("--storage.path", command.storage_path,
                   "Of what an exporter keeps here (default data/)")
      ->option_text("DIR")
      ->excludes(report);
  allowlist->add_option("--target", command.target, "Only of this one of the targets")
      ->option_text("REGISTRY/REPOSITORY");
  AddChoice(*allowlist, "--format", command.format, kAllowlistChoices,
            "Form of the list (default plain)");
  return allowlist;
}

void NeedEachOther(CLI::App& app, const std::string& one, const std::string& other) {
  app.get_option(one)->needs(app.get_option(other));
  app.get_option(other)->needs(app.get_option(one));
}

// Where a running exporter is, and how to connect to it.
void AddExporter(CLI::App& app, ExporterAccess& access) {
  app.add_option("--url", access.url, "Of the exporter (default " + access.url + ")")
      ->option_text("URL");
  ConnectionOptions& connection = access.connection;
  for (const auto& [flag, value, help] :
       std::vector<std::tuple<std::string, std::string*, std::string>>{
           {"--ca-file", &connection.ca_file, "Trust these certificates (PEM), not the system's"},
           {"--cert-file", &connection.cert_file, "Certificate to show to the exporter (PEM)"},
           {"--key-file", &connection.key_file, "Its key (PEM)"},
       }) {
    app.add_option(flag, *value, help)->option_text("FILE");
  }
  NeedEachOther(app, "--cert-file", "--key-file");
  app.add_flag("--insecure-skip-verify", connection.insecure_skip_verify, "Take any certificate");
}

CLI::App* AddDrill(CLI::App& app, DrillCommand& command) {
  CLI::App* drill = app.add_subcommand(
      "drill", "Have a running exporter show a marked host that comes and goes, to prove alerts");
  AddExporter(*drill, command.access);
  ExporterAccess& access = command.access;
  for (const auto& [flag, text, value, help] :
       std::vector<std::tuple<std::string, std::string, std::string*, std::string>>{
           {"--username", "NAME", &access.username, "User of the exporter's web server"},
           {"--password-file", "FILE", &access.password_file,
            "File with the password; - is standard input"},
           {"--target", "NAME", &command.target, "At this target; needed where there are several"},
       }) {
    drill->add_option(flag, *value, help)->option_text(text);
  }
  NeedEachOther(*drill, "--username", "--password-file");
  CLI::Option* stop = drill->add_flag("--stop", command.stop, "End the one that is under way");
  drill
      ->add_option("--duration", command.duration,
                   "How long the host is there, 1s to 1d (default " +
                       std::string(kDefaultDrillDuration) + ")")
      ->option_text("DURATION")
      ->check([](const std::string& text) {
        const Result<Duration> duration = ParseDrillDuration(text);
        return duration ? std::string() : duration.error().message;
      })
      ->excludes(stop);
  AddChoice(*drill, "--serves", command.serves, kServesChoices,
            "What the host is said to serve (default blobs)")
      ->excludes(stop);
  drill->add_flag("--wait", command.wait, "Wait for its end; Ctrl-C has the host vanish")
      ->excludes(stop);
  return drill;
}

CLI::App* AddHealthcheck(CLI::App& app, HealthcheckCommand& command) {
  CLI::App* healthcheck =
      app.add_subcommand("healthcheck", "Ask a running exporter whether it is healthy");
  AddExporter(*healthcheck, command.access);
  return healthcheck;
}

CLI::App* AddCompletion(CLI::App& app, Shell& shell) {
  CLI::App* completion =
      app.add_subcommand("completion", "Print what has a shell complete the command line");
  AddChoice(*completion, "shell", shell, kShells, "Which shell")->required();
  return completion;
}

// By what --help shows of it.
CompletedValue DescribeValue(const std::string& text) {
  if (text == "FILE") return {CompletedValue::Kind::kFile, {}};
  if (text == "DIR") return {CompletedValue::Kind::kDirectory, {}};
  if (text.find('|') == std::string::npos) return {};
  return {CompletedValue::Kind::kChoice, CLI::detail::split(text, '|')};
}

CompletedCommand DescribeCommand(const CLI::App& app) {
  CompletedCommand command{app.get_name(), app.get_description(), {}, {}};
  for (const CLI::Option* option : app.get_options()) {
    const CompletedValue value = DescribeValue(option->get_option_text());
    if (option->get_positional()) {
      command.arguments.push_back(value);
      continue;
    }
    CompletedOption described{{}, option->get_description(), false, value};
    described.takes_value = option->get_items_expected_max() > 0;
    for (const std::string& name : option->get_snames()) described.names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) described.names.push_back("--" + name);
    command.options.push_back(std::move(described));
  }
  return command;
}

// All there is of the command line, so that no list of it goes out of date.
CompletedProgram DescribeProgram(const CLI::App& app) {
  CompletedProgram program{app.get_name(), DescribeCommand(app).options, {}, kDefaultCommand};
  for (const CLI::App* command : app.get_subcommands({})) {
    program.commands.push_back(DescribeCommand(*command));
  }
  return program;
}

// `serve` may be left out: it is put in front of flags that are not the program's own.
std::vector<std::string> WithDefaultCommand(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool has_command = !arguments.empty() && !arguments.front().starts_with("-");
  const bool asks_about_program =
      !arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h" ||
                             arguments.front() == "--version");
  if (!has_command && !asks_about_program) arguments.insert(arguments.begin(), kDefaultCommand);
  return arguments;
}

// What is wrong with arguments that belong to no option. Values are not repeated: next to a
// misspelt `--password` stands a password.
std::string DescribeExtras(const CLI::App& command, const std::vector<std::string>& arguments) {
  std::string unknown;
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    if (!name.starts_with("--") || command.get_option_no_throw(name) != nullptr) continue;
    unknown += (unknown.empty() ? "there is no option " : ", ") + name;
  }
  if (unknown.empty()) unknown = "there is an argument that belongs to no option";
  return "registry_backend_exporter: " + unknown + "; " + command.get_name() +
         " --help lists the options there are\n";
}

}  // namespace

// What libraries throw ends the program here: a full memory, say.
int RunCommandLine(int argc, const char* const* argv) try {
  ServeCommand serve_command;
  ScanCommand scan_command;
  DiffCommand diff_command;
  AllowlistCommand allowlist_command;
  DrillCommand drill_command;
  HealthcheckCommand healthcheck_command;
  Shell shell = Shell::kBash;
  CLI::App app("Prometheus exporter for the storage hosts behind a container registry",
               "registry_backend_exporter");
  app.set_version_flag("--version", VersionText());
  app.require_subcommand(1);
  const CLI::App* serve = AddServe(app, serve_command);
  const CLI::App* scan = AddScan(app, scan_command);
  const CLI::App* diff = AddDiff(app, diff_command);
  const CLI::App* allowlist = AddAllowlist(app, allowlist_command);
  const CLI::App* drill = AddDrill(app, drill_command);
  const CLI::App* healthcheck = AddHealthcheck(app, healthcheck_command);
  const CLI::App* completion = AddCompletion(app, shell);
  std::vector<std::string> arguments = WithDefaultCommand(argc, argv);
  const auto is_named = [&arguments](const CLI::App* command) {
    return command->get_name() == arguments.front();
  };
  if (!arguments.front().starts_with("-") && app.get_subcommands(is_named).empty()) {
    std::cerr << "registry_backend_exporter: there is no command '" << arguments.front()
              << "'; --help lists those there are\n";
    return kExitUsage;
  }
  std::reverse(arguments.begin(), arguments.end());  // CLI11 takes them from the back
  try {
    app.parse(arguments);
  } catch (const CLI::ExtrasError&) {
    const std::vector<CLI::App*> named = app.get_subcommands();
    std::cerr << DescribeExtras(named.empty() ? *serve : *named.front(), {argv + 1, argv + argc});
    return kExitUsage;
  } catch (const CLI::ParseError& fault) {
    return app.exit(fault, std::cout, std::cerr) == 0 ? kExitComplete : kExitUsage;
  }
  if (*serve) return RunServe(serve_command);
  if (*scan) return RunScan(scan_command);
  if (*diff) return RunDiff(diff_command);
  if (*allowlist) return RunAllowlist(allowlist_command);
  if (*drill) return RunDrill(drill_command);
  if (*healthcheck) return RunHealthcheck(healthcheck_command);
  if (*completion) {
    std::cout << CompletionScript(shell, DescribeProgram(app)) << std::flush;
    return std::cout ? kExitComplete : kExitFailed;
  }
  return kExitUsage;
} catch (const std::exception& fault) {
  std::fprintf(stderr, "registry_backend_exporter: it cannot go on: %s\n", fault.what());
  return kExitTrouble;
}

}  // namespace registry_backend
