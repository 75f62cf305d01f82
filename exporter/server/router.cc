#include "exporter/server/router.h"

#include <stdexcept>
#include <utility>

namespace registry_backend::server {

void Router::Add(const std::string& method, const std::string& path, Route route) {
  AddUnlimited(method, path, [free = free_, route = std::move(route)](const Request& request) {
    struct Turn {
      explicit Turn(std::counting_semaphore<kAtOnce>& places) : free(places) { free.acquire(); }
      ~Turn() { free.release(); }
      Turn(const Turn&) = delete;
      Turn& operator=(const Turn&) = delete;
      std::counting_semaphore<kAtOnce>& free;
    };
    const Turn turn(*free);
    return route(request);
  });
}

void Router::AddUnlimited(const std::string& method, const std::string& path, Route route) {
  Route& place = routes_[path][method];
  if (place) throw std::logic_error("there are two routes for " + method + " " + path);
  place = std::move(route);
}

std::vector<std::string> Router::Routes() const {
  std::vector<std::string> routes;
  for (const auto& [path, methods] : routes_) {
    for (const auto& [method, unused] : methods) {
      routes.push_back(method);
      routes.back().append(" ").append(path);
    }
  }
  return routes;
}

Response Router::Handle(const Request& request) const {
  const auto path = routes_.find(request.path);
  if (path == routes_.end()) return Response::Text(404, "404 page not found");
  const auto& methods = path->second;
  const auto route = methods.find(request.method == "HEAD" ? "GET" : request.method);
  if (route != methods.end()) return route->second(request);
  std::string allowed;
  for (const auto& [method, unused] : methods) {
    if (!allowed.empty()) allowed += ", ";
    allowed += method == "GET" ? "GET, HEAD" : method;
  }
  Response response = Response::Text(405, "405 method not allowed");
  response.fields.emplace_back("Allow", allowed);
  return response;
}

}  // namespace registry_backend::server
