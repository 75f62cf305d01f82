#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace registry_backend {

// RFC 4648 §4, with padding and without line breaks.
std::string EncodeBase64(std::string_view bytes);

// The bytes that `text` stands for, or nothing where it is not base64. Line breaks are skipped, as
// `base64` of coreutils wraps its output and docker reads that; padding is required, as docker
// requires it.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace registry_backend
