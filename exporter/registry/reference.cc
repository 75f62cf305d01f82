#include "exporter/registry/reference.h"

#include <algorithm>

namespace registry_backend {
namespace {

bool IsLowerAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsWord(char c) { return IsLowerAlphanumeric(c) || (c >= 'A' && c <= 'Z') || c == '_'; }

// Whether `run` may stand between two alphanumeric runs: `.`, `_`, `__` or any number of `-`.
bool IsSeparator(std::string_view run) {
  return run == "." || run == "_" || run == "__" ||
         std::ranges::all_of(run, [](char c) { return c == '-'; });
}

bool IsComponent(std::string_view component) {
  if (component.empty() || !IsLowerAlphanumeric(component.front()) ||
      !IsLowerAlphanumeric(component.back())) {
    return false;
  }
  std::size_t start = 0;
  while (start < component.size()) {
    std::size_t end = start;
    while (end < component.size() && !IsLowerAlphanumeric(component[end])) ++end;
    if (end > start && !IsSeparator(component.substr(start, end - start))) return false;
    start = end + 1;
  }
  return true;
}

}  // namespace

bool IsRepository(std::string_view text) {
  if (text.size() > 255) return false;
  while (true) {
    const std::size_t slash = text.find('/');
    if (!IsComponent(text.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool IsTag(std::string_view text) {
  return !text.empty() && text.size() <= 128 && IsWord(text.front()) &&
         std::ranges::all_of(text, [](char c) { return IsWord(c) || c == '.' || c == '-'; });
}

}  // namespace registry_backend
