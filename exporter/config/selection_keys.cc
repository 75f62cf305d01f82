#include "exporter/config/selection_keys.h"

#include <algorithm>

#include "exporter/discovery/tag_filter.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

void ReadPatterns(YamlMapping& tags, const std::string& key, std::vector<std::string>& patterns) {
  tags.Get(key, patterns);
  for (const std::string& pattern : patterns) {
    if (const auto filter = TagFilter::Make({pattern}, {}); !filter) {
      tags.Fail(key, filter.error().message);
    }
  }
}

// os/architecture[/variant], as Go names them. Stricter than indexes are: what is misspelt here
// would select nothing.
bool IsPlatform(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '/');
  const auto is_name = [](std::string_view part) {
    return !part.empty() && part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") ==
                                std::string_view::npos;
  };
  return (parts.size() == 2 || parts.size() == 3) && std::ranges::all_of(parts, is_name);
}

}  // namespace

std::string SelectionKeys::text() const {
  std::string text;
  const auto add = [&text](std::string_view what, const std::vector<std::string>& values) {
    for (const std::string& value : values) text.append(what).append(" ").append(value) += '\n';
  };
  if (include != std::vector<std::string>{".*"}) add("include", include);
  add("exclude", exclude);
  if (newest != 0) text += "newest " + std::to_string(newest) + "\n";
  add("platform", platforms);
  return text;
}

void SelectionKeys::SetOptions(ScanOptions& scan) const {
  scan.tags = *TagFilter::Make(include, exclude);  // each pattern has been tried
  scan.newest_tags = newest;
  scan.platforms = platforms;
}

void ReadSelection(YamlMapping& scan, SelectionKeys& keys) {
  scan.GetMapping("tags", [&keys](YamlMapping& tags) {
    ReadPatterns(tags, "include", keys.include);
    ReadPatterns(tags, "exclude", keys.exclude);
    tags.Get("newest", keys.newest, 0);
  });
  scan.Get("platforms", keys.platforms);
  for (const std::string& platform : keys.platforms) {
    if (!IsPlatform(platform)) {
      scan.Fail("platforms",
                "'" + Printable(platform) + "' is not a platform (expected one like linux/amd64)");
    }
  }
}

}  // namespace registry_backend
