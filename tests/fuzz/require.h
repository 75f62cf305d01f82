#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace registry_backend::testing {

// Ends the program, which is how libFuzzer is told of a finding.
inline void Require(bool holds, std::string_view what, std::string_view of = {}) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\nof: %s\n", std::string(what).c_str(),
               std::string(of).c_str());
  std::abort();
}

// Whether `text` has characters of `alphabet` only.
inline bool IsOf(std::string_view alphabet, std::string_view text) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

inline constexpr std::string_view kDigits = "0123456789";
inline constexpr std::string_view kLowerLetters = "abcdefghijklmnopqrstuvwxyz";
inline constexpr std::string_view kUpperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

}  // namespace registry_backend::testing
