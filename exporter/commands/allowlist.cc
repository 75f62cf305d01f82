#include "exporter/commands/allowlist.h"

#include <cstdio>
#include <utility>
#include <vector>

#include "exporter/commands/exit_code.h"
#include "exporter/commands/report_file.h"
#include "exporter/commands/stored_targets.h"

namespace registry_backend {
namespace {

Result<std::vector<AllowlistTarget>> FromReport(const std::string& path) {
  const Result<std::vector<StoredReport>> reports = ReadReportFile(path);
  if (!reports) return reports.error();
  std::vector<AllowlistTarget> targets;
  for (const StoredReport& report : *reports) targets.push_back(AllowlistTargetOf(report));
  return targets;
}

Result<std::vector<AllowlistTarget>> FromStorage(const std::string& path) {
  Result<std::vector<StoredTarget>> stored = ReadStoredTargets(path);
  if (!stored) return stored.error();
  std::vector<AllowlistTarget> targets;
  for (const StoredTarget& target : *stored) {
    targets.push_back(AllowlistTargetOf(target.registry, target.repository, target.state));
  }
  return targets;
}

Result<std::vector<AllowlistTarget>> Targets(const AllowlistCommand& command) {
  Result<std::vector<AllowlistTarget>> targets =
      command.report ? FromReport(*command.report) : FromStorage(command.storage_path);
  if (!targets || command.target.empty()) return targets;
  std::erase_if(*targets, [&command](const AllowlistTarget& target) {
    return target.registry + "/" + target.repository != command.target;
  });
  if (!targets->empty()) return targets;
  return Error{ErrorKind::kStorage, "there is no target '" + command.target + "' in " +
                                        command.report.value_or(command.storage_path)};
}

void Complain(const std::string& message) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", message.c_str());
}

}  // namespace

int RunAllowlist(const AllowlistCommand& command) {
  const Result<std::vector<AllowlistTarget>> targets = Targets(command);
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
