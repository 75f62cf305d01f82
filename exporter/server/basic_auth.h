#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "exporter/common/time.h"
#include "exporter/server/line.h"

namespace registry_backend::server {

struct UserAndPassword {
  std::string user;
  std::string password;
};

// From an Authorization field of the scheme Basic (RFC 7617). Nothing where it is another one, is
// no base64, or holds a NUL, at which a hash would end.
std::optional<UserAndPassword> ReadBasicAuth(std::string_view authorization);

// What is wrong with a bcrypt hash, or nothing.
std::optional<std::string> FaultOfHash(std::string_view hash);

// Compares passwords with bcrypt hashes. Hashing is slow on purpose, so there is one at a time, and
// what came of it is remembered without the password. Each known user waits in a lane of its own,
// and all unknown ones in one: those who guess at names keep nobody waiting. Thread-safe.
class PasswordChecker {
 public:
  enum class Verdict { kGood, kBad, kBusy };

  // Is told of the turn that waits, so that it can be cancelled, and of none when it does not.
  using Stand = std::function<void(Line::Turn* turn)>;

  PasswordChecker();

  // `users`: name → bcrypt hash, at least one. An unknown user takes as long as the known one whose
  // hash costs most. Busy's are those who do not come to it within `until`.
  Verdict Check(const std::map<std::string, std::string>& users, const UserAndPassword& given,
                Time until, const Stand& stand = {});

  // Lets nobody wait any longer. The one that hashes goes on.
  void Stop() { line_.Close(); }

  // How many hashes were computed.
  [[nodiscard]] std::size_t computed() const;
  // The work of those: 2 to the power of each one's cost, together.
  [[nodiscard]] std::uint64_t work() const;
  // How many wait for their turn.
  [[nodiscard]] std::size_t waiting() const { return line_.waiting(); }

 private:
  using Key = std::array<unsigned char, 32>;

  [[nodiscard]] Key KeyOf(bool is_known, std::string_view hash, const UserAndPassword& given) const;
  [[nodiscard]] std::optional<Verdict> Remembered(const Key& key) const;
  // Bounded: where there is no room, another one is forgotten.
  static void Remember(std::set<Key>& keys, const Key& key);

  Key secret_{};
  Line line_{1};
  mutable std::mutex mutex_;
  std::size_t computed_ = 0;  // guarded by mutex_, as all below
  std::uint64_t work_ = 0;
  std::set<Key> good_;  // apart, so that guesses do not push out what is good
  std::set<Key> bad_;
};

}  // namespace registry_backend::server
