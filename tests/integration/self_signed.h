#pragma once

#include <filesystem>
#include <string>

namespace registry_backend::testing {

struct CertificateFiles {
  std::filesystem::path certificate = {};  // PEM; also the authority to trust
  std::filesystem::path key = {};          // PEM, without a passphrase
};

enum class KeyType { kEc, kRsa };  // P-256; 2048 bits

// A self-signed certificate for `names` (as openssl writes a subjectAltName), valid for two days,
// written into `directory` (made if it is missing) by the openssl program. Throws
// std::runtime_error.
[[nodiscard]] CertificateFiles MakeSelfSigned(
    const std::filesystem::path& directory, KeyType key_type = KeyType::kEc,
    const std::string& names = "IP:127.0.0.1,DNS:localhost");

}  // namespace registry_backend::testing
