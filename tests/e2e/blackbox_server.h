#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

// The packaged blackbox_exporter on a free port of 127.0.0.1. Ready when the constructor returns;
// stopped by the destructor. Throws std::runtime_error with its output. Thread-compatible.
class BlackboxServer {
 public:
  // `config` is the text of its configuration file.
  explicit BlackboxServer(const std::string& config);

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  // Standard output and standard error so far.
  [[nodiscard]] std::string Output() const { return process_->Stdout() + process_->Stderr(); }

 private:
  const TempDir directory_{"blackbox"};
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace registry_backend::testing
