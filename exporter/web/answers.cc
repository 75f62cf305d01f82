#include "exporter/web/answers.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

namespace registry_backend {

server::Response JsonAnswer(int status, const nlohmann::ordered_json& body) {
  server::Response response;
  response.status = status;
  response.content_type = "application/json";
  // What a client sent need not be UTF-8, and what is cut may end within a character.
  response.body = std::make_shared<const std::string>(
      body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
  return response;
}

server::Response JsonSuccess(int status, nlohmann::ordered_json data) {
  return JsonAnswer(status, {{"status", "success"}, {"data", std::move(data)}});
}

server::Response JsonError(int status, std::string_view message) {
  return JsonAnswer(status, {{"status", "error"}, {"error", message}});
}

server::Response UnknownTarget(std::string_view name) {
  return JsonError(404, "there is no target '" + std::string(name.substr(0, 200)) + "'");
}

}  // namespace registry_backend
