#include "exporter/commands/diff.h"

#include <cstdio>
#include <utility>

#include "exporter/commands/exit_code.h"
#include "exporter/commands/report_file.h"

namespace registry_backend {
namespace {

Result<StoredReport> ReadOne(const std::string& path) {
  Result<std::vector<StoredReport>> reports = ReadReportFile(path);
  if (!reports) return reports.error();
  if (reports->size() == 1) return std::move(reports->front());
  return Error{ErrorKind::kProtocol, path + ": it holds " + std::to_string(reports->size()) +
                                         " reports; expected one (scan --target NAME makes one)"};
}

Result<ReportDiff> Compare(const DiffCommand& command) {
  if (command.old_report == "-" && command.new_report == "-") {
    return Error{ErrorKind::kInternal, "only one of the two reports can be standard input"};
  }
  const Result<StoredReport> before = ReadOne(command.old_report);
  if (!before) return before.error();
  const Result<StoredReport> after = ReadOne(command.new_report);
  if (!after) return after.error();
  const auto name = [](const std::string& path) {
    return path == "-" ? std::string("standard input") : path;
  };
  return CompareReports(*before, name(command.old_report), *after, name(command.new_report));
}

int Trouble(const Error& error) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", error.message.c_str());
  return kExitTrouble;
}

}  // namespace

int RunDiff(const DiffCommand& command) {
  const Result<ReportDiff> diff = Compare(command);
  if (!diff) return Trouble(diff.error());
  if (Status printed = PrintOutput(RenderDiff(*diff, command.output)); !printed) {
    return Trouble(printed.error());
  }
  return diff->differs() ? kExitDiffers : kExitSame;
}

}  // namespace registry_backend
