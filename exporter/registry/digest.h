#pragma once

#include <string>
#include <string_view>

namespace registry_backend {

// Whether `text` is a digest as OCI image-spec descriptor.md §Digests writes it, of one of the two
// registered algorithms: `sha256:` and 64, or `sha512:` and 128, lower-case hexadecimal digits.
bool IsDigest(std::string_view text);

// The digest of `bytes` by the algorithm of `like`, which must be a digest.
std::string DigestOf(std::string_view bytes, std::string_view like);
inline std::string Sha256Of(std::string_view bytes) { return DigestOf(bytes, "sha256:"); }

}  // namespace registry_backend
