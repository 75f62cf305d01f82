#include "exporter/config/target_values.h"

#include <string>

#include "exporter/registry/reference.h"

namespace registry_backend {

Result<Url> ParseRegistry(std::string_view text) {
  const bool has_scheme = text.find("://") != std::string_view::npos;
  Result<Url> url = Url::Parse(has_scheme ? std::string(text) : "https://" + std::string(text));
  if (!url) return url;
  const auto invalid = [&url](std::string_view why) {
    return Error{ErrorKind::kInternal, "registry '" + url->origin().text() + "' " +
                                           std::string(why) +
                                           " (expected one like https://registry.example.com)"};
  };
  if (url->has_userinfo()) return invalid("holds a user name; set basic_auth or --username");
  if (text.find_first_of("?#") != std::string_view::npos) return invalid("has a query");
  if (url->path() == "/v2" || url->path() == "/v2/") return invalid("has a path: leave /v2/ out");
  if (url->path() != "/") {
    return invalid("has a path: move it to the beginning of the repository, as in team/app");
  }
  return url;
}

Result<std::string> ParseRepository(std::string_view text) {
  if (IsRepository(text)) return std::string(text);
  // What is shown begins after an `@`: a whole URL, given by mistake, may hold a password before
  // it.
  const std::string_view shown = text.substr(text.rfind('@') + 1);
  return Error{ErrorKind::kInternal,
               "'" + std::string(shown.substr(0, 255)) +
                   "' is not a repository (expected a path in lower case like team/app)"};
}

}  // namespace registry_backend
