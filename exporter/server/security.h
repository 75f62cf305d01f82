#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/common/log.h"
#include "exporter/common/result.h"
#include "exporter/server/basic_auth.h"
#include "exporter/server/message.h"
#include "exporter/server/rate_limiter.h"
#include "exporter/server/security_options.h"
#include "exporter/server/tls.h"

namespace registry_backend::server {

// Who may ask, as a file says that is read again whenever it or a file it names has changed. One
// that has become bad is logged once, and the last good one stays: it never opens a door.
// Thread-safe.
class Security {
 public:
  using Load = std::function<Result<SecurityOptions>()>;

  // What holds for one connection or request. Immutable.
  struct State {
    SecurityOptions options;
    std::shared_ptr<const TlsContext> tls;  // null: plain HTTP
  };

  // `load` reads the file at `path`. An error is what is wrong with it, or with one it names.
  static Result<std::unique_ptr<Security>> Open(std::string path, Load load, Logger logger);

  // Looks for changes first. One at a time does; where its disk does not answer, the others soon go
  // on with what is known.
  std::shared_ptr<const State> Current();

  // The answer in place of the one asked for: 429, 401 or 503. Waits no longer than `until` for a
  // password to be checked, of which `stand` is told.
  std::optional<Response> Refuse(const State& state, const Request& request, Time until,
                                 const PasswordChecker::Stand& stand);

  // Lets nobody wait any longer.
  void Stop() { passwords_.Stop(); }

 private:
  // What tells a file from what it was: its inode, size and times.
  using Signature = std::map<std::string, std::string>;

  Security(std::string path, Load load, Logger logger);
  static Result<State> Build(const SecurityOptions& options);
  // Of the file, and of those that `options` names.
  [[nodiscard]] Signature SignatureOf(const SecurityOptions& options) const;
  void Look();
  void Reread(const Signature& now);
  // What is wrong with what was read last, or why it may not take the old one's place.
  [[nodiscard]] static std::string FaultOf(const std::string& path, const State& old,
                                           const Result<State>& state);

  const std::string path_;
  const Load load_;
  const Logger logger_;
  PasswordChecker passwords_;
  std::mutex mutex_;
  std::shared_ptr<const State> state_;  // guarded by mutex_, as the next two
  RateLimiter limiter_;
  bool is_looking_ = false;  // somebody is, who alone uses what is below
  std::condition_variable looked_;
  Signature seen_;          // of what was read last, good or bad
  SecurityOptions named_;   // what was read last, for the files it names
  std::string last_fault_;  // empty: none
  Time try_again_;          // while there is a fault, which may be a passing one
};

}  // namespace registry_backend::server
