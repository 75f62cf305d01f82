#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

// The packaged Alertmanager on a free port of 127.0.0.1, without cluster peers, with its files in a
// directory of its own. Ready when the constructor returns; stopped by the destructor. Throws
// std::runtime_error with the server's output. Thread-compatible.
class AlertmanagerServer {
 public:
  // `config` is the text of its configuration file.
  explicit AlertmanagerServer(const std::string& config);

  [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string url() const { return "http://" + host(); }
  // Standard output and standard error so far.
  [[nodiscard]] std::string Output() const { return process_->Stdout() + process_->Stderr(); }

 private:
  const TempDir directory_{"alertmanager"};
  std::uint16_t port_ = 0;
  std::unique_ptr<Subprocess> process_;
};

}  // namespace registry_backend::testing
