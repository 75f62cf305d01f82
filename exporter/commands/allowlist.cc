#include "exporter/commands/allowlist.h"

#include <cstdio>
#include <utility>
#include <vector>

#include "exporter/commands/exit_code.h"
#include "exporter/commands/report_file.h"
#include "exporter/monitor/stored_targets.h"

namespace registry_backend {
namespace {

using Targets = std::vector<AllowlistTarget>;

// `wanted` is registry/repository; empty: all.
Result<Targets> FromReport(const std::string& path, const std::string& wanted) {
  const Result<std::vector<StoredReport>> reports = ReadReportFile(path);
  if (!reports) return reports.error();
  Targets targets;
  for (const StoredReport& report : *reports) {
    const bool is_wanted = wanted.empty() || report.registry + "/" + report.repository == wanted;
    if (is_wanted) targets.push_back(AllowlistTargetOf(report));
  }
  return targets;
}

Result<Targets> FromStorage(const std::string& path, const std::string& wanted) {
  Result<std::vector<StoredTarget>> stored = ReadStoredTargets(path);
  if (!stored) return stored.error();
  Targets targets;
  for (StoredTarget& target : *stored) {
    if (!wanted.empty()) {
      if (!target.IsNamed(wanted)) continue;
      target.repository = wanted.substr(wanted.find('/') + 1);  // all of it
      target.name_is_cut = false;
    }
    targets.push_back(AllowlistTargetOf(target.registry, target.repository, target.state));
    targets.back().name_is_cut = target.name_is_cut;
  }
  return targets;
}

Result<Targets> FindTargets(const AllowlistCommand& command) {
  Result<Targets> targets = command.report ? FromReport(*command.report, command.target)
                                           : FromStorage(command.storage_path, command.target);
  if (!targets || command.target.empty() || !targets->empty()) return targets;
  return Error{ErrorKind::kStorage, "there is no target '" + command.target + "' in " +
                                        command.report.value_or(command.storage_path)};
}

void Complain(const std::string& message) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", message.c_str());
}

}  // namespace

int RunAllowlist(const AllowlistCommand& command) {
  const Result<Targets> targets = FindTargets(command);
  if (!targets) {
    Complain(targets.error().message);
    return kExitTrouble;
  }
  const Result<std::string> list = MakeAllowlist(*targets, command.format);
  if (!list) {
    Complain("no list is made, since one that lacks hosts would block pulls: " +
             list.error().message);
    return kExitNoBaseline;
  }
  if (Status printed = PrintOutput(*list); !printed) {
    Complain(printed.error().message);
    return kExitTrouble;
  }
  return kExitComplete;
}

}  // namespace registry_backend
