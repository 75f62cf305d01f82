#pragma once

#include <httplib.h>
#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

namespace registry_backend::simulator {

// One accepted socket, plain or TLS, as the stream cpp-httplib reads from and writes to. Used by
// one thread. Blocking; another thread ends every wait by shutting the descriptor down, and the
// peer by leaving. Does not own the descriptor.
class Connection final : public httplib::Stream {
 public:
  // `tls` may be null: plain. `io_timeout` bounds each read and write (whole seconds).
  Connection(int descriptor, SSL_CTX* tls, std::chrono::seconds io_timeout);
  ~Connection() override = default;

  // True when data may be read; a plain connection needs none. False if TLS could not be agreed on.
  bool Handshake();
  // Whether a request has begun to arrive before `timeout`.
  bool WaitForRequest(std::chrono::milliseconds timeout);
  // Waits, and tells whether the peer is still there; zero waits until it is not.
  bool WaitWhileOpen(std::chrono::milliseconds duration);
  // From now on nothing is sent.
  void Mute() { muted_ = true; }
  bool muted() const { return muted_; }
  // Ends a response: sends what is held back. False if the connection is broken or muted.
  bool Finish();
  // Says goodbye in TLS, unless muted or broken.
  void Close();

  bool is_readable() const override { return true; }
  bool is_writable() const override { return !muted_; }
  ssize_t read(char* data, std::size_t size) override;
  ssize_t write(const char* data, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  // cpp-httplib only compares it with FD_SETSIZE, which does not matter to poll().
  int socket() const override { return 0; }

 private:
  bool Fill();
  bool SendAll(const char* data, std::size_t size);

  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  const int descriptor_;
  std::unique_ptr<SSL, FreeSsl> ssl_;  // null: plain
  bool muted_ = false;

  std::array<char, 16384> input_{};  // bytes [input_begin_, input_end_) are unread
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
  // The head of a response waits for the first bytes of its body: one packet, not two.
  std::string held_;
  bool response_begun_ = false;
};

}  // namespace registry_backend::simulator
