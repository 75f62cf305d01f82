#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace registry_backend::testing {

// A fresh directory of its own (mode 0700) under $TMPDIR or /tmp, removed with all its content by
// the destructor. Throws std::system_error when it cannot be made. Thread-compatible.
class TempDir {
 public:
  explicit TempDir(std::string_view prefix = "registry-backend-test");
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

// Replaces the file by `contents`; makes missing parent directories. Throws std::runtime_error.
void WriteFile(const std::filesystem::path& path, std::string_view contents);

// The whole file, byte by byte. Throws std::runtime_error when it cannot be read.
[[nodiscard]] std::string ReadFile(const std::filesystem::path& path);

}  // namespace registry_backend::testing
