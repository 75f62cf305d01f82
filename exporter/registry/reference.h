#pragma once

#include <string_view>

namespace registry_backend {

// The grammar of names in OCI distribution-spec §"Pulling manifests". What comes from outside is
// checked before it enters a URL, a path or a label.

// A repository: components of lower-case letters and digits, joined by `/`; at most 255 characters.
bool IsRepository(std::string_view text);

// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`.
bool IsTag(std::string_view text);

}  // namespace registry_backend
