#pragma once

#include <memory>

#include "exporter/monitor/snapshot.h"
#include "exporter/server/message.h"

namespace registry_backend {

// The target that a request names by `target`, or the only one there is. Null: `refusal` says why.
struct OneTarget {
  std::shared_ptr<const TargetSnapshot> target;
  server::Response refusal;
};
OneTarget FindOneTarget(const Snapshot& snapshot, const server::Request& request);

}  // namespace registry_backend
