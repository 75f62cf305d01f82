#pragma once

#include <string_view>

#include "exporter/common/result.h"
#include "exporter/url/url.h"

namespace registry_backend {

// A registry as a user names it: an https:// or http:// URL without path, user name and query, or a
// bare host, which means https.
Result<Url> ParseRegistry(std::string_view text);

// A repository's path, checked (see IsRepository).
Result<std::string> ParseRepository(std::string_view text);

}  // namespace registry_backend
