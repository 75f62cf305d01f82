#include "exporter/registry/credentials.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>
#include <variant>

#include "exporter/registry/base64.h"
#include "exporter/registry/credential_helper.h"
#include "exporter/registry/docker_config.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxSecretBytes = std::size_t{64} * 1024;
// As much as a Kubernetes secret can hold.
constexpr std::size_t kMaxDockerConfigBytes = std::size_t{1024} * 1024;
// In all, where a file is a pipe.
constexpr std::chrono::seconds kSecretFileTime(5);

Error Failure(const std::string& where, std::string_view why) {
  return {ErrorKind::kCredentials, where + ": " + std::string(why)};
}

// A secret as it is meant, of what was read of it. `name` is how messages call the file.
Result<std::string> Trimmed(std::string text, const std::string& name, std::size_t at_most) {
  if (text.size() > at_most) {
    return Failure(name, "it is larger than " + std::to_string(at_most / 1024) + " KiB");
  }
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  if (text.empty()) return Failure(name, "it is empty");
  return text;
}

Result<std::string> ReadStandardInput(const std::string& name) {
  std::string text(kMaxSecretBytes + 1, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), stdin));
  if (std::ferror(stdin) != 0) return Failure(name, std::strerror(errno));
  return Trimmed(std::move(text), name, kMaxSecretBytes);
}

// Whether there is something to be read, or the end, by `until`.
bool AwaitBytes(int descriptor, Time until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  pollfd waiting{descriptor, POLLIN, 0};
  return left > 0 && poll(&waiting, 1, static_cast<int>(left)) > 0;
}

// Waits neither for a pipe's other end to be opened nor, for long, for what comes out of it.
Result<std::string> ReadFile(const std::string& path, const std::string& name,
                             std::size_t at_most = kMaxSecretBytes) {
  class File {
   public:
    explicit File(const std::string& of)
        : descriptor_(::open(of.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~File() {
      if (descriptor_ >= 0) ::close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[nodiscard]] int get() const { return descriptor_; }

   private:
    int descriptor_;
  };
  const File file(path);
  if (file.get() < 0) return Failure(name, std::strerror(errno));
  const Time until = Clock::now() + kSecretFileTime;
  std::string text;
  char piece[4096];
  while (text.size() <= at_most) {
    const ssize_t count = ::read(file.get(), piece, sizeof piece);
    if (count == 0) break;
    if (count > 0) {
      text.append(piece, static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      if (!AwaitBytes(file.get(), until)) return Failure(name, "nothing comes out of it");
    } else if (errno != EINTR) {
      return Failure(name, std::strerror(errno));
    }
  }
  return Trimmed(std::move(text), name, at_most);
}

Result<std::string> ReadPasswordFile(const std::string& path) {
  if (path == "-") return ReadStandardInput("password file on standard input");
  return ReadFile(path, "password file " + path);
}

Result<Credentials> ReadBasic(const CredentialsSource& source) {
  Result<std::string> username = source.username;
  if (!source.username_file.empty()) {
    username = ReadFile(source.username_file, "user name file " + source.username_file);
    if (!username) return username.error();
  }
  Result<std::string> password = source.password;
  if (!source.password_file.empty()) {
    password = ReadPasswordFile(source.password_file);
    if (!password) return password.error();
  }
  return Credentials{.username = *std::move(username), .password = *std::move(password)};
}

// A Bearer token goes into a header as it is: a line break in it would begin another header.
Status CheckToken(std::string_view token, const std::string& where) {
  if (std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7f; })) return Ok();
  return Failure(where, "it holds a character that no token may have");
}

Result<Credentials> ReadToken(const CredentialsSource& source) {
  const bool inline_token = source.token_file.empty();
  const std::string where = inline_token ? "token" : "token file " + source.token_file;
  Result<std::string> token = source.token;
  if (!inline_token) token = ReadFile(source.token_file, where);
  if (!token) return token.error();
  if (Status fine = CheckToken(*token, where); !fine) return fine.error();
  return Credentials{.registry_token = *std::move(token)};
}

Result<Credentials> ReadDockerConfig(const std::string& path, const CredentialsSubject& subject,
                                     const std::stop_token& stop) {
  const std::string where = "docker config file " + path;
  const Result<std::string> text = ReadFile(path, where, kMaxDockerConfigBytes);
  if (!text) return text.error();
  Result<DockerConfigAnswer> found = FindInDockerConfig(*text, subject);
  if (!found) return Failure(where, found.error().message);
  if (const auto* question = std::get_if<HelperQuestion>(&*found)) {
    return AskCredentialHelper(*question, stop);
  }
  Credentials credentials = std::get<Credentials>(*std::move(found));
  const Status fine = CheckToken(credentials.registry_token, where + ": registrytoken");
  if (!fine) return fine.error();
  return credentials;
}

Result<Credentials> ReadOwn(const CredentialsSource& source, const CredentialsSubject& subject,
                            const std::stop_token& stop) {
  switch (source.kind) {
    case CredentialsSource::Kind::kAnonymous:
      break;
    case CredentialsSource::Kind::kBasic:
      return ReadBasic(source);
    case CredentialsSource::Kind::kToken:
      return ReadToken(source);
    case CredentialsSource::Kind::kDockerConfig:
      return ReadDockerConfig(source.docker_config_file, subject, stop);
  }
  return Credentials{};
}

}  // namespace

Result<Credentials> ReadCredentials(const CredentialsSource& source,
                                    const CredentialsSubject& subject,
                                    const std::stop_token& stop) {
  Result<Credentials> credentials = ReadOwn(source, subject, stop);
  if (!credentials || source.proxy_password_file.empty()) return credentials;
  Result<std::string> password =
      ReadFile(source.proxy_password_file, "proxy password file " + source.proxy_password_file);
  if (!password) return password.error();
  credentials->proxy_password = *std::move(password);
  return credentials;
}

std::string BasicAuthorization(const Credentials& credentials) {
  return "Basic " + EncodeBase64(credentials.username + ":" + credentials.password);
}

}  // namespace registry_backend
