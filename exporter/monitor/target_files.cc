#include "exporter/monitor/target_files.h"

#include <algorithm>

#include "exporter/registry/digest.h"
#include "exporter/url/url.h"

namespace registry_backend {
namespace {

constexpr std::size_t kLongestFolder = 200;  // file systems take 255 bytes
constexpr std::size_t kDigestLength = 16;

bool IsHexadecimal(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Without the digest, and without what is left of a byte that was encoded.
std::string_view WithoutEnd(std::string_view folder) {
  folder.remove_suffix(kDigestLength + 1);
  const std::size_t last = folder.rfind('%');
  return last != std::string_view::npos && last + 3 > folder.size() ? folder.substr(0, last)
                                                                    : folder;
}

}  // namespace

std::string FolderOf(std::string_view name) {
  std::string folder = PercentEncode(name);
  if (folder.size() <= kLongestFolder) return folder;
  const std::string digest = Sha256Of(name);
  return folder.substr(0, kLongestFolder - kDigestLength - 1) + "-" +
         digest.substr(digest.size() - kDigestLength);
}

FolderName NameOfFolder(std::string_view folder) {
  FolderName name;
  name.is_cut = folder.size() == kLongestFolder &&
                folder[kLongestFolder - kDigestLength - 1] == '-' &&
                IsHexadecimal(folder.substr(kLongestFolder - kDigestLength));
  const std::optional<std::string> text = PercentDecode(name.is_cut ? WithoutEnd(folder) : folder);
  if (!text) return {};
  const std::size_t slash = text->find('/');
  if (slash == std::string::npos && !name.is_cut) return {};
  name.registry = text->substr(0, slash);
  if (slash != std::string::npos) name.repository = text->substr(slash + 1);
  return name;
}

}  // namespace registry_backend
