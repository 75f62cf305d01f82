#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace registry_backend::testing {
namespace {

namespace fs = std::filesystem;

TEST(TempDir, IsRemovedWithItsContent) {
  fs::path path;
  {
    const TempDir directory;
    path = directory.path();
    WriteFile(directory / "a/b/c.txt", "deep");
    EXPECT_EQ(ReadFile(path / "a/b/c.txt"), "deep");
    fs::permissions(path, fs::perms::owner_read);  // as a test of a read-only volume does
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TempDir, TwoAreDifferent) {
  const TempDir one;
  const TempDir other;
  EXPECT_NE(one.path(), other.path());
}

TEST(Files, KeepEveryByteAndAreReplaced) {
  const TempDir directory;
  const std::string bytes("a\0\r\n\xff", 5);
  WriteFile(directory / "file", "something longer than that");
  WriteFile(directory / "file", bytes);
  EXPECT_EQ(ReadFile(directory / "file"), bytes);
}

TEST(Files, MissingOneThrows) {
  const TempDir directory;
  EXPECT_THROW((void)ReadFile(directory / "missing"), std::runtime_error);
  EXPECT_THROW(WriteFile(directory.path(), "a directory"), std::runtime_error);
}

}  // namespace
}  // namespace registry_backend::testing
