#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// Requests and answers between the registry and the server that carries them.
namespace registry_backend::simulator {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method;
  std::string path;    // decoded, without the query
  std::string target;  // as sent, with the query
  // Scheme, host and port the client addressed, `https://127.0.0.1:5000`; behind a proxy, which
  // says so by X-Forwarded-Proto, those of the proxy.
  std::string origin;
  std::multimap<std::string, std::string> parameters;  // of the query and of a form body
  std::multimap<std::string, std::string> headers;     // names in lower case
  std::string body;

  // The first value, or empty. A header's name in lower case.
  std::string Header(const std::string& name) const { return First(headers, name); }
  std::string Parameter(const std::string& name) const { return First(parameters, name); }

 private:
  static std::string First(const std::multimap<std::string, std::string>& values,
                           const std::string& name) {
    const auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  }
};

// How an answer goes out. All but kWhole end the connection, kDrip and kFiller only if cut short.
enum class Delivery {
  kWhole,
  kClose,     // nothing is sent, the connection is closed
  kStall,     // nothing is sent for `pace` (zero: until Stop or the client leaves), then kClose
  kTruncate,  // Content-Length promises more than is sent before the connection closes
  kDrip,      // the head at once with the first byte, then one byte of the body every `pace`
  kFiller,    // `filler_size` spaces in place of the body
};

struct HttpAnswer {
  int status = 200;
  Headers headers;
  std::string content_type;
  std::shared_ptr<const std::string> body;  // null: none
  std::chrono::milliseconds delay{0};       // before anything is sent

  Delivery delivery = Delivery::kWhole;
  std::chrono::milliseconds pace{0};
  std::size_t filler_size = 0;  // bytes
  bool chunked = false;         // kFiller: send it chunked, without a Content-Length

  // Called once when the delay or stall is over or cut short, before anything is sent; may be
  // empty.
  std::function<void()> before_sending;
};

}  // namespace registry_backend::simulator
