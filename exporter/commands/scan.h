#pragma once

#include <cstddef>
#include <string>

namespace registry_backend {

enum class ReportOutput { kJson, kSummary, kDetailed, kHtml };

// The flags of `scan`; empty: not given.
struct ScanCommand {
  std::string config_file;
  std::string target;  // of the file; empty: all
  std::string registry;
  std::string repository;
  std::string username;
  std::string password;
  std::string password_file;
  std::string token;
  std::string docker_config;
  std::string ca_file;
  std::string proxy_url;
  std::size_t num_tags = 0;  // 0: all
  ReportOutput output = ReportOutput::kJson;
};

// Scans once and prints the report to standard output, what went wrong to standard error, and on a
// terminal meanwhile how far it is. SIGINT and SIGTERM end the scans early: what was seen until
// then is reported. Returns an ExitCode.
int RunScan(const ScanCommand& command);

}  // namespace registry_backend
