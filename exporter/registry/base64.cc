#include "exporter/registry/base64.h"

#include <openssl/evp.h>

#include <algorithm>
#include <climits>

namespace registry_backend {
namespace {

bool IsSextet(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

std::size_t PaddingOf(std::string_view text) {
  if (text.ends_with("==")) return 2;
  return text.ends_with('=') ? 1 : 0;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(Bytes(text), Bytes(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(length));
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  std::string unbroken(text);
  std::erase_if(unbroken, [](char c) { return c == '\r' || c == '\n'; });
  const std::size_t padding = PaddingOf(unbroken);
  // EVP_DecodeBlock is lenient: it trims blanks, ends at a `-` and takes `=` anywhere for a zero.
  const std::string_view sextets(unbroken.data(), unbroken.size() - padding);
  if (unbroken.size() % 4 != 0 || unbroken.size() > INT_MAX ||
      !std::ranges::all_of(sextets, IsSextet)) {
    return std::nullopt;
  }
  std::string bytes(unbroken.size() / 4 * 3, '\0');
  if (EVP_DecodeBlock(Bytes(bytes), Bytes(unbroken), static_cast<int>(unbroken.size())) < 0) {
    return std::nullopt;
  }
  bytes.resize(bytes.size() - padding);  // it counts the padding's zeros as bytes
  return bytes;
}

}  // namespace registry_backend
