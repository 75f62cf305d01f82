#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "exporter/server/message.h"

// Answers in JSON.
namespace registry_backend {

// `body` as it is, in one line. Bytes that are no UTF-8 are replaced.
server::Response JsonAnswer(int status, const nlohmann::ordered_json& body);

// {"status":"success","data":…}
server::Response JsonSuccess(int status, nlohmann::ordered_json data);

// {"status":"error","error":…}
server::Response JsonError(int status, std::string_view message);

// 404 for a target that a query names.
server::Response UnknownTarget(std::string_view name);

}  // namespace registry_backend
