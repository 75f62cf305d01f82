#include "exporter/registry/credentials.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using testing::TempDir;
using testing::WriteFile;

const CredentialsSubject kSubject{*Host::Parse("r.example"), "team/app"};

CredentialsSource FromFile(const std::string& path) {
  CredentialsSource source;
  source.kind = CredentialsSource::Kind::kBasic;
  source.username = "terraform";
  source.password_file = path;
  return source;
}

CredentialsSource FromDockerConfig(const std::string& path) {
  return {.kind = CredentialsSource::Kind::kDockerConfig, .docker_config_file = path};
}

const std::string kMissing = "No such file or directory";

std::string ErrorOf(const CredentialsSource& source) {
  const auto credentials = ReadCredentials(source, kSubject);
  if (credentials) return "no error";
  EXPECT_EQ(credentials.error().kind, ErrorKind::kCredentials);
  return credentials.error().message;
}

TEST(Credentials, TrimsWhatAnEditorLeavesAtAFilesEnd) {
  const TempDir dir("credentials");
  WriteFile(dir / "license.txt", " pass:word \r\n\n");
  const auto credentials = ReadCredentials(FromFile((dir / "license.txt").string()), kSubject);
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->username, "terraform");
  EXPECT_EQ(credentials->password, " pass:word");
}

TEST(Credentials, WaitsForNoPipeThatNobodyWritesTo) {
  const testing::TempDir directory("credentials");
  const std::string path = (directory / "pipe").string();
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const auto read = [&path] {
    return ReadCredentials({.kind = CredentialsSource::Kind::kToken, .token_file = path},
                           {*Host::Parse("r.example"), "a/b"}, {});
  };
  const Result<Credentials> nobody = read();
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().message, "token file " + path + ": it is empty");

  // As a shell's <(command) does.
  const int writer = open(path.c_str(), O_RDWR);
  ASSERT_EQ(write(writer, "s3cret\n", 7), 7);
  std::thread late([writer] {
    usleep(20'000);
    close(writer);
  });
  const Result<Credentials> somebody = read();
  late.join();
  ASSERT_TRUE(somebody) << somebody.error().message;
  EXPECT_EQ(somebody->registry_token, "s3cret");
}

TEST(Credentials, NamesTheFileThatCannotBeUsed) {
  const TempDir dir("credentials");
  WriteFile(dir / "empty", "\n");
  WriteFile(dir / "huge", std::string(70'000, 'x'));
  const std::pair<std::string, std::string> cases[] = {{"missing", "No such file or directory"},
                                                       {"empty", "it is empty"},
                                                       {"huge", "it is larger than 64 KiB"},
                                                       {".", "Is a directory"}};
  for (const auto& [name, why] : cases) {
    const std::string path = (dir / name).string();
    const auto credentials = ReadCredentials(FromFile(path), kSubject);
    ASSERT_FALSE(credentials) << name;
    EXPECT_EQ(credentials.error().kind, ErrorKind::kCredentials);
    EXPECT_EQ(credentials.error().message, "password file " + path + ": " + why);
  }
}

TEST(Credentials, AnonymousReadsNothing) {
  EXPECT_TRUE(ReadCredentials({}, kSubject)->anonymous());
}

TEST(Credentials, BasicIsWrittenOutOrInFiles) {
  const TempDir dir("credentials");
  WriteFile(dir / "user", "me\n");
  WriteFile(dir / "password", "from file\n");
  CredentialsSource source{
      .kind = CredentialsSource::Kind::kBasic, .username = "terraform", .password = " as it is "};
  EXPECT_EQ(*ReadCredentials(source, kSubject), (Credentials{"terraform", " as it is ", {}, {}}));
  source.username_file = (dir / "user").string();
  source.password_file = (dir / "password").string();
  EXPECT_EQ(*ReadCredentials(source, kSubject), (Credentials{"me", "from file", {}, {}}));
  source.username_file = (dir / "missing").string();
  EXPECT_EQ(ErrorOf(source), "user name file " + source.username_file + ": " + kMissing);
}

// Standard input is this file for as long as this lives.
class StandardInput {
 public:
  explicit StandardInput(const std::filesystem::path& file) : kept_(::dup(STDIN_FILENO)) {
    std::FILE* const input = std::freopen(file.c_str(), "r", stdin);
    EXPECT_EQ(input, stdin);
  }
  ~StandardInput() {
    ::dup2(kept_, STDIN_FILENO);
    ::close(kept_);
    std::clearerr(stdin);
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;

 private:
  int kept_;
};

TEST(Credentials, AMinusIsStandardInput) {
  const TempDir dir("credentials");
  WriteFile(dir / "input", "typed in\n");
  const StandardInput input(dir / "input");
  EXPECT_EQ(ReadCredentials(FromFile("-"), kSubject)->password, "typed in");
  EXPECT_EQ(ErrorOf(FromFile("-")), "password file on standard input: it is empty");
}

TEST(Credentials, ATokenIsForTheRegistryItself) {
  const TempDir dir("credentials");
  WriteFile(dir / "token", "abc.DEF-_~+/==\n");
  CredentialsSource source{.kind = CredentialsSource::Kind::kToken, .token = "inline"};
  EXPECT_EQ(*ReadCredentials(source, kSubject), (Credentials{{}, {}, {}, "inline"}));
  source.token_file = (dir / "token").string();
  EXPECT_EQ(*ReadCredentials(source, kSubject), (Credentials{{}, {}, {}, "abc.DEF-_~+/=="}));
  source.token_file = (dir / "missing").string();
  EXPECT_EQ(ErrorOf(source), "token file " + source.token_file + ": " + kMissing);
}

TEST(Credentials, ATokenCannotBringFurtherHeaders) {
  const TempDir dir("credentials");
  WriteFile(dir / "token", "hunter2\r\nHost: evil.example");
  CredentialsSource source{.kind = CredentialsSource::Kind::kToken, .token = "hunter2\n"};
  EXPECT_EQ(ErrorOf(source), "token: it holds a character that no token may have");
  source.token_file = (dir / "token").string();
  EXPECT_EQ(ErrorOf(source),
            "token file " + source.token_file + ": it holds a character that no token may have");
  WriteFile(dir / "config.json", R"({"auths": {"r.example": {"registrytoken": "hunter2\u00e4"}}})");
  const CredentialsSource config = FromDockerConfig((dir / "config.json").string());
  EXPECT_EQ(ErrorOf(config), "docker config file " + config.docker_config_file +
                                 ": registrytoken: it holds a character that no token may have");
}

TEST(Credentials, ADockerConfigMayHoldThem) {
  const TempDir dir("credentials");
  // One entry of 200 KiB that is not ours: a cluster's pull secret may be large.
  WriteFile(dir / "config.json", R"({"auths": {"other.example": {"email": ")" +
                                     std::string(200'000, 'x') +
                                     R"("}, "r.example/team": {"auth": "bWU6czpz"}}})");
  const CredentialsSource source = FromDockerConfig((dir / "config.json").string());
  EXPECT_EQ(*ReadCredentials(source, kSubject), (Credentials{"me", "s:s", {}, {}}));
  EXPECT_TRUE(ReadCredentials(source, {kSubject.registry, "else/app"})->anonymous());
}

