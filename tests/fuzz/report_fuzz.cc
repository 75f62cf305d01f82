#include <cstdint>
#include <sstream>
#include <string>

#include "exporter/report/allowlist.h"
#include "exporter/report/diff_text.h"
#include "exporter/report/report_reader.h"
#include "tests/fuzz/require.h"

// A file that a user takes for a report, and what is made of one that can be read.
namespace registry_backend::testing {
namespace {

void CheckReport(const StoredReport& report) {
  if (report.outcome == ScanOutcome::kFailed) {
    Require(!report.failure.empty(), "a failure is told");
    return;
  }
  Require(!report.registry.empty() && !report.repository.empty(), "what was scanned is known");
  for (const auto& [host, places] : report.tags_of) {
    for (const std::uint32_t place : places) {
      Require(place < report.tags.size(), "a host is needed by tags that there are", host.text());
    }
  }
}

void CheckMarkdown(const std::string& text) {
  bool quoted = false;
  for (const char c : text) {
    Require(c == '\n' || static_cast<unsigned char>(c) >= ' ', "there is no control character");
    Require(c != '\n' || !quoted, "no code span goes on in another line", text);
    if (c == '`') quoted = !quoted;
    Require(quoted || (c != '<' && c != '[' && c != '\\'), "names are within code spans", text);
    Require(!quoted || c != '|', "and within their cells", text);
  }
}

// Against itself nothing changes; nothing that is written of it depends on its bytes.
void CheckDiff(const StoredReport& report) {
  const Result<ReportDiff> diff = CompareReports(report, "old", report, "new");
  Require(diff.ok() == (report.outcome != ScanOutcome::kFailed), "only a failed scan is refused");
  if (!diff) return;
  Require(!diff->differs(), "a report is like itself");
  CheckMarkdown(RenderDiff(*diff, DiffFormat::kMarkdown));
  RenderDiff(*diff, DiffFormat::kText);
  RenderDiff(*diff, DiffFormat::kJson);
}

void CheckAllowlist(const AllowlistTarget& target) {
  for (const auto& [name, format] : kAllowlistFormats) {
    const Result<std::string> list = MakeAllowlist({target}, format);
    Require(list.ok() == target.not_ready.empty(), "a list is made of what is ready", name);
    if (!list || format != AllowlistFormat::kPlain) continue;
    std::istringstream lines(*list);
    for (std::string line; std::getline(lines, line);) {
      Require(line.starts_with("#") || Host::Parse(line).ok(), "a line is a host", line);
    }
  }
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend;
  using namespace registry_backend::testing;
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  const Result<std::vector<StoredReport>> reports = ReadReports(in, "r");
  if (!reports) {
    Require(reports.error().message.starts_with("r: "), "an error names the file");
    return 0;
  }
  Require(!reports->empty(), "a file without a report is an error");
  for (const StoredReport& report : *reports) {
    CheckReport(report);
    CheckDiff(report);
    CheckAllowlist(AllowlistTargetOf(report));
  }
  return 0;
}
