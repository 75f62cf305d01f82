#include "exporter/monitor/target_files.h"

#include <gtest/gtest.h>

#include <set>

namespace registry_backend {
namespace {

TEST(TargetFiles, AFolderTellsWhoseItIsAndWhetherItsNameIsCut) {
  std::set<std::string> folders;
  std::size_t cut = 0;
  // Encoded, each `/` has three bytes: the cut falls on all of them.
  for (std::string name = "registry.example:5000/a"; name.size() < 300;
       name += name.size() % 3 == 0 ? "/" : "b") {
    const std::string folder = FolderOf(name);
    EXPECT_LE(folder.size(), 200U);
    EXPECT_TRUE(folders.insert(folder).second) << name;
    const FolderName found = NameOfFolder(folder);
    EXPECT_EQ(found.registry, "registry.example:5000");
    const std::string known = found.registry + "/" + found.repository;
    if (found.is_cut) {
      ++cut;
      EXPECT_EQ(name.substr(0, known.size()), known);
      EXPECT_GT(known.size(), 100U);
      EXPECT_LT(known.size(), name.size());
    } else {
      EXPECT_EQ(known, name);
    }
  }
  EXPECT_GT(cut, 100U);
  EXPECT_LT(cut, folders.size() - 100);
}

TEST(TargetFiles, AHostThatFillsTheFolderIsAllThatIsKnown) {
  const std::string host = std::string(60, 'a') + "." + std::string(60, 'b') + "." +
                           std::string(60, 'c') + "." + std::string(60, 'd');
  const FolderName found = NameOfFolder(FolderOf(host + "/team/app"));
  EXPECT_TRUE(found.is_cut);
  EXPECT_TRUE(host.starts_with(found.registry)) << found.registry;
  EXPECT_EQ(found.repository, "");
}

TEST(TargetFiles, OtherFoldersAreNobodys) {
  for (const char* folder : {"", "lost+found", ".lock", "a%2", "a%zzb", "%2Fa"}) {
    EXPECT_EQ(NameOfFolder(folder).registry, "") << folder;
  }
}

}  // namespace
}  // namespace registry_backend
