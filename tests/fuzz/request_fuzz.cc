#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "exporter/server/basic_auth.h"
#include "exporter/server/connection.h"
#include "exporter/server/gzip.h"
#include "exporter/server/request_reader.h"
#include "tests/fuzz/require.h"

// What a client sends: requests, one after another, until it closes.
namespace registry_backend::testing {
namespace {

using server::RequestHead;

constexpr std::size_t kMost = 100'000;  // fits into a socket's buffer

bool HasControl(std::string_view text) {
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == 0x7f) return true;
  }
  return false;
}

// As it could be sent again.
std::string Written(const RequestHead& head) {
  std::string text = head.method + " " + head.target + " HTTP/1.1\r\n";
  for (const auto& [name, value] : head.fields) text.append(name + ": " + value + "\r\n");
  return text + "\r\n";
}

void CheckHead(const RequestHead& head) {
  Require(!head.method.empty() && !head.target.empty(), "a request has a method and a target");
  Require(!HasControl(head.method) && !HasControl(head.target) &&
              head.target.find(' ') == std::string::npos,
          "a request line has two spaces and no controls", head.target);
  Require(head.fields.size() <= server::kMaxFields, "fields are bounded");
  Require(head.body_bytes <= server::kMaxBody, "bodies are bounded");
  std::size_t hosts = 0;
  for (const auto& [name, value] : head.fields) {
    Require(!name.empty() && !HasControl(name) && !HasControl(value), "fields have no controls",
            value);
    hosts += name == "Host" ? 1 : 0;
    static_cast<void>(server::AcceptsGzip(value));
    if (const auto given = server::ReadBasicAuth(value)) {
      Require(given->user.find(':') == std::string::npos &&
                  given->user.find('\0') == std::string::npos &&
                  given->password.find('\0') == std::string::npos,
              "a user has no colon, and no password a NUL", value);
    }
  }
  Require(hosts <= 1, "a request has one host at most");
  if (hosts == 0) return;  // HTTP/1.0, or another spelling
  RequestHead again;
  const std::string written = Written(head);
  Require(!ReadHead(written, again), "what was read can be written and read again", written);
  Require(again.method == head.method && again.target == head.target &&
              again.fields == head.fields && again.body_bytes == head.body_bytes,
          "and is the same", written);
}

void CheckRequests(std::string_view sent) {
  int ends[2] = {-1, -1};
  if (sent.size() > kMost || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return;
  Require(
      send(ends[1], sent.data(), sent.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(sent.size()),
      "a socket takes it all");
  shutdown(ends[1], SHUT_WR);
  server::Connection connection(ends[0]);
  server::RequestReader reader(connection, {std::chrono::seconds(5), std::chrono::seconds(5)});
  std::size_t requests = 0;
  while (true) {
    const auto received = reader.Next();
    Require(!(received.head && received.refusal), "a request is read or refused");
    if (!received.head) break;
    CheckHead(*received.head);
    // `GET / HTTP/1.0` and two line ends.
    Require(++requests <= sent.size() / 18, "a request has bytes of its own");
  }
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  registry_backend::testing::CheckRequests({reinterpret_cast<const char*>(data), size});
  return 0;
}