TEST(Credentials, NamesTheDockerConfigThatCannotBeUsed) {
  const TempDir dir("credentials");
  const CredentialsSource source = FromDockerConfig((dir / "config.json").string());
  const std::string where = "docker config file " + source.docker_config_file + ": ";
  EXPECT_EQ(ErrorOf(source), where + kMissing);
  WriteFile(dir / "config.json", "hunter2");
  EXPECT_EQ(ErrorOf(source), where + "it is no JSON object");
  WriteFile(dir / "config.json", R"({"auths": {"r.example": {"auth": "hunter2"}}})");
  EXPECT_EQ(ErrorOf(source), where + "auths entry 'r.example': auth is not base64");
  WriteFile(dir / "config.json", std::string(1024 * 1024 + 1, ' '));
  EXPECT_EQ(ErrorOf(source), where + "it is larger than 1024 KiB");
}

TEST(Credentials, ADockerConfigMayNameAHelper) {
  const TempDir dir("credentials");
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", (dir.path().string() + ":" + path).c_str(), 1);
  const auto program = dir / "docker-credential-echo";
  WriteFile(program,
            "#!/bin/sh\nread -r server\n"
            "echo \"{\\\"Username\\\": \\\"$server\\\", \\\"Secret\\\": \\\"s\\\"}\"\n");
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  WriteFile(dir / "config.json", R"({"credsStore": "echo"})");
  const CredentialsSource source = FromDockerConfig((dir / "config.json").string());
  EXPECT_EQ(*ReadCredentials(source, kSubject), (Credentials{"r.example", "s", {}, {}}));
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(ReadCredentials(source, kSubject, stop.get_token()).error().kind,
            ErrorKind::kCancelled);
  WriteFile(dir / "config.json", R"({"credsStore": "../echo"})");
  EXPECT_EQ(
      ErrorOf(source),
      "credential helper '../echo': its name may only have letters, digits, '.', '_' and '-'");
  ::setenv("PATH", path.c_str(), 1);
}

TEST(Credentials, BasicIsBase64) {
  EXPECT_EQ(BasicAuthorization({"Aladdin", "open sesame"}), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(BasicAuthorization({"a", "b:c"}), "Basic YTpiOmM=");
}

}  // namespace
}  // namespace registry_backend
