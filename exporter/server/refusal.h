#pragma once

#include <string>
#include <utility>
#include <vector>

namespace registry_backend::server {

using Headers = std::vector<std::pair<std::string, std::string>>;

// The whole answer to what did not become a request, after which the connection ends.
std::string RefusalText(int status, const Headers& headers);

}  // namespace registry_backend::server
