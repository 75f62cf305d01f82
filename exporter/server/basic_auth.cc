#include "exporter/server/basic_auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "exporter/server/text.h"

namespace registry_backend::server {
namespace {

constexpr std::size_t kMaxRemembered = 256;
constexpr std::size_t kHashLength = 60;
constexpr std::size_t kSettingLength = 29;  // `$2b$10$` and the salt
constexpr std::size_t kMaxPassword = 72;    // bcrypt looks at no more
constexpr int kMaxCost = 14;                // some 1 s, which nothing can break off

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::optional<std::string> FromBase64(std::string_view text) {
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t value = kBase64.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6U) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xffU);
  }
  if (count == 6) return std::nullopt;
  return bytes;
}

bool IsSame(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// Of a hash without a fault.
int CostOf(std::string_view hash) { return (hash[4] - '0') * 10 + (hash[5] - '0'); }

const std::string& Costliest(const std::map<std::string, std::string>& users) {
  return std::ranges::max_element(users, {}, [](const auto& user) { return CostOf(user.second); })
      ->second;
}

// The hash of the password, made as `hash` was; empty: it cannot be.
std::string Hashed(const std::string& password, const std::string& hash) {
  const auto data = std::make_unique<crypt_data>();
  const char* result = crypt_r(password.substr(0, kMaxPassword).c_str(),
                               hash.substr(0, kSettingLength).c_str(), data.get());
  std::string text = result == nullptr ? "" : result;
  OPENSSL_cleanse(data.get(), sizeof *data);
  return text;
}

}  // namespace

std::optional<UserAndPassword> ReadBasicAuth(std::string_view authorization) {
  const std::size_t space = authorization.find(' ');
  if (space == std::string_view::npos || !SameText(authorization.substr(0, space), "basic")) {
    return std::nullopt;
  }
  const std::optional<std::string> text = FromBase64(Trimmed(authorization.substr(space)));
  if (!text || text->find('\0') != std::string::npos) return std::nullopt;
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return UserAndPassword{text->substr(0, colon), text->substr(colon + 1)};
}

std::optional<std::string> FaultOfHash(std::string_view hash) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_bcrypt = [](char c) {
    return c == '.' || (c != '+' && kBase64.find(c) != std::string_view::npos);
  };
  if (hash.size() < 7 || !hash.starts_with("$2") ||
      std::string_view("aby").find(hash[2]) == std::string_view::npos || hash[3] != '$' ||
      !is_digit(hash[4]) || !is_digit(hash[5]) || hash[6] != '$') {
    return "expected a bcrypt hash, which begins with $2a$, $2b$ or $2y$ and the cost";
  }
  if (hash.size() != kHashLength || !std::ranges::all_of(hash.substr(7), is_bcrypt)) {
    return "expected a bcrypt hash of 60 characters; this one is cut short or broken";
  }
  const int cost = CostOf(hash);
  if (cost < 4 || cost > kMaxCost) {
    return "expected a bcrypt cost from 4 to " + std::to_string(kMaxCost) + ", not " +
           std::to_string(cost) +
           " (10 takes less than 0.1 s, each step doubles it, and one check delays all others)";
  }
  return std::nullopt;
}

PasswordChecker::PasswordChecker() {
  if (RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) != 1) {
    throw std::runtime_error("no random numbers");
  }
}

PasswordChecker::Verdict PasswordChecker::Check(const std::map<std::string, std::string>& users,
                                                const UserAndPassword& given, Time until,
                                                const Stand& stand) {
  const auto user = users.find(given.user);
  const bool is_known = user != users.end();
  const std::string& hash = is_known ? user->second : Costliest(users);
  const Key key = KeyOf(is_known, hash, given);
  if (const auto verdict = Remembered(key)) return *verdict;
  Line::Turn turn(line_);
  if (stand) stand(&turn);
  const bool is_mine = turn.Await(is_known ? "known " + given.user : "unknown", until);
  if (stand) stand(nullptr);
  if (!is_mine) return Verdict::kBusy;
  // Another one may have asked the same meanwhile.
  if (const auto verdict = Remembered(key)) return *verdict;
  const bool is_same = IsSame(Hashed(given.password, hash), hash);
  const bool is_good = is_known && is_same;
  const std::lock_guard lock(mutex_);
  ++computed_;
  work_ += std::uint64_t{1} << static_cast<unsigned>(CostOf(hash));
  Remember(is_good ? good_ : bad_, key);
  return is_good ? Verdict::kGood : Verdict::kBad;
}

std::optional<PasswordChecker::Verdict> PasswordChecker::Remembered(const Key& key) const {
  const std::lock_guard lock(mutex_);
  if (good_.contains(key)) return Verdict::kGood;
  if (bad_.contains(key)) return Verdict::kBad;
  return std::nullopt;
}

std::size_t PasswordChecker::computed() const {
  const std::lock_guard lock(mutex_);
  return computed_;
}

std::uint64_t PasswordChecker::work() const {
  const std::lock_guard lock(mutex_);
  return work_;
}

PasswordChecker::Key PasswordChecker::KeyOf(bool is_known, std::string_view hash,
                                            const UserAndPassword& given) const {
  std::string text = is_known ? "known " : "unknown ";
  for (const std::string_view part : {hash, std::string_view(given.user)}) {
    text += std::to_string(part.size()) + ":" + std::string(part);
  }
  text += given.password;
  Key key{};
  unsigned length = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), key.data(), &length);
  OPENSSL_cleanse(text.data(), text.size());
  return key;
}

void PasswordChecker::Remember(std::set<Key>& keys, const Key& key) {
  // Any one of them: the keys are as good as random.
  if (keys.size() >= kMaxRemembered) keys.erase(keys.begin());
  keys.insert(key);
}

}  // namespace registry_backend::server
