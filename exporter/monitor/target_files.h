#pragma once

#include <string>
#include <string_view>

// How a target's files are named. For this module alone: others ask TargetStore and
// ReadStoredTargets.
namespace registry_backend {

inline constexpr const char* kStateName = "state.json";
inline constexpr std::string_view kReportPrefix = "report-";

// Whether a file so named is a target's: also what Storage makes of one while it writes it, or when
// it sets it aside (`state.json.tmp`, `state.json.corrupt-TIME`).
inline bool IsTargetFile(std::string_view name) {
  return name.starts_with(kStateName) || name.starts_with(kReportPrefix);
}

// The folder of the target `name`, registry/repository. It tells targets apart, and people can read
// it: where a file system has no room for all of it, it is cut and ends with a part of its digest.
std::string FolderOf(std::string_view name);

struct FolderName {
  std::string registry;
  std::string repository;
  bool is_cut = false;  // something is missing at the end: mostly of the repository
};
// Whose folder it is; without a registry it is nobody's.
FolderName NameOfFolder(std::string_view folder);

}  // namespace registry_backend
