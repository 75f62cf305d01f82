#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace registry_backend::simulator {

struct Certificate {
  std::string certificate_pem;
  std::string key_pem;
};

// A self-signed certificate and its key (EC P-256) for `hosts`, DNS names and IP addresses. The
// certificate is its own CA file. It is valid from a day ago for `lifetime`; less than a day makes
// one that has expired. Throws std::runtime_error if OpenSSL fails.
Certificate MakeCertificate(const std::vector<std::string>& hosts,
                            std::chrono::hours lifetime = std::chrono::hours(24 * 366));

}  // namespace registry_backend::simulator
