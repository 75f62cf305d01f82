#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/discovery/tag_order.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// Each line is a tag.
namespace registry_backend::testing {
namespace {

constexpr std::size_t kMostTags = 12;  // each pair is looked at

using Tags = std::vector<std::string_view>;

std::string Joined(const Tags& tags) {
  std::string text;
  for (const std::string_view tag : tags) text.append(tag).append(" ");
  return text;
}

Tags Sorted(Tags tags) {
  SortNewestFirst(tags);
  return tags;
}

void CheckOrder(const Tags& tags) {
  const Tags sorted = Sorted(tags);
  Require(std::ranges::is_permutation(sorted, tags), "the same tags are there", Joined(tags));
  Require(Sorted(sorted) == sorted, "what is in order stays so", Joined(sorted));

  Tags other(tags.rbegin(), tags.rend());
  Require(Sorted(other) == sorted, "backwards it is the same order", Joined(tags));
  std::ranges::sort(other);
  Require(Sorted(other) == sorted, "by name it is the same order", Joined(tags));
  std::rotate(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(other.size() / 2),
              other.end());
  Require(Sorted(other) == sorted, "rotated it is the same order", Joined(tags));

  for (std::size_t newer = 0; newer < sorted.size(); ++newer) {
    for (std::size_t older = newer + 1; older < sorted.size(); ++older) {
      const Tags pair{sorted[newer], sorted[older]};
      Require(Sorted({pair[1], pair[0]}) == pair, "any two are in the order they have among all",
              Joined(pair) + "of " + Joined(sorted));
    }
  }
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend::testing;
  FuzzedInput input(data, size);
  const auto lines = input.Lines(kMostTags);
  CheckOrder(Tags(lines.begin(), lines.end()));
  return 0;
}
