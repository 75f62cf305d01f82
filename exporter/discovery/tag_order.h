#pragma once

#include <string_view>
#include <vector>

namespace registry_backend {

// Puts the newest tags first. No registry says when a tag was made, so names decide: moving names
// (`latest`, anything that is neither of the following) first, then semantic versions (`1.10.0`
// before `1.9.0`, a release before its pre-releases), then dated versions (`v202507-1`), which
// repositories used before they moved to semantic ones.
void SortNewestFirst(std::vector<std::string_view>& tags);

}  // namespace registry_backend
