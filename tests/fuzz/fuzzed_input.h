#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace registry_backend::testing {

// Takes a fuzzer's bytes apart from left to right: lines, so that a corpus can be read and written
// by hand, and single bytes for decisions. At the end everything is empty or 0.
class FuzzedInput {
 public:
  explicit FuzzedInput(std::string_view text) : rest_(text) {}
  FuzzedInput(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool AtEnd() const { return rest_.empty(); }

  std::uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  // In [0, count), 0 at the end. In a corpus made by hand digits and letters stand for 0 to 61.
  std::size_t Below(std::size_t count) {
    const std::uint8_t byte = Byte();
    if (byte >= '0' && byte <= '9') return (byte - std::size_t{'0'}) % count;
    if (byte >= 'a' && byte <= 'z') return (byte - std::size_t{'a'} + 10) % count;
    if (byte >= 'A' && byte <= 'Z') return (byte - std::size_t{'A'} + 36) % count;
    return byte % count;
  }
  bool Flag() { return Below(2) == 1; }

  // Up to the next line end, without it.
  std::string_view Line() {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return line;
  }
  // The lines to the end, at most so many.
  std::vector<std::string_view> Lines(std::size_t at_most) {
    std::vector<std::string_view> lines;
    while (!AtEnd() && lines.size() < at_most) lines.push_back(Line());
    return lines;
  }
  std::string_view Rest() { return std::exchange(rest_, {}); }

 private:
  std::string_view rest_;
};

}  // namespace registry_backend::testing
