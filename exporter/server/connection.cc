#include "exporter/server/connection.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace registry_backend::server {
namespace {

constexpr std::string_view kPlainOnTls =
    "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "400 this port speaks HTTPS, the request came in plain HTTP\n";

bool MayComeAgain() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

bool Connection::Wait(short event, Time until) const {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{socket_, event, 0};
    const int ready = poll(&waiting, 1, static_cast<int>(std::min<long>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

bool Connection::WaitFor(IoState state, Time until) const {
  if (state == IoState::kWantsRead) return Wait(POLLIN, until);
  return state == IoState::kWantsWrite && Wait(POLLOUT, until);
}

bool Connection::AwaitBytes(Time until) const { return Wait(POLLIN, until); }

Status Connection::Secure(std::unique_ptr<TlsSession> session, Time until) {
  if (session == nullptr) return Error{ErrorKind::kInternal, "out of memory"};
  while (true) {
    const IoState state = session->Handshake();
    if (state == IoState::kDone) break;
    if (WaitFor(state, until)) continue;
    if (session->met_plain_http()) {
      WriteAll(kPlainOnTls, until);
      Finish(kPlainOnTls.size(), until);
    }
    if (session->failure().empty()) return Error{ErrorKind::kTimeout, "it was not done in time"};
    return Error{ErrorKind::kTls, session->failure()};
  }
  tls_ = std::move(session);
  return Ok();
}

IoResult Connection::TryRead(char* to, std::size_t size) {
  if (tls_ != nullptr) return tls_->Read(to, size);
  const ssize_t got = recv(socket_, to, size, MSG_DONTWAIT);
  if (got > 0) return {IoState::kDone, static_cast<std::size_t>(got)};
  if (got == 0) return {IoState::kClosed};
  return {MayComeAgain() ? IoState::kWantsRead : IoState::kFailed};
}

IoResult Connection::TryWrite(std::string_view data) {
  if (tls_ != nullptr) return tls_->Write(data.data(), data.size());
  const ssize_t sent = send(socket_, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent > 0) return {IoState::kDone, static_cast<std::size_t>(sent)};
  return {MayComeAgain() ? IoState::kWantsWrite : IoState::kFailed};
}

ReadResult Connection::Read(char* to, std::size_t size, Time until) {
  while (true) {
    if (Clock::now() >= until) return {ReadState::kLate};
    const IoResult result = TryRead(to, size);
    if (result.state == IoState::kDone) return {ReadState::kData, result.bytes};
    if (result.state == IoState::kClosed) return {ReadState::kClosed};
    if (result.state == IoState::kFailed) return {ReadState::kBroken};
    if (!WaitFor(result.state, until)) return {ReadState::kLate};
  }
}

std::size_t Connection::Write(std::string_view data, Time until) {
  while (true) {
    if (Clock::now() >= until) return 0;
    const IoResult result = TryWrite(data);
    if (result.state == IoState::kDone) return result.bytes;
    if (!WaitFor(result.state, until)) return 0;
  }
}

bool Connection::WriteAll(std::string_view data, Time until) {
  while (!data.empty()) {
    const std::size_t sent = Write(data, until);
    if (sent == 0) return false;
    data.remove_prefix(sent);
  }
  return true;
}

void Connection::Finish(std::size_t bytes, Time until) {
  if (tls_ != nullptr) tls_->End();
  ::shutdown(socket_, SHUT_WR);
  std::array<char, 4096> unwanted;
  while (bytes > 0) {
    if (!Wait(POLLIN, until)) return;
    const ssize_t got = recv(socket_, unwanted.data(), unwanted.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    bytes -= std::min(bytes, static_cast<std::size_t>(got));
  }
}

}  // namespace registry_backend::server
