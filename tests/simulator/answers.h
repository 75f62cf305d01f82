#pragma once

#include <string>
#include <string_view>

#include "tests/simulator/http_message.h"

namespace registry_backend::simulator {

HttpAnswer JsonAnswer(int status, std::string json);

// The body the distribution spec wants: `{"errors":[{"code":…,"message":…,"detail":…}]}`.
HttpAnswer ErrorAnswer(int status, std::string_view code, std::string_view message,
                       std::string_view detail = {});

}  // namespace registry_backend::simulator
