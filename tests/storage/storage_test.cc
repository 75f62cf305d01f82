#include "exporter/storage/storage.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using testing::TempDir;

Storage Open(const std::filesystem::path& path) {
  Result<Storage> storage = Storage::Open(path);
  if (!storage) throw std::runtime_error(storage.error().message);
  return *std::move(storage);
}

TEST(Storage, GivesBackWhatWasWrittenLast) {
  const TempDir dir("storage");
  const Storage storage = Open(dir / "a" / "b");
  EXPECT_FALSE(storage.Read("target/state.json")->has_value());
  ASSERT_TRUE(storage.Write("target/state.json", "one"));
  ASSERT_TRUE(storage.Write("target/state.json", std::string(300'000, 'x')));
  EXPECT_EQ(storage.Read("target/state.json")->value().size(), 300'000U);
  EXPECT_EQ(storage.List("target"), std::vector<std::string>{"state.json"});
  ASSERT_TRUE(storage.Remove("target/state.json"));
  ASSERT_TRUE(storage.Remove("target/state.json"));
  EXPECT_FALSE(storage.Read("target/state.json")->has_value());
  EXPECT_TRUE(storage.List("nowhere").empty());
}

TEST(Storage, BelongsToOneProcessAtATime) {
  const TempDir dir("storage");
  {
    const Storage first = Open(dir.path());
    const Result<Storage> second = Storage::Open(dir.path());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kStorage);
    EXPECT_NE(second.error().message.find("another process uses " + dir.path().string()),
              std::string::npos);
  }
  EXPECT_TRUE(Storage::Open(dir.path())) << "the lock is given back";
}

TEST(Storage, HoldsALockFileThatItMayOnlyRead) {
  const TempDir dir("storage");
  testing::WriteFile(dir / ".lock", "");
  std::filesystem::permissions(dir / ".lock", std::filesystem::perms::owner_read);
  const Storage first = Open(dir.path());
  EXPECT_FALSE(Storage::Open(dir.path()));
  EXPECT_TRUE(first.Write("state.json", "x"));
}

TEST(Storage, WithoutALockNothingIsWritten) {
  const TempDir dir("storage");
  testing::WriteFile(dir / "state.json", "old");
  // A link to nowhere: no lock file is there and none can be made, by root neither.
  std::filesystem::create_symlink(dir / "no" / "where", dir / ".lock");
  const Storage storage = Open(dir.path());
  EXPECT_EQ(storage.Read("state.json")->value(), "old");
  EXPECT_FALSE(storage.TryToWrite());
  EXPECT_FALSE(storage.Write("state.json", "new"));
  EXPECT_FALSE(storage.Quarantine("state.json", WallTime()));
  EXPECT_FALSE(storage.Remove("state.json"));
  EXPECT_EQ(storage.Read("state.json")->value(), "old");
}

TEST(Storage, KeepsItsLockWhenItIsMoved) {
  const TempDir dir("storage");
  Storage first = Open(dir.path());
  const Storage moved = std::move(first);
  EXPECT_FALSE(Storage::Open(dir.path()));
}

TEST(Storage, SetsAsideWithoutOverwriting) {
  const TempDir dir("storage");
  const Storage storage = Open(dir.path());
  const WallTime now = WallTime(std::chrono::milliseconds(1'764'000'000'250));
  for (const std::string text : {"first", "second"}) {
    ASSERT_TRUE(storage.Write("t/state.json", text));
    const Result<std::string> kept = storage.Quarantine("t/state.json", now);
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_TRUE(kept->starts_with("t/state.json.corrupt-20251124T160000.250Z")) << *kept;
    EXPECT_EQ(storage.Read(*kept)->value(), text);
  }
  EXPECT_EQ(storage.List("t").size(), 2U);
}

TEST(Storage, AWriteThatFailsLeavesTheFileAsItWas) {
  const TempDir dir("storage");
  const Storage storage = Open(dir.path());
  ASSERT_TRUE(storage.Write("state.json", "old"));
  // A directory where the temporary file would be: no right of root's gets past it.
  std::filesystem::create_directory(dir / "state.json.tmp");
  const Status written = storage.Write("state.json", "new");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kStorage);
  EXPECT_NE(written.error().message.find("state.json.tmp: Is a directory"), std::string::npos)
      << written.error().message;
  EXPECT_EQ(storage.Read("state.json")->value(), "old");
}

TEST(Storage, WritesWhatIsNotAllInMemoryAtOnce) {
  const TempDir directory;
  const auto storage = Storage::Open(directory.path());
  ASSERT_TRUE(storage);
  ASSERT_TRUE(storage->Write("a/file", [](const Storage::Sink& sink) {
    for (int i = 0; i < 1000; ++i) sink("piece ");
  }));
  EXPECT_EQ((*storage->Read("a/file"))->size(), 6000U);
}

// /dev/full takes no byte: https://man7.org/linux/man-pages/man4/full.4.html
TEST(Storage, AVolumeThatFillsUpWhileAFileIsWrittenLeavesTheOldOne) {
  const TempDir directory;
  const auto storage = Storage::Open(directory.path());
  ASSERT_TRUE(storage);
  ASSERT_TRUE(storage->Write("file", "old"));
  std::filesystem::create_symlink("/dev/full", directory / "file.tmp");
  const Status written = storage->Write("file", [](const Storage::Sink& sink) {
    sink("new");
    sink("and more");
  });
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().message.find("No space left"), std::string::npos)
      << written.error().message;
  EXPECT_EQ(*storage->Read("file"), "old");
  EXPECT_FALSE(std::filesystem::is_symlink(directory / "file.tmp")) << "nothing is left behind";
}

TEST(Storage, AHalfWrittenTemporaryFileIsNobodysBusiness) {
  const TempDir dir("storage");
  const Storage storage = Open(dir.path());
  ASSERT_TRUE(storage.Write("state.json", "old"));
  testing::WriteFile(dir / "state.json.tmp", "ne");
  EXPECT_EQ(storage.Read("state.json")->value(), "old");
  ASSERT_TRUE(storage.Write("state.json", "new"));
  EXPECT_EQ(storage.Read("state.json")->value(), "new");
}

TEST(Storage, SaysWhyADirectoryCannotBeUsed) {
  const TempDir dir("storage");
  testing::WriteFile(dir / "file", "x");
  const Result<Storage> storage = Storage::Open(dir / "file" / "below");
  ASSERT_FALSE(storage);
  EXPECT_NE(storage.error().message.find((dir / "file").string()), std::string::npos);
}

TEST(Storage, TriesWhetherItCanWrite) {
  const TempDir dir("storage");
  const Storage storage = Open(dir.path());
  EXPECT_TRUE(storage.TryToWrite());
  EXPECT_EQ(storage.List("."), std::vector<std::string>{".lock"});
  std::filesystem::create_directory(dir / ".write-test.tmp");
  EXPECT_FALSE(storage.TryToWrite());
}

}  // namespace
}  // namespace registry_backend
