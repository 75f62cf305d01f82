#pragma once

#include <memory>

#include "exporter/http/network_loop.h"
#include "exporter/http/transport.h"

namespace registry_backend {

// Transport on libcurl's multi interface: HTTP/2 where the server offers it (one connection then
// carries all requests), HTTP/1.1 else; connections and TLS sessions are reused; certificates and
// host names are verified; only http and https; no redirect is followed, no netrc read, no body
// decompressed. Proxies only as ConnectionOptions says.
class CurlTransport final : public Transport, public Poller {
 public:
  // `observer` may be null; it outlives the transport.
  CurlTransport(TransportOptions options, RequestObserver* observer);
  ~CurlTransport() override;
  CurlTransport(const CurlTransport&) = delete;
  CurlTransport& operator=(const CurlTransport&) = delete;

  CallId Start(Request request, Time deadline, Done done) override;
  void Cancel(CallId call) override;

  void Poll(std::chrono::milliseconds timeout) override;
  void Wake() override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace registry_backend
