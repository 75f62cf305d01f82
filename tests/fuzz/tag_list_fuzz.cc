#include <string>

#include "exporter/registry/reference.h"
#include "exporter/registry/tag_list.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// The body of a tag list.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend;
  using testing::Require;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Result<TagList> list = ParseTagList(bytes);
  if (!list) {
    Require(list.error().kind == ErrorKind::kProtocol, "an error is the registry's");
    return 0;
  }
  Require(
      bytes.find("tags") != std::string_view::npos || bytes.find("\\u") != std::string_view::npos,
      "a list has its key");
  for (const std::string& tag : list->tags) Require(IsTag(tag), "a tag is one", tag);
  Require(list->rejected.size() <= 100, "few that are none are named");
  for (const std::string& name : list->rejected) {
    Require(name.size() <= 128, "what is no tag is named in short", name);
  }
  return 0;
}
