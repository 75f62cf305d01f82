#include <string>

#include "exporter/registry/link.h"
#include "exporter/url/url.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// First line: the path and query of the page of tags that was asked for; the others: Link fields.
namespace registry_backend::testing {
namespace {

void CheckLink(const Url& page, const std::vector<std::string_view>& fields) {
  const auto target = FindNextLink(fields);
  Require(target == FindNextLink(fields), "the same fields have the same link");
  if (!target) return;
  Require(target->find('>') == std::string::npos, "a target ends at its >", *target);
  const auto is_in = [&target](std::string_view field) {
    return field.find("<" + *target + ">") != std::string_view::npos;
  };
  Require(std::ranges::any_of(fields, is_in), "a target is one of a field's", *target);

  const Result<Url> next = page.Resolve(*target);
  if (!next) return;
  Require(next->path().starts_with('/'), "a path is absolute", next->text());
  // Where a page leads, the next scan has to come to as well.
  const Result<Url> again = Url::Parse(next->text());
  Require(again && again->origin() == next->origin() && again->text() == next->text(),
          "a page's URL can be parsed again", next->text());
  const Result<Url> itself = next->Resolve(next->text());
  Require(itself && itself->text() == next->text(), "an absolute URL resolves to itself",
          next->text());
}

void CheckThatALinkIsFound(const std::string& target) {
  if (target.find('>') != std::string::npos) return;
  const std::string field = "<prev>; rel=prev, <" + target + ">; title=\"a, b\"; rel=\"last next\"";
  Require(FindNextLink({"", field}) == target, "a link that is there is found", target);
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend;
  testing::FuzzedInput input(data, size);
  const std::string path(input.Line());
  testing::CheckThatALinkIsFound(path);
  const Result<Url> page = Url::Parse("https://registry.example.com/" + path);
  if (!page) return 0;
  testing::CheckLink(*page, input.Lines(16));
  return 0;
}
