#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "exporter/common/result.h"
#include "exporter/server/security_options.h"

namespace registry_backend::server {

// What a call on a connection that does not block came to.
enum class IoState {
  kDone,
  kWantsRead,   // again when there is something to read
  kWantsWrite,  // again when there is room to write
  kClosed,      // by the client, in order
  kFailed,
};

struct IoResult {
  IoState state = IoState::kFailed;
  std::size_t bytes = 0;  // with kDone
};

// The server's end of one TLS connection. By one thread.
class TlsSession {
 public:
  virtual ~TlsSession() = default;
  virtual IoState Handshake() = 0;
  virtual IoResult Read(char* to, std::size_t size) = 0;
  virtual IoResult Write(const char* from, std::size_t size) = 0;
  // Tells the client that nothing more comes. Does not wait.
  virtual void End() = 0;
  // Whether the handshake failed on what looks like HTTP without TLS.
  [[nodiscard]] virtual bool met_plain_http() const = 0;
  // Why the handshake failed, for the log; empty before.
  [[nodiscard]] virtual const std::string& failure() const = 0;
};

// Certificate, key and rules. Immutable and thread-safe; hides OpenSSL.
class TlsContext {
 public:
  // Reads the files. Errors begin with the PemSource's `where`.
  static Result<std::shared_ptr<const TlsContext>> Make(const TlsOptions& options);

  virtual ~TlsContext() = default;
  // For a connected socket that does not block and outlives the session. Null: out of memory.
  [[nodiscard]] virtual std::unique_ptr<TlsSession> Begin(int socket) const = 0;
};

}  // namespace registry_backend::server
