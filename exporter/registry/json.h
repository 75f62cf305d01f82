#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace registry_backend {

// Parses what a registry sent; a discarded value (is_discarded()) where it is no JSON, or is nested
// so deep that walking it could exhaust the stack.
nlohmann::json ParseJson(std::string_view text);

// The member if `object` has it and it is a string, else empty.
std::string TextMember(const nlohmann::json& object, const char* name);

}  // namespace registry_backend
