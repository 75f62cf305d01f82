#include "exporter/commands/command_line.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "exporter/commands/allowlist.h"
#include "exporter/commands/build.h"
#include "exporter/commands/diff.h"
#include "exporter/commands/exit_code.h"
#include "exporter/commands/scan.h"
#include "exporter/commands/serve.h"

namespace registry_backend {
namespace {

const std::map<std::string, LogLevel> kLogLevels = {{"debug", LogLevel::kDebug},
                                                    {"info", LogLevel::kInfo},
                                                    {"warn", LogLevel::kWarn},
                                                    {"error", LogLevel::kError}};
const std::map<std::string, LogFormat> kLogFormats = {{"logfmt", LogFormat::kLogfmt},
                                                      {"json", LogFormat::kJson}};
const std::map<std::string, ReportOutput> kReportOutputs = {{"json", ReportOutput::kJson},
                                                            {"summary", ReportOutput::kSummary}};
const std::map<std::string, DiffFormat> kDiffFormats = {
    {"json", DiffFormat::kJson}, {"markdown", DiffFormat::kMarkdown}, {"text", DiffFormat::kText}};
const std::map<std::string, AllowlistFormat> kAllowlistChoices(std::begin(kAllowlistFormats),
                                                               std::end(kAllowlistFormats));

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
  CLI::App* serve = app.add_subcommand("serve", "Run the exporter (the default)");
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
  serve->add_flag("--web.enable-lifecycle", command.web.enable_lifecycle,
                  "Allow POST /-/scan and /-/reload");
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
  for (const auto& [flag, value, help] :
       std::vector<std::tuple<std::string, std::string*, std::string>>{
           {"--registry", &command.registry,
            "Registry, https:// unless written out (default images.releases.hashicorp.com)"},
           {"--repository,--repo", &command.repository,
            "Repository (default hashicorp/terraform-enterprise)"},
           {"--username", &command.username, "User (or REGISTRY_USERNAME)"},
           {"--password", &command.password,
            "Password; others may see it in the process list (or REGISTRY_PASSWORD)"},
           {"--password-file", &command.password_file,
            "File with the password; - is standard input"},
           {"--token", &command.token,
            "Bearer token for the registry; others may see it in the process list (or "
            "REGISTRY_TOKEN)"},
           {"--docker-config", &command.docker_config,
            "Docker config file or Kubernetes pull secret with the credentials (or config.json in "
            "DOCKER_CONFIG)"},
           {"--ca-file", &command.ca_file, "Trust these certificates (PEM), not the system's"},
           {"--proxy-url", &command.proxy_url,
            "Proxy, as http://user@proxy:3128 (or HTTPS_PROXY, HTTP_PROXY, NO_PROXY)"},
       }) {
    scan->add_option(flag, *value, help)->option_text("TEXT")->excludes(file);
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
        ->option_text(" ")
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

// `serve` may be left out: it is put in front of flags that are not the program's own.
std::vector<std::string> WithDefaultCommand(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  const bool has_command = !arguments.empty() && !arguments.front().starts_with("-");
  const bool asks_about_program =
      !arguments.empty() && (arguments.front() == "--help" || arguments.front() == "-h" ||
                             arguments.front() == "--version");
  if (!has_command && !asks_about_program) arguments.insert(arguments.begin(), "serve");
  return arguments;
}

// What is wrong with arguments that belong to no option. Values are not repeated: next to a
// misspelt
// `--password` stands a password.
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

int RunCommandLine(int argc, const char* const* argv) {
  ServeCommand serve_command;
  ScanCommand scan_command;
  DiffCommand diff_command;
  AllowlistCommand allowlist_command;
  CLI::App app("Prometheus exporter for the storage hosts behind a container registry",
               "registry_backend_exporter");
  app.set_version_flag("--version", VersionText());
  app.require_subcommand(1);
  const CLI::App* serve = AddServe(app, serve_command);
  const CLI::App* scan = AddScan(app, scan_command);
  const CLI::App* diff = AddDiff(app, diff_command);
  const CLI::App* allowlist = AddAllowlist(app, allowlist_command);
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
  return kExitUsage;
}

}  // namespace registry_backend
