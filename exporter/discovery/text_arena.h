#pragma once

#include <memory_resource>
#include <string_view>

namespace registry_backend {

// Keeps texts for as long as it lives, at little more than their length. Grows only.
class TextArena {
 public:
  // A view that stays valid; equal texts are kept as often as they are given.
  std::string_view Keep(std::string_view text) {
    if (text.empty()) return {};
    auto* copy = static_cast<char*>(memory_.allocate(text.size(), 1));
    return {copy, text.copy(copy, text.size())};
  }

 private:
  std::pmr::monotonic_buffer_resource memory_;
};

}  // namespace registry_backend
