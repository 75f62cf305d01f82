#include "exporter/monitor/stored_targets.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <tuple>
#include <utility>

#include "exporter/inventory/state_codec.h"
#include "exporter/monitor/target_files.h"

namespace registry_backend {
namespace {

namespace fs = std::filesystem;

Error Unreadable(const fs::path& path, const std::string& why) {
  return {ErrorKind::kStorage, path.string() + ": " + why};
}

// Whether a folder without a state was a target's all the same: a state that could not be read was
// set aside, or a scan has only begun to be saved.
bool HasRemains(const fs::path& folder) {
  std::error_code fault;
  for (fs::directory_iterator entry(folder, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    if (IsTargetFile(entry->path().filename().string())) return true;
  }
  return false;
}

Result<std::optional<TargetState>> ReadState(const fs::path& folder) {
  const fs::path path = folder / kStateName;
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno != ENOENT) return Unreadable(path, std::strerror(errno));
    return HasRemains(folder) ? std::optional(TargetState{}) : std::nullopt;
  }
  std::ostringstream bytes;
  bytes << file.rdbuf();
  if (bytes.bad()) return Unreadable(path, std::strerror(errno));
  Result<TargetState> state = DecodeState(bytes.str());
  if (!state) return Unreadable(path, state.error().message);
  return std::optional(*std::move(state));
}

// Empty where the entry is no target's folder, or no target was ever kept in it.
Result<std::optional<StoredTarget>> ReadTarget(const fs::directory_entry& entry) {
  StoredTarget target{.folder = entry.path().filename().string()};
  FolderName name = NameOfFolder(target.folder);
  if (name.registry.empty()) return std::optional<StoredTarget>();
  std::error_code fault;
  const bool is_folder = entry.is_directory(fault);
  if (fault) return Unreadable(entry.path(), fault.message());
  if (!is_folder) return std::optional<StoredTarget>();
  Result<std::optional<TargetState>> state = ReadState(entry.path());
  if (!state) return state.error();
  if (!*state) return std::optional<StoredTarget>();
  target.registry = std::move(name.registry);
  target.repository = std::move(name.repository);
  target.name_is_cut = name.is_cut;
  target.state = **std::move(state);
  return std::optional(std::move(target));
}

}  // namespace

bool StoredTarget::IsNamed(std::string_view name) const { return folder == FolderOf(name); }

Result<std::vector<StoredTarget>> ReadStoredTargets(const fs::path& directory) {
  std::vector<StoredTarget> targets;
  std::error_code fault;
  for (fs::directory_iterator entry(directory, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    Result<std::optional<StoredTarget>> target = ReadTarget(*entry);
    if (!target) return target.error();
    if (*target) targets.push_back(**std::move(target));
  }
  if (fault) return Unreadable(directory, fault.message());
  std::ranges::sort(targets, {}, [](const StoredTarget& target) {
    return std::tie(target.registry, target.repository, target.folder);
  });
  return targets;
}

}  // namespace registry_backend
