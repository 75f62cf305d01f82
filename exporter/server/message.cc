#include "exporter/server/message.h"

#include <algorithm>

namespace registry_backend::server {
namespace {

char LowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameName(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return LowerAscii(x) == LowerAscii(y); });
}

}  // namespace

std::string_view Request::Field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (SameName(key, name)) return value;
  }
  return {};
}

std::string_view Request::Parameter(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view() : std::string_view(found->second);
}

Response Response::Text(int status, std::string_view line) {
  Response response;
  response.status = status;
  response.body = std::make_shared<const std::string>(std::string(line) + "\n");
  return response;
}

}  // namespace registry_backend::server
