#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/result.h"

namespace registry_backend {

// Chooses tags by name: those that match one of the patterns to include and none to exclude.
// Patterns are RE2's, as Prometheus', and must match the whole name; they take time linear in its
// length, whatever they are. A value, cheap to copy.
class TagFilter {
 public:
  TagFilter() = default;  // every tag

  // Without patterns to include every tag is. Error kInternal names the pattern that is none.
  static Result<TagFilter> Make(const std::vector<std::string>& include,
                                const std::vector<std::string>& exclude);

  [[nodiscard]] bool Matches(std::string_view tag) const;

  // The patterns it was made of.
  [[nodiscard]] std::vector<std::string> include() const;
  [[nodiscard]] std::vector<std::string> exclude() const;
  // Whether both were made of the same ones.
  bool operator==(const TagFilter& other) const;

 private:
  struct Patterns;
  std::shared_ptr<const Patterns> patterns_;  // null: every tag
};

}  // namespace registry_backend
