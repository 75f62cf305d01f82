#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace registry_backend::server {

// Whether a client takes gzip, by its Accept-Encoding field (RFC 9110 §12.5.3), and does not like
// it less than what is not compressed.
bool AcceptsGzip(std::string_view accept_encoding);

// Whether a body of that type and size gets smaller by as much as it costs.
bool IsWorthPacking(std::string_view content_type, std::size_t bytes);

// In the gzip format, at a level that is worth its time on exposition text.
std::string Gzip(std::string_view plain);

// Compresses a body once however many clients share it, one body at a time. Keeps none that is not
// being sent. Thread-safe.
class BodyPacker {
 public:
  std::shared_ptr<const std::string> Pack(const std::shared_ptr<const std::string>& body);

 private:
  struct Packed {
    std::weak_ptr<const std::string> plain;
    std::weak_ptr<const std::string> packed;
  };
  std::mutex mutex_;
  std::vector<Packed> packed_;  // guarded by mutex_
};

}  // namespace registry_backend::server
