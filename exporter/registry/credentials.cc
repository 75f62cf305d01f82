#include "exporter/registry/credentials.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "exporter/registry/base64.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxSecretBytes = std::size_t{64} * 1024;

struct FileCloser {
  void operator()(std::FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

Result<std::string> ReadSecretFile(const std::string& path) {
  const auto failure = [&path](std::string_view why) {
    return Error{
        ErrorKind::kCredentials,
        "password file " + (path == "-" ? "on standard input" : path) + ": " + std::string(why)};
  };
  const std::unique_ptr<std::FILE, FileCloser> file(path == "-" ? stdin
                                                                : std::fopen(path.c_str(), "re"));
  if (file == nullptr) return failure(std::strerror(errno));
  std::string secret(kMaxSecretBytes + 1, '\0');
  secret.resize(std::fread(secret.data(), 1, secret.size(), file.get()));
  if (std::ferror(file.get()) != 0) return failure(std::strerror(errno));
  if (secret.size() > kMaxSecretBytes) return failure("it is larger than 64 KiB");
  secret.erase(secret.find_last_not_of(" \t\r\n") + 1);
  if (secret.empty()) return failure("it is empty");
  return secret;
}

}  // namespace

Result<Credentials> ReadCredentials(const CredentialsSource& source,
                                    const CredentialsSubject& /*subject*/,
                                    const std::stop_token& /*stop*/) {
  if (source.kind == CredentialsSource::Kind::kAnonymous) return Credentials{};
  if (source.password_file.empty())
    return Credentials{source.username, source.password, {}, {}, {}};
  Result<std::string> password = ReadSecretFile(source.password_file);
  if (!password) return password.error();
  return Credentials{source.username, *std::move(password), {}, {}, {}};
}

std::string BasicAuthorization(const Credentials& credentials) {
  return "Basic " + EncodeBase64(credentials.username + ":" + credentials.password);
}

}  // namespace registry_backend
