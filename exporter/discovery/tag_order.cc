#include "exporter/discovery/tag_order.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

enum class Kind { kDated, kSemantic, kMoving };  // in ascending order

struct Version {
  Kind kind = Kind::kMoving;
  std::vector<std::uint64_t> numbers;
  std::vector<std::string_view> pre_release;  // empty: a release
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes the number at the start of `text`.
std::optional<std::uint64_t> TakeNumber(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// `202507-1`, also without the part after the dash.
std::optional<Version> ParseDated(std::string_view text) {
  if (text.size() < 6 || !std::ranges::all_of(text.substr(0, 6), IsDigit)) return std::nullopt;
  Version version{Kind::kDated, {}, {}};
  while (const auto number = TakeNumber(text)) {
    version.numbers.push_back(*number);
    if (text.empty()) return version;
    if (text.front() != '-') return std::nullopt;
    text.remove_prefix(1);
  }
  return std::nullopt;
}

// `1.2.3`, `1.2`, `1.2.3-rc.1`; tags cannot hold the `+` of build metadata.
std::optional<Version> ParseSemantic(std::string_view text) {
  Version version{Kind::kSemantic, {}, {}};
  while (const auto number = TakeNumber(text)) {
    version.numbers.push_back(*number);
    if (text.empty() || text.front() == '-') break;
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  if (version.numbers.empty()) return std::nullopt;
  if (text.empty()) return version;
  if (text.front() != '-' || text.size() == 1) return std::nullopt;
  version.pre_release = Split(text.substr(1), '.');
  return version;
}

Version Parse(std::string_view tag) {
  if (tag.size() > 1 && (tag.front() == 'v' || tag.front() == 'V') && IsDigit(tag[1])) {
    tag.remove_prefix(1);
  }
  if (auto dated = ParseDated(tag)) return *std::move(dated);
  if (auto semantic = ParseSemantic(tag)) return *std::move(semantic);
  return {};
}

// Whether `a` is older, by semver.org §11: numbers by value and below words.
bool OlderIdentifier(std::string_view a, std::string_view b) {
  std::string_view rest_a = a;
  std::string_view rest_b = b;
  const auto number_a = TakeNumber(rest_a);
  const auto number_b = TakeNumber(rest_b);
  const bool numeric_a = number_a && rest_a.empty();
  const bool numeric_b = number_b && rest_b.empty();
  if (numeric_a && numeric_b) return *number_a < *number_b;
  if (numeric_a != numeric_b) return numeric_a;
  return a < b;
}

bool Older(const Version& a, const Version& b) {
  if (a.kind != b.kind) return a.kind < b.kind;
  if (a.numbers != b.numbers) return a.numbers < b.numbers;
  if (a.pre_release.empty() || b.pre_release.empty()) {
    return !a.pre_release.empty() && b.pre_release.empty();
  }
  return std::ranges::lexicographical_compare(a.pre_release, b.pre_release, OlderIdentifier);
}

}  // namespace

void SortNewestFirst(std::vector<std::string_view>& tags) {
  std::vector<std::pair<Version, std::string_view>> versions;
  versions.reserve(tags.size());
  for (const std::string_view tag : tags) versions.emplace_back(Parse(tag), tag);
  std::ranges::sort(versions, [](const auto& a, const auto& b) {
    if (Older(b.first, a.first)) return true;
    if (Older(a.first, b.first)) return false;
    return a.second < b.second;
  });
  std::ranges::transform(versions, tags.begin(), [](const auto& entry) { return entry.second; });
}

}  // namespace registry_backend
