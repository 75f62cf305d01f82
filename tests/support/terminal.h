#pragma once

#include <filesystem>
#include <string>

namespace registry_backend::testing {

// A pseudo-terminal for a program to write to.
class Terminal {
 public:
  // Throws std::system_error.
  explicit Terminal(int columns = 80);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // What to open as the program's standard error, say.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  // All that has come so far. To be asked now and then: a program waits where much is unread.
  const std::string& Output();

 private:
  int own_end_;
  int programs_end_;  // kept open, so that what was written can be read after the program's end
  std::filesystem::path path_;
  std::string output_;
};

}  // namespace registry_backend::testing
