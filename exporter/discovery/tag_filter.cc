#include "exporter/discovery/tag_filter.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <utility>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

// Null where there are no patterns.
Result<std::unique_ptr<RE2::Set>> Compile(const std::vector<std::string>& patterns) {
  if (patterns.empty()) return std::unique_ptr<RE2::Set>();
  RE2::Options options;
  options.set_log_errors(false);
  auto set = std::make_unique<RE2::Set>(options, RE2::ANCHOR_BOTH);
  for (const std::string& pattern : patterns) {
    std::string fault;
    if (set->Add(pattern, &fault) < 0) {
      return Error{
          ErrorKind::kInternal,
          "'" + Printable(pattern) + "' is not a regular expression (RE2 syntax): " + fault};
    }
  }
  if (!set->Compile()) {
    return Error{ErrorKind::kInternal, "the patterns need too much memory"};
  }
  return set;
}

}  // namespace

struct TagFilter::Patterns {
  std::unique_ptr<RE2::Set> include;  // null: every tag
  std::unique_ptr<RE2::Set> exclude;  // null: none
  std::vector<std::string> include_texts;
  std::vector<std::string> exclude_texts;
};

Result<TagFilter> TagFilter::Make(const std::vector<std::string>& include,
                                  const std::vector<std::string>& exclude) {
  Result<std::unique_ptr<RE2::Set>> included = Compile(include);
  if (!included) return included.error();
  Result<std::unique_ptr<RE2::Set>> excluded = Compile(exclude);
  if (!excluded) return excluded.error();
  TagFilter filter;
  filter.patterns_ = std::make_shared<const Patterns>(
      Patterns{*std::move(included), *std::move(excluded), include, exclude});
  return filter;
}

bool TagFilter::Matches(std::string_view tag) const {
  if (!patterns_) return true;
  const re2::StringPiece name(tag.data(), tag.size());
  const auto matches = [&name](const std::unique_ptr<RE2::Set>& set) {
    return set->Match(name, nullptr);
  };
  return (!patterns_->include || matches(patterns_->include)) &&
         (!patterns_->exclude || !matches(patterns_->exclude));
}

std::vector<std::string> TagFilter::include() const {
  return patterns_ ? patterns_->include_texts : std::vector<std::string>();
}

std::vector<std::string> TagFilter::exclude() const {
  return patterns_ ? patterns_->exclude_texts : std::vector<std::string>();
}

bool TagFilter::operator==(const TagFilter& other) const {
  return patterns_ == other.patterns_ ||
         (include() == other.include() && exclude() == other.exclude());
}

}  // namespace registry_backend
