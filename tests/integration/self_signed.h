#pragma once

#include <filesystem>

namespace registry_backend::testing {

struct CertificateFiles {
  std::filesystem::path certificate = {};  // PEM; also the authority to trust
  std::filesystem::path key = {};          // PEM, without a passphrase
};

// A self-signed certificate for 127.0.0.1 and localhost, valid for two days, written into
// `directory` by the openssl program. Throws std::runtime_error.
[[nodiscard]] CertificateFiles MakeSelfSigned(const std::filesystem::path& directory);

}  // namespace registry_backend::testing
