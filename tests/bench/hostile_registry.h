#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace registry_backend::testing {

// What a registry was asked for.
struct Ask {
  enum class Kind { kTags, kManifest, kBlob, kOther };
  Kind kind = Kind::kOther;
  std::string target;     // of the request: path and query
  std::string reference;  // of a manifest its tag or digest, of a blob its digest
  bool authorized = false;
  std::string url;           // of the registry itself
  std::uint64_t number = 0;  // of those of its kind, from 0 on
};

// What it says.
struct Reply {
  int status = 200;
  std::string fields = {};                       // of the header: lines with their CRLF
  std::shared_ptr<const std::string> body = {};  // null: empty
  bool endless = false;                          // the body again and again
  std::size_t together = 0;                      // so many such answers end at the same time
  bool alone = false;                            // no two such answers are sent at a time
};

// A registry in a process of its own, so that what it holds is not taken for the exporter's: the
// kernel hands a program's peak on to those that it starts. Speaks HTTP/1.1 on 127.0.0.1 and keeps
// connections. Ends with this object. To be made while the program has one thread.
class HostileRegistry {
 public:
  // Runs in many threads.
  using Answers = std::function<Reply(const Ask&)>;
  using Make = std::function<Answers()>;

  // `make_hostile` and `make_harmless` run in the registry's process; it begins hostile.
  HostileRegistry(const Make& make_hostile, const Make& make_harmless);
  ~HostileRegistry();
  HostileRegistry(const HostileRegistry&) = delete;
  HostileRegistry& operator=(const HostileRegistry&) = delete;

  void BeHostile(bool hostile) { shared_->hostile = hostile; }

  [[nodiscard]] std::string url() const;
  [[nodiscard]] std::uint64_t requests() const { return shared_->requests; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return shared_->bytes_sent; }

 private:
  // In memory of both processes.
  struct Shared {
    std::atomic<std::uint64_t> requests{0};
    std::atomic<std::uint64_t> bytes_sent{0};
    std::atomic<bool> hostile{true};
    std::atomic<std::uint16_t> port{0};  // 0: not yet ready
  };
  class Server;

  Shared* shared_;
  pid_t process_ = -1;
};

}  // namespace registry_backend::testing
