#include "exporter/commands/report_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace registry_backend {
namespace {

Error Unreadable(const std::string& path, int fault) {
  return {ErrorKind::kStorage, path + ": " + std::strerror(fault)};
}

}  // namespace

Result<std::vector<StoredReport>> ReadReportFile(const std::string& path) {
  if (path == "-") {
    std::ios::sync_with_stdio(false);  // else it is read byte by byte
    return ReadReports(std::cin, "standard input");
  }
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) return Unreadable(path, EISDIR);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Unreadable(path, errno != 0 ? errno : EIO);
  return ReadReports(file, path);
}

Status PrintOutput(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return Ok();
  return Error{ErrorKind::kStorage,
               std::string("the output cannot be written: ") + std::strerror(errno)};
}

}  // namespace registry_backend
