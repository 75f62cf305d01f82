#include "exporter/registry/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace registry_backend {
namespace {

constexpr std::string_view kSha256 = "sha256:";
constexpr std::string_view kSha512 = "sha512:";

}  // namespace

bool IsDigest(std::string_view text) {
  const bool sha256 = text.starts_with(kSha256) && text.size() == kSha256.size() + 64;
  const bool sha512 = text.starts_with(kSha512) && text.size() == kSha512.size() + 128;
  return (sha256 || sha512) && std::ranges::all_of(text.substr(kSha256.size()), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

std::string DigestOf(std::string_view bytes, std::string_view like) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  const bool long_one = like.starts_with(kSha512);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size,
                 long_one ? EVP_sha512() : EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL cannot compute a digest");
  }
  std::string text(long_one ? kSha512 : kSha256);
  for (unsigned int i = 0; i < size; ++i) {
    text += kHex[hash[i] >> 4U];
    text += kHex[hash[i] & 0xfU];
  }
  return text;
}

}  // namespace registry_backend
