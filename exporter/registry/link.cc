#include "exporter/registry/link.h"

#include <algorithm>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

// Takes the next piece of `rest` up to `separator`; separators inside quotes do not count.
std::string_view TakeUntil(std::string_view& rest, char separator) {
  bool quoted = false;
  std::size_t end = 0;
  for (; end < rest.size(); ++end) {
    if (rest[end] == '\\' && quoted) {
      ++end;
    } else if (rest[end] == '"') {
      quoted = !quoted;
    } else if (rest[end] == separator && !quoted) {
      break;
    }
  }
  end = std::min(end, rest.size());
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return piece;
}

// Whether the parameters after a link's target say rel=next; rel may list several relations.
bool IsNext(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string_view parameter = Trim(TakeUntil(parameters, ';'));
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !EqualIgnoringCase(Trim(parameter.substr(0, equals)), "rel")) {
      continue;
    }
    std::string_view value = Trim(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    while (!value.empty()) {
      if (EqualIgnoringCase(TakeUntil(value, ' '), "next")) return true;
    }
    return false;  // RFC 8288 §3.3: only the first rel counts
  }
  return false;
}

}  // namespace

std::optional<std::string> FindNextLink(const std::vector<std::string_view>& fields) {
  for (std::string_view rest : fields) {
    while (true) {
      const std::size_t open = rest.find('<');
      const std::size_t close = rest.find('>', open == std::string_view::npos ? 0 : open);
      if (open == std::string_view::npos || close == std::string_view::npos) break;
      const std::string_view target = rest.substr(open + 1, close - open - 1);
      rest.remove_prefix(close + 1);
      if (IsNext(TakeUntil(rest, ','))) return std::string(target);
    }
  }
  return std::nullopt;
}

}  // namespace registry_backend
