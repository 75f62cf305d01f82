#pragma once

#include <filesystem>

namespace registry_backend::testing {

struct CertificateFiles {
  std::filesystem::path certificate = {};  // PEM; also the authority to trust
  std::filesystem::path key = {};          // PEM, without a passphrase
};

enum class KeyType { kEc, kRsa };  // P-256; 2048 bits

// A self-signed certificate for 127.0.0.1 and localhost, valid for two days, written into
// `directory` (made if it is missing) by the openssl program. Throws std::runtime_error.
[[nodiscard]] CertificateFiles MakeSelfSigned(const std::filesystem::path& directory,
                                              KeyType key_type = KeyType::kEc);

}  // namespace registry_backend::testing
