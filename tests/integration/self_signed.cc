#include "tests/integration/self_signed.h"

#include <stdexcept>
#include <vector>

#include "tests/support/subprocess.h"

namespace registry_backend::testing {

CertificateFiles MakeSelfSigned(const std::filesystem::path& directory, KeyType key_type,
                                const std::string& names) {
  std::filesystem::create_directories(directory);
  const CertificateFiles files{directory / "certificate.pem", directory / "key.pem"};
  std::vector<std::string> argv = {"openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey"};
  if (key_type == KeyType::kRsa) {
    argv.emplace_back("rsa:2048");
  } else {
    argv.insert(argv.end(), {"ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"});
  }
  argv.insert(argv.end(), {"-subj", "/CN=of the test", "-addext", "subjectAltName=" + names,
                           "-keyout", files.key.string(), "-out", files.certificate.string()});
  const RunResult result = RunToEnd(argv);
  if (result.exit_code != 0) throw std::runtime_error("openssl req: " + result.err);
  return files;
}

}  // namespace registry_backend::testing
