#include "exporter/commands/stored_targets.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "exporter/inventory/state_codec.h"

namespace registry_backend {
namespace {

namespace fs = std::filesystem;

Error Unreadable(const fs::path& path, const std::string& why) {
  return {ErrorKind::kStorage, path.string() + ": " + why};
}

// What PercentEncode made `text` of.
std::string PercentDecode(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned char byte = 0;
    const char* const end = text.data() + std::min(i + 3, text.size());
    const bool is_encoded = text[i] == '%' && i + 2 < text.size() &&
                            std::from_chars(text.data() + i + 1, end, byte, 16).ptr == end;
    decoded += is_encoded ? static_cast<char>(byte) : text[i];
    if (is_encoded) i += 2;
  }
  return decoded;
}

// Whether a folder without a state was a target's all the same: a state that could not be read was
// set aside, or a scan has only begun to be saved.
bool HasRemains(const fs::path& folder) {
  std::error_code fault;
  for (fs::directory_iterator entry(folder, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("state.json.") || name.starts_with("report-")) return true;
  }
  return false;
}

Result<std::optional<TargetState>> ReadState(const fs::path& folder) {
  const fs::path path = folder / "state.json";
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

}  // namespace

Result<std::vector<StoredTarget>> ReadStoredTargets(const fs::path& directory) {
  std::vector<StoredTarget> targets;
  std::error_code fault;
  for (fs::directory_iterator entry(directory, fault), end; !fault && entry != end;
       entry.increment(fault)) {
    const std::string name = PercentDecode(entry->path().filename().string());
    const std::size_t slash = name.find('/');
    if (slash == std::string::npos || !entry->is_directory()) continue;
    Result<std::optional<TargetState>> state = ReadState(entry->path());
    if (!state) return state.error();
    if (!*state) continue;
    targets.push_back({name.substr(0, slash), name.substr(slash + 1), **std::move(state)});
  }
  if (fault) return Unreadable(directory, fault.message());
  std::ranges::sort(targets, {}, [](const StoredTarget& target) {
    return std::pair(target.registry, target.repository);
  });
  return targets;
}

}  // namespace registry_backend
