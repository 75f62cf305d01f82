#include "tests/simulator/answers.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace registry_backend::simulator {

HttpAnswer JsonAnswer(int status, std::string json) {
  HttpAnswer answer;
  answer.status = status;
  answer.content_type = "application/json";
  answer.body = std::make_shared<const std::string>(std::move(json));
  return answer;
}

HttpAnswer ErrorAnswer(int status, std::string_view code, std::string_view message,
                       std::string_view detail) {
  nlohmann::ordered_json error = {{"code", code}, {"message", message}};
  if (!detail.empty()) error["detail"] = detail;
  const nlohmann::ordered_json body = {{"errors", nlohmann::ordered_json::array({error})}};
  // A client may have sent any bytes, which `detail` then repeats.
  return JsonAnswer(status, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace registry_backend::simulator
