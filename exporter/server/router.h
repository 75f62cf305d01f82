#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "exporter/server/message.h"

namespace registry_backend::server {

// A route answers a request. It is called from several threads at once.
using Route = std::function<Response(const Request&)>;

// Finds the route for a request by its exact path. Filled before it serves, read-only then.
class Router {
 public:
  // A GET route answers HEAD as well. There is no other route for the method and path: throws
  // std::logic_error. Of these the server has only a few at work at once, and others wait: an
  // answer may need much memory while it is made.
  void Add(const std::string& method, const std::string& path, Route route);

  // For one that needs next to nothing, or sees to it itself: nobody waits.
  void AddUnlimited(const std::string& method, const std::string& path, Route route);

  // Whether the path is that of a route, by whatever method.
  [[nodiscard]] bool Has(const std::string& path) const { return routes_.contains(path); }

  // `GET /path` of every route, in order of their paths.
  [[nodiscard]] std::vector<std::string> Routes() const;

  // Whether the route for the request is one of which only a few are at work at once.
  [[nodiscard]] bool IsLimited(const Request& request) const;

  // 404 for an unknown path, 405 with Allow for a known one asked for in another way.
  [[nodiscard]] Response Handle(const Request& request) const;

 private:
  struct Entry {
    Route route;
    bool is_limited = false;
  };
  using Methods = std::map<std::string, Entry>;

  void Add(const std::string& method, const std::string& path, Entry entry);
  static const Entry* Find(const Methods& methods, const std::string& method);

  std::map<std::string, Methods> routes_;  // by path
};

}  // namespace registry_backend::server
