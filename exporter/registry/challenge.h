#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace registry_backend {

// One challenge of a WWW-Authenticate field (RFC 9110 §11.6.1).
struct Challenge {
  std::string scheme;  // lower case: `basic`, `bearer`, …
  std::vector<std::pair<std::string, std::string>> parameters;  // names in lower case, unquoted

  // The parameter's value, or empty.
  [[nodiscard]] std::string_view Get(std::string_view name) const;
};

// All challenges of all fields, in order. One field may hold several; what is malformed is skipped
// up to where the next challenge can be told.
std::vector<Challenge> ParseChallenges(const std::vector<std::string_view>& fields);

}  // namespace registry_backend
