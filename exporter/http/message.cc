#include "exporter/http/message.h"

#include <algorithm>

namespace registry_backend {
namespace {

char LowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameName(std::string_view lower, std::string_view name) {
  return std::ranges::equal(lower, name, [](char a, char b) { return a == LowerAscii(b); });
}

}  // namespace

void Headers::Add(std::string_view name, std::string_view value) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), LowerAscii);
  fields_.emplace_back(std::move(lower), value);
}

std::string_view Headers::Get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (SameName(key, name)) return value;
  }
  return {};
}

std::vector<std::string_view> Headers::GetAll(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : fields_) {
    if (SameName(key, name)) values.emplace_back(value);
  }
  return values;
}

}  // namespace registry_backend
