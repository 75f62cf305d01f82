#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

// An nginx that speaks HTTP/2 over TLS before a plain server, since the simulated registry speaks
// HTTP/1.1 alone. Serves when the constructor returns. Runs as whoever starts it and writes to a
// directory of its own only. Throws std::runtime_error. Thread-compatible.
class Http2Front {
 public:
  // `upstream` is host:port.
  explicit Http2Front(const std::string& upstream);

  [[nodiscard]] std::string url() const { return "https://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::filesystem::path ca_file() const { return dir_ / "certificate.pem"; }

  // Requests answered so far, and those of them that came over HTTP/2.
  struct Served {
    int requests = 0;
    int over_http2 = 0;
  };
  [[nodiscard]] Served Count() const;

 private:
  [[nodiscard]] std::string Config(const std::string& upstream) const;

  const TempDir dir_{"bench-nginx"};
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace registry_backend::testing
