#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/server/tls.h"

namespace registry_backend::server {

// What reading came to.
enum class ReadState { kData, kClosed, kLate, kBroken };

struct ReadResult {
  ReadState state = ReadState::kBroken;
  std::size_t bytes = 0;  // with kData
};

// One client's bytes, in TLS or plain. Every call ends by its deadline, however the client dribbles
// them. By one thread; another one may shut the socket down, which ends the call that waits.
class Connection {
 public:
  // `socket` does not block, and stays the caller's.
  explicit Connection(int socket) : socket_(socket) {}

  // Waits for the client's first byte, which stays to be read.
  [[nodiscard]] bool AwaitBytes(Time until) const;

  // Goes on in TLS. The error says why it did not come to that: there is nothing to be said to the
  // client.
  Status Secure(std::unique_ptr<TlsSession> session, Time until);

  // Up to `size` bytes, at least one.
  ReadResult Read(char* to, std::size_t size, Time until);

  // Some of the bytes, at least one; 0: the client is gone or too slow.
  std::size_t Write(std::string_view data, Time until);

  // All of the bytes.
  bool WriteAll(std::string_view data, Time until);

  // Ends it in order: without reading what a client still sends, its system would throw away the
  // answer. Reads no more than `bytes`.
  void Finish(std::size_t bytes, Time until);

 private:
  // Until the socket is ready, or closed, which reading or writing will tell.
  [[nodiscard]] bool Wait(short event, Time until) const;
  [[nodiscard]] bool WaitFor(IoState state, Time until) const;
  IoResult TryRead(char* to, std::size_t size);
  IoResult TryWrite(std::string_view data);

  const int socket_;
  std::unique_ptr<TlsSession> tls_;  // null: plain
};

}  // namespace registry_backend::server
