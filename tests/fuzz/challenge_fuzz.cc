#include <string>

#include "exporter/registry/authenticator.h"
#include "exporter/registry/challenge.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// First line: a Retry-After field; the others: WWW-Authenticate fields.
namespace registry_backend::testing {
namespace {

bool IsLowerToken(std::string_view text) {
  const std::string alphabet =
      std::string(kLowerLetters) + std::string(kDigits) + "!#$%&'*+-.^_`|~";
  return !text.empty() && IsOf(alphabet, text);
}

// As a registry would write them into one field.
std::string Written(const std::vector<Challenge>& challenges) {
  std::string text;
  for (const Challenge& challenge : challenges) {
    if (!text.empty()) text += ", ";
    text += challenge.scheme;
    std::string_view separator = " ";
    for (const auto& [name, value] : challenge.parameters) {
      text += std::string(separator) + name + "=\"";
      for (const char c : value) {
        if (c == '"' || c == '\\') text += '\\';
        text += c;
      }
      text += '"';
      separator = ", ";
    }
  }
  return text;
}

void CheckTheRealm(const Challenge& challenge) {
  const Result<Url> realm = Url::Parse(challenge.Get("realm"));
  if (!realm) return;
  for (const std::string_view name : {"https://registry.example.com", "https://ghcr.io",
                                      "http://127.0.0.1:5000", "http://registry.example.com"}) {
    const Url registry = *Url::Parse(name);
    if (!CheckRealm(registry.origin(), *realm)) continue;
    Require(!realm->has_userinfo(), "a trusted realm has no userinfo", realm->text());
    Require(SameSite(registry.host(), realm->host()), "a trusted realm is of the registry's site",
            realm->text());
    const bool is_own = realm->origin() == registry.origin() && registry.host().is_loopback();
    Require(realm->origin().scheme == "https" || is_own, "a trusted realm is https or loopback",
            realm->text());
  }
}

void CheckRetryAfter(std::string_view field) {
  const auto delay = ParseRetryAfter(field, WallTime(std::chrono::seconds(1'700'000'000)));
  if (!delay) return;
  Require(*delay >= Duration::zero() && *delay <= std::chrono::seconds(60),
          "Retry-After is honoured up to a minute", field);
}

void CheckChallenges(const std::vector<std::string_view>& fields) {
  const std::vector<Challenge> challenges = ParseChallenges(fields);
  for (const Challenge& challenge : challenges) {
    Require(IsLowerToken(challenge.scheme), "a scheme is a token", challenge.scheme);
    for (const auto& [name, value] : challenge.parameters) {
      Require(IsLowerToken(name), "a parameter's name is a token", name);
    }
    CheckTheRealm(challenge);
  }
  const std::string written = Written(challenges);
  const std::vector<Challenge> again = ParseChallenges({written});
  Require(Written(again) == written, "what was read can be written and read again", written);
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend::testing;
  FuzzedInput input(data, size);
  CheckRetryAfter(input.Line());
  CheckChallenges(input.Lines(16));
  return 0;
}
