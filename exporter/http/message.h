#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/common/error.h"
#include "exporter/common/time.h"
#include "exporter/http/options.h"
#include "exporter/url/url.h"

namespace registry_backend {

// Header fields in the order sent or received. Names are compared without regard to case (RFC 9110
// §5.1) and kept in lower case; a name may occur more than once.
class Headers {
 public:
  void Add(std::string_view name, std::string_view value);
  // The first value of `name`, or empty.
  [[nodiscard]] std::string_view Get(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> GetAll(std::string_view name) const;
  [[nodiscard]] const std::vector<std::pair<std::string, std::string>>& fields() const {
    return fields_;
  }
  void Clear() { fields_.clear(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// What to do with a body.
enum class BodyUse {
  kKeep,     // into Response::body; more than max_body_bytes is an error (kProtocol)
  kDiscard,  // read and dropped up to max_body_bytes so that the connection stays usable; a longer
             // one is cut off, which closes the connection and is no error
};

enum class Method {
  kGet,
  kHead,  // a GET whose answer has no body (RFC 9110 §9.3.2)
  kPost,  // sends Request::form
};

// One request. Redirects are never followed and no credential is added: what is in `headers`
// is what is sent.
struct Request {
  Url url;
  Method method = Method::kGet;
  Headers headers;
  BodyUse body_use = BodyUse::kKeep;
  std::size_t max_body_bytes = std::size_t{1024} * 1024;
  std::size_t max_header_bytes = std::size_t{64} * 1024;  // status line and all fields together
  std::string form;  // of kPost: application/x-www-form-urlencoded; may hold secrets
  std::shared_ptr<const ConnectionOptions> connection;  // null: the defaults
  // For whom and what for; only the RequestObserver looks at these.
  std::string registry;
  std::string_view operation;  // outlives the request: a literal
};

struct Response {
  int status = 0;  // the final one; 1xx are skipped
  Headers headers;
  std::string body;  // empty with BodyUse::kDiscard
};

// Why a request may be sent again: what may pass.
inline constexpr std::array kRetriedErrorKinds = {ErrorKind::kRateLimited, ErrorKind::kTimeout,
                                                  ErrorKind::kDns, ErrorKind::kConnect,
                                                  ErrorKind::kHttp};

// Told of what goes over the wire. Called on the network thread; must not block.
class RequestObserver {
 public:
  virtual ~RequestObserver() = default;
  // Once for every request sent, when its answer is there (`status`) or it failed (`status` 0).
  virtual void OnRequest(std::string_view registry, std::string_view operation, int status,
                         Duration took) = 0;
  // Once for every request about to be sent again; `reason` is an ErrorKind's name.
  virtual void OnRetry(std::string_view registry, std::string_view reason) = 0;
  // There is no target on this registry any more.
  virtual void OnRegistryGone(std::string_view registry) = 0;
};

}  // namespace registry_backend
