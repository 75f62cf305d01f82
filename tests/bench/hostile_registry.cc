#include "tests/bench/hostile_registry.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string_view>

#include "tests/support/eventually.h"
#include "tests/support/raw_server.h"

namespace registry_backend::testing {
namespace {

using namespace std::chrono_literals;

Ask::Kind KindOf(std::string_view target, std::string& reference) {
  struct Api {
    std::string_view before;
    Ask::Kind kind;
  };
  for (const auto& [before, kind] :
       {Api{"/manifests/", Ask::Kind::kManifest}, Api{"/blobs/", Ask::Kind::kBlob}}) {
    const std::size_t at = target.find(before);
    if (at == std::string_view::npos) continue;
    reference = target.substr(at + before.size());
    return kind;
  }
  return target.find("/tags/list") != std::string_view::npos ? Ask::Kind::kTags : Ask::Kind::kOther;
}

// Those that wait are let go when there are so many, or the first of them has waited too long.
class Gate {
 public:
  void Pass(std::size_t together) {
    std::unique_lock lock(mutex_);
    const std::uint64_t round = round_;
    if (++waiting_ < together) {
      opened_.wait_for(lock, 2s, [&] { return round_ != round; });
      if (round_ != round) return;
    }
    waiting_ = 0;
    ++round_;
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  std::size_t waiting_ = 0;
  std::uint64_t round_ = 0;
};

}  // namespace

class HostileRegistry::Server {
 public:
  Server(Shared& shared, Answers hostile, Answers harmless)
      : shared_(shared), hostile_(std::move(hostile)), harmless_(std::move(harmless)) {
    shared_.port = server_.port();
  }

 private:
  void Serve(RawConnection& connection) {
    const int on = 1;
    ::setsockopt(connection.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (true) {
      const std::string head = connection.ReadRequest();
      if (!head.ends_with("\r\n\r\n")) return;
      ++shared_.requests;
      const Ask ask = Read(head);
      if (!Send(connection, shared_.hostile ? hostile_(ask) : harmless_(ask))) return;
    }
  }

  Ask Read(const std::string& head) {
    Ask ask;
    const std::size_t begin = head.find(' ') + 1;
    ask.target = head.substr(begin, head.find(' ', begin) - begin);
    ask.kind = KindOf(ask.target, ask.reference);
    ask.authorized = head.find("\r\nauthorization: ") != std::string::npos;
    ask.url = server_.url();
    ask.number = asked_[static_cast<std::size_t>(ask.kind)]++;
    return ask;
  }

  bool Send(RawConnection& connection, const Reply& reply) {
    const std::string_view body = reply.body ? std::string_view(*reply.body) : std::string_view();
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " -\r\n" + reply.fields;
    text += reply.endless ? "Connection: close\r\n\r\n"
                          : "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    if (reply.endless) {
      if (!Count(connection, text)) return false;
      while (Count(connection, body)) {
      }
      return false;
    }
    constexpr std::size_t kSmall = 16'384;
    if (body.size() <= kSmall) return Count(connection, text.append(body));
    std::unique_lock<std::mutex> turn(turn_, std::defer_lock);
    if (reply.alone) turn.lock();
    if (!Count(connection, text) || !Count(connection, body.substr(0, body.size() - 1))) {
      return false;
    }
    if (reply.together > 0) gate_.Pass(reply.together);
    return Count(connection, body.substr(body.size() - 1));
  }

  bool Count(RawConnection& connection, std::string_view text) {
    if (!connection.Send(text)) return false;
    shared_.bytes_sent += text.size();
    return true;
  }

  Shared& shared_;
  const Answers hostile_;
  const Answers harmless_;
  std::array<std::atomic<std::uint64_t>, 4> asked_{};
  Gate gate_;
  std::mutex turn_;
  RawServer server_{[this](RawConnection& connection) { Serve(connection); }};
};

HostileRegistry::HostileRegistry(const Make& make_hostile, const Make& make_harmless) {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
  shared_ = new (memory) Shared;
  process_ = ::fork();
  if (process_ < 0) throw std::runtime_error("no process for a registry");
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      const Server server(*shared_, make_hostile(), make_harmless());
      while (true) ::pause();
    } catch (const std::exception& fault) {
      std::fprintf(stderr, "memory_bench: a registry: %s\n", fault.what());
    }
    ::_exit(1);
  }
  if (!Eventually(20s, [this] { return shared_->port != 0; })) {
    throw std::runtime_error("a registry does not start");
  }
}

HostileRegistry::~HostileRegistry() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  ::munmap(shared_, sizeof(Shared));
}

std::string HostileRegistry::url() const {
  return "http://127.0.0.1:" + std::to_string(shared_->port);
}

}  // namespace registry_backend::testing
