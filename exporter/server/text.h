#pragma once

#include <string_view>

namespace registry_backend::server {

// Whether they are the same but for the case of ASCII letters.
bool SameText(std::string_view a, std::string_view b);

// Without the spaces and tabs around it.
std::string_view Trimmed(std::string_view text);

}  // namespace registry_backend::server
