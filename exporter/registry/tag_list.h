#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/result.h"

namespace registry_backend {

// What an answer to a request for tags names (OCI distribution-spec, "Listing tags").
struct TagList {
  std::vector<std::string> tags;  // valid; as served: unsorted, may repeat
  // The first 100 names that are no valid tags, made printable; of what is no text its type.
  std::vector<std::string> rejected;
};

// Reads the answer's bytes; `tags: null` is an empty list. Error kProtocol: no JSON object with a
// list of tags, one of more than 200,000, or a text in it of more than 64 KiB.
Result<TagList> ParseTagList(std::string_view bytes);

}  // namespace registry_backend
