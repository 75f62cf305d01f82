#include "tests/integration/self_signed.h"

#include <stdexcept>

#include "tests/support/subprocess.h"

namespace registry_backend::testing {

CertificateFiles MakeSelfSigned(const std::filesystem::path& directory) {
  const CertificateFiles files{directory / "certificate.pem", directory / "key.pem"};
  const RunResult result =
      RunToEnd({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout",
                files.key.string(), "-out", files.certificate.string()});
  if (result.exit_code != 0) throw std::runtime_error("openssl req: " + result.err);
  return files;
}

}  // namespace registry_backend::testing
