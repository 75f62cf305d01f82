#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace registry_backend::testing {

// One accepted connection, in the thread of its own that the server runs it in. Every call returns
// (with false or what came so far) when the peer goes or the server is destroyed.
class RawConnection {
 public:
  explicit RawConnection(int fd) : fd_(fd) {}

  // The socket, owned by the server: use it, do not close it.
  [[nodiscard]] int fd() const { return fd_; }
  // Bytes up to and with the first `end`, or all there were when the peer closed before.
  // What came after `end` is kept for the next call.
  [[nodiscard]] std::string ReadUntil(std::string_view end);
  // `size` bytes, or fewer where the peer closed before.
  [[nodiscard]] std::string Read(std::size_t size);
  // The head of one HTTP request, with its blank line.
  std::string ReadRequest() { return ReadUntil("\r\n\r\n"); }
  // All of `data`; false when the peer is gone. Blocks while the peer does not read.
  bool Send(std::string_view data);
  // `data` in pieces of `piece` bytes with a pause before each: a slow peer.
  bool Drip(std::string_view data, std::size_t piece, std::chrono::milliseconds pause);
  // Sends nothing more and waits until the peer or the server closes: a peer that stalls.
  void Stall();
  // Waits, for at most `duration`; false when the connection ended meanwhile.
  bool Pause(std::chrono::milliseconds duration);
  // The connection will be reset (RST) instead of closed in order when the callback returns.
  void ResetOnClose();

 private:
  // Adds to `buffer_`; false when the peer closed.
  bool ReadMore();

  int fd_;
  std::string buffer_;  // read, not yet returned
};

// A TCP server on a loopback address and a port the kernel chose, to script broken HTTP peers.
// Accepts at once, and hands each connection to `handler` in a thread of its own; closes it when
// the handler returns (what it left unread of the peer's data makes the kernel reset the connection
// then). The destructor shuts every socket down and joins all threads, so the handler may use what
// outlives the server. The handler must be thread-safe when connections overlap.
class RawServer {
 public:
  using Handler = std::function<void(RawConnection&)>;

  // Throws std::system_error when it cannot listen.
  explicit RawServer(Handler handler, std::string address = "127.0.0.1");
  ~RawServer();
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::string host() const { return address_ + ":" + std::to_string(port_); }
  [[nodiscard]] std::string url() const { return "http://" + host(); }
  // Connections accepted so far; those now open. Thread-safe.
  [[nodiscard]] int accepted() const;
  [[nodiscard]] int open() const;

 private:
  struct Connection {
    int fd = -1;  // -1: over
    std::thread thread;
  };

  void AcceptAll();
  void Serve(Connection& connection, int fd);
  void JoinFinished();

  const Handler handler_;
  const std::string address_;
  int listener_ = -1;
  std::uint16_t port_ = 0;

  mutable std::mutex mutex_;
  std::list<Connection> connections_;  // guarded by mutex_; threads are joined outside it
  bool stopping_ = false;              // guarded by mutex_
  int accepted_ = 0;                   // guarded by mutex_

  std::thread acceptor_;
};

// A whole HTTP/1.1 answer with Content-Length and "Connection: close". `headers` are lines with
// their CRLF.
[[nodiscard]] std::string HttpText(int status, std::string_view body,
                                   std::string_view headers = "");

}  // namespace registry_backend::testing
