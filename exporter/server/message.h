#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace registry_backend::server {

// What a client asked for.
struct Request {
  std::string method;
  std::string path;                                         // decoded, without the query
  std::multimap<std::string, std::string> query;            // decoded
  std::vector<std::pair<std::string, std::string>> fields;  // header fields as sent

  // The first header field of that name (without regard to case), or empty.
  [[nodiscard]] std::string_view Field(std::string_view name) const;
  // The first query parameter of that name, or empty.
  [[nodiscard]] std::string_view Parameter(const std::string& name) const;
};

// A body that is read as it is sent, for one that is too large to be in memory.
class BodySource {
 public:
  virtual ~BodySource() = default;
  [[nodiscard]] virtual std::uint64_t size() const = 0;  // bytes
  // Bytes from `offset` on go to `to`; how many, at least one. 0: it cannot be read, and the
  // connection ends short of its Content-Length. By one thread.
  [[nodiscard]] virtual std::size_t Read(std::uint64_t offset, std::span<char> to) const = 0;
};

// What it gets. The body is shared, so that a slow client costs no copy.
struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::shared_ptr<const std::string> body;
  std::shared_ptr<const BodySource> source;  // in place of the body, where set
  std::vector<std::pair<std::string, std::string>> fields;

  // A line of plain text.
  static Response Text(int status, std::string_view line);
};

}  // namespace registry_backend::server
