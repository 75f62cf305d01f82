#pragma once

#include <string>
#include <string_view>
#include <vector>

// Small things done to text from the network. ASCII only: HTTP's own words are.
namespace registry_backend {

std::string LowerAscii(std::string_view text);
bool EqualIgnoringCase(std::string_view a, std::string_view b);

// Without blanks, tabs and line ends at either end.
std::string_view Trim(std::string_view text);

// Whether any character is so. Unlike a search it looks at all of them, many at a time: for long
// text that seldom has such a character.
template <typename Predicate>
bool HasAny(std::string_view text, Predicate is_so) {
  unsigned char any = 0;
  for (const char c : text) any |= static_cast<unsigned char>(is_so(c));
  return any != 0;
}

// The pieces between `separator`s; at least one.
std::vector<std::string_view> Split(std::string_view text, char separator);

// The start of `text`, fit for a message: what is not printable ASCII becomes `?`.
std::string Printable(std::string_view text, std::size_t at_most = 128);

}  // namespace registry_backend
