#include "exporter/server/router.h"

#include <stdexcept>
#include <utility>

namespace registry_backend::server {

void Router::Add(const std::string& method, const std::string& path, Route route) {
  Add(method, path, Entry{std::move(route), true});
}

void Router::AddUnlimited(const std::string& method, const std::string& path, Route route) {
  Add(method, path, Entry{std::move(route), false});
}

void Router::Add(const std::string& method, const std::string& path, Entry entry) {
  Entry& place = routes_[path][method];
  if (place.route) throw std::logic_error("there are two routes for " + method + " " + path);
  place = std::move(entry);
}

const Router::Entry* Router::Find(const Methods& methods, const std::string& method) {
  const auto found = methods.find(method == "HEAD" ? "GET" : method);
  return found == methods.end() ? nullptr : &found->second;
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

bool Router::IsLimited(const Request& request) const {
  const auto path = routes_.find(request.path);
  if (path == routes_.end()) return false;
  const Entry* const entry = Find(path->second, request.method);
  return entry != nullptr && entry->is_limited;
}

Response Router::Handle(const Request& request) const {
  const auto path = routes_.find(request.path);
  if (path == routes_.end()) return Response::Text(404, "404 page not found");
  const Methods& methods = path->second;
  if (const Entry* const entry = Find(methods, request.method)) return entry->route(request);
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
