#include "exporter/http/message.h"

#include "exporter/url/text.h"

namespace registry_backend {
void Headers::Add(std::string_view name, std::string_view value) {
  fields_.emplace_back(LowerAscii(name), value);
}

std::string_view Headers::Get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (EqualIgnoringCase(key, name)) return value;
  }
  return {};
}

std::vector<std::string_view> Headers::GetAll(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : fields_) {
    if (EqualIgnoringCase(key, name)) values.emplace_back(value);
  }
  return values;
}

}  // namespace registry_backend
