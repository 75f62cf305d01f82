#include "exporter/registry/credentials.h"

#include <gtest/gtest.h>

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

TEST(Credentials, TrimsWhatAnEditorLeavesAtAFilesEnd) {
  const TempDir dir("credentials");
  WriteFile(dir / "license.txt", " pass:word \r\n\n");
  const auto credentials = ReadCredentials(FromFile((dir / "license.txt").string()), kSubject);
  ASSERT_TRUE(credentials) << credentials.error().message;
  EXPECT_EQ(credentials->username, "terraform");
  EXPECT_EQ(credentials->password, " pass:word");
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

TEST(Credentials, BasicIsBase64) {
  EXPECT_EQ(BasicAuthorization({"Aladdin", "open sesame"}), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(BasicAuthorization({"a", "b:c"}), "Basic YTpiOmM=");
}

}  // namespace
}  // namespace registry_backend
