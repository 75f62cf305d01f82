#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

// What docs/ says of the code has to be so.
namespace registry_backend {
namespace {

const std::filesystem::path kRoot = REGISTRY_BACKEND_SOURCE_DIR;

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// The first groups of all matches, joined by a dot where there are two.
std::set<std::string> AllMatches(const std::string& text, const std::regex& pattern) {
  std::set<std::string> matches;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    matches.insert((*at)[1].str() + (at->size() > 2 ? "." + (*at)[2].str() : ""));
  }
  return matches;
}

std::set<std::string> AllTests() {
  const std::regex pattern(R"(\nTEST(?:_F|_P)?\((\w+), (\w+)\))");
  std::set<std::string> tests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kRoot / "tests")) {
    if (entry.path().extension() == ".cc") tests.merge(AllMatches(ReadAll(entry.path()), pattern));
  }
  return tests;
}

TEST(Documentation, TheTestsThatItNamesAreThere) {
  const std::set<std::string> tests = AllTests();
  ASSERT_GT(tests.size(), 300U) << "the sources were not found";
  const std::set<std::string> named =
      AllMatches(ReadAll(kRoot / "docs/registries.md"), std::regex(R"(`([A-Z]\w+)\.([A-Z]\w+)`)"));
  EXPECT_GT(named.size(), 50U);
  for (const std::string& test : named) EXPECT_TRUE(tests.contains(test)) << test;
}

}  // namespace
}  // namespace registry_backend
