#pragma once

#include <map>

#include "exporter/common/time.h"
#include "exporter/url/url.h"

namespace registry_backend {

// Spaces the requests to each origin, so that a registry is asked politely whatever the number of
// targets on it. One a process. Pure: callers bring the clock. Network thread only.
class Pacer {
 public:
  // At most `requests_per_second` to `origin`; 0 = no limit. Of several limits for one origin the
  // lowest holds.
  void Limit(const Origin& origin, double requests_per_second);

  // The instant at which the caller may send its next request to `origin`: now or later. Each call
  // takes the place it is given.
  Time Reserve(const Origin& origin, Time now);

 private:
  struct Lane {
    Duration spacing;
    Time next_free;
  };
  std::map<Origin, Lane> lanes_;
};

}  // namespace registry_backend
