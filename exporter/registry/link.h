#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace registry_backend {

// The target of the first link with relation `next` (RFC 8288; OCI distribution-spec §"Listing
// tags"), as written: it may be relative.
std::optional<std::string> FindNextLink(const std::vector<std::string_view>& fields);

}  // namespace registry_backend
