#pragma once

#include <map>

#include "exporter/common/time.h"
#include "exporter/url/url.h"

namespace registry_backend {

// Spaces the requests to each origin, so that a registry is asked politely whatever the number of
// targets on it, and lets one alone that asks for it. One a process. Pure: callers bring the clock.
// Network thread only.
class Pacer {
 public:
  // At most `requests_per_second` to `origin`; 0 = no limit. Of several limits for one origin the
  // lowest holds.
  void Limit(const Origin& origin, double requests_per_second);

  // Takes all limits back; places that were given, and holds, stay.
  void ClearLimits();

  // The instant at which the caller may send its next request to `origin`: now or later. Each call
  // takes the place it is given.
  Time Reserve(const Origin& origin, Time now);

  // Lets `origin` alone until then: no later Reserve is given an earlier instant. Whoever holds a
  // place that HeldUntil has overtaken asks for another one.
  void Hold(const Origin& origin, Time until);
  [[nodiscard]] Time HeldUntil(const Origin& origin) const;

 private:
  struct Lane {
    Duration spacing{};
    Time next_free = Time::min();
    Time held_until = Time::min();
  };
  std::map<Origin, Lane> lanes_;
};

}  // namespace registry_backend
