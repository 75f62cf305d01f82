#include "exporter/server/message.h"

#include "exporter/server/text.h"

namespace registry_backend::server {

std::string_view Request::Field(std::string_view name) const {
  for (const auto& [key, value] : fields) {
    if (SameText(key, name)) return value;
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
