#include "exporter/web/one_target.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "exporter/web/answers.h"

namespace registry_backend {

OneTarget FindOneTarget(const Snapshot& snapshot, const server::Request& request) {
  const auto& targets = snapshot.targets;
  const std::string_view name = request.Parameter("target");
  if (name.empty() && targets.size() == 1) return {targets.front(), {}};
  if (name.empty()) {
    return {nullptr, JsonError(400, "there are " + std::to_string(targets.size()) +
                                        " targets; name one: ?target=NAME")};
  }
  const auto found = std::ranges::find(targets, name, &TargetSnapshot::name);
  if (found == targets.end()) return {nullptr, UnknownTarget(name)};
  return {*found, {}};
}

}  // namespace registry_backend
