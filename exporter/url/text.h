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

// The pieces between `separator`s; at least one.
std::vector<std::string_view> Split(std::string_view text, char separator);

// The start of `text`, fit for a message: what is not printable ASCII becomes `?`.
std::string Printable(std::string_view text, std::size_t at_most = 128);

}  // namespace registry_backend
