#pragma once

#include <stdexcept>
#include <string>

namespace registry_backend::testing {

// Puts `to` in every place of `from`, which must be there.
inline void Replace(std::string& text, const std::string& from, const std::string& to) {
  std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("nowhere: " + from);
  for (; at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

}  // namespace registry_backend::testing
