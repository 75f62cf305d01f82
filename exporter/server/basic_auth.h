#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "exporter/common/time.h"

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

// Compares passwords with bcrypt hashes. Hashing is slow on purpose, so there is one at a time,
// only so many may wait for it, and what came of it is remembered without the password.
// Thread-safe.
class PasswordChecker {
 public:
  enum class Verdict { kGood, kBad, kBusy };

  PasswordChecker();

  // `users`: name → bcrypt hash, at least one. An unknown user takes as long as a known one.
  Verdict Check(const std::map<std::string, std::string>& users, const UserAndPassword& given,
                Time until);

  // Lets nobody wait any longer.
  void Stop();

  // How many hashes were computed.
  [[nodiscard]] std::size_t computed() const;

 private:
  using Key = std::array<unsigned char, 32>;
  class Turn;

  [[nodiscard]] Key KeyOf(bool is_known, std::string_view hash, const UserAndPassword& given) const;
  // Bounded: where there is no room, another one is forgotten.
  static void Remember(std::set<Key>& keys, const Key& key);

  Key secret_{};
  mutable std::mutex mutex_;
  std::condition_variable free_;
  bool busy_ = false;  // guarded by mutex_, as all below
  bool stopped_ = false;
  std::size_t waiting_ = 0;
  std::size_t computed_ = 0;
  std::set<Key> good_;  // apart, so that guesses do not push out what is good
  std::set<Key> bad_;
};

}  // namespace registry_backend::server
