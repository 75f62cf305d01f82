#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/support/markdown.h"

// What docs/ says of the code has to be so.
namespace registry_backend {
namespace {

using testing::ReadDocument;

const std::filesystem::path kRoot = REGISTRY_BACKEND_SOURCE_DIR;

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
    if (entry.path().extension() == ".cc")
      tests.merge(AllMatches(ReadDocument(entry.path()), pattern));
  }
  return tests;
}

TEST(Documentation, TheTestsThatItNamesAreThere) {
  const std::set<std::string> tests = AllTests();
  ASSERT_GT(tests.size(), 300U) << "the sources were not found";
  const std::set<std::string> named = AllMatches(ReadDocument(kRoot / "docs/registries.md"),
                                                 std::regex(R"(`([A-Z]\w+)\.([A-Z]\w+)`)"));
  EXPECT_GT(named.size(), 50U);
  for (const std::string& test : named) EXPECT_TRUE(tests.contains(test)) << test;
}

// Why nobody who follows the link gets there; empty: they do.
std::string WhatIsWrong(const std::string& link, const std::filesystem::path& document) {
  const std::size_t hash = link.find('#');
  std::filesystem::path file = document;
  if (hash != 0) file = document.parent_path() / link.substr(0, hash);
  if (!std::filesystem::exists(file)) return "there is no such file";
  if (hash == std::string::npos || file.extension() != ".md") return "";
  const std::vector<std::string> anchors = testing::Anchors(ReadDocument(file));
  const bool found = std::ranges::find(anchors, link.substr(hash + 1)) != anchors.end();
  return found ? "" : "the file has no such heading";
}

TEST(Documentation, ItsLinksLeadSomewhere) {
  std::size_t links = 0;
  for (const std::filesystem::path& document : testing::AllDocuments(kRoot)) {
    for (const std::string& link : testing::LinkTargets(ReadDocument(document))) {
      if (link.find("://") != std::string::npos) continue;
      EXPECT_EQ(WhatIsWrong(link, document), "") << document << ": " << link;
      ++links;
    }
  }
  EXPECT_GT(links, 30U) << "the documents were not found";
}

TEST(Documentation, EachModuleIsInThePlanOfTheHouse) {
  std::set<std::string> described = {"common/"};
  for (const auto& row : testing::TableRows(ReadDocument(kRoot / "docs/architecture.md"),
                                            "| module | what happens there |")) {
    described.merge(AllMatches(row.at(0), std::regex("`(.*)`")));
  }
  std::set<std::string> modules;
  for (const auto& entry : std::filesystem::directory_iterator(kRoot / "exporter")) {
    if (entry.is_directory()) modules.insert(entry.path().filename().string() + "/");
  }
  EXPECT_EQ(described, modules);
}

// In queries and in prose. docs/metrics.md itself is held against the code by a test of its own.
TEST(Documentation, TheMetricsThatItNamesAreThere) {
  std::set<std::string> known = {
      "registry_backend_exporter",                                // the program
      "registry_backend_hosts",    "registry_backend_addresses",  // in squid.conf
      "registry_backend_tls",      "registry_backend_http",       // modules of blackbox_exporter
      "registry_backend_package",                                 // what CMake makes for Debian
  };
  for (const auto& row : testing::TableRows(ReadDocument(kRoot / "docs/metrics.md"),
                                            "| name | type | labels | meaning |")) {
    const std::vector<std::string> names = testing::CodeSpans(row.at(0));
    known.insert(names.begin(), names.end());
  }
  const std::regex pattern(R"(\b(registry_backend_\w*[a-z])\b(?!\*))");
  for (const std::filesystem::path& document : testing::AllDocuments(kRoot)) {
    for (const std::string& name : AllMatches(ReadDocument(document), pattern)) {
      EXPECT_TRUE(known.contains(name)) << document << ": " << name;
    }
  }
}

// README.md is where a reader begins.
TEST(Documentation, EachOfItsPagesIsLinked) {
  std::set<std::filesystem::path> linked;
  for (const std::filesystem::path& document : testing::AllDocuments(kRoot)) {
    for (std::string link : testing::LinkTargets(ReadDocument(document))) {
      link = link.substr(0, link.find('#'));
      linked.insert((document.parent_path() / link).lexically_normal());
    }
  }
  for (const std::filesystem::path& document : testing::AllDocuments(kRoot)) {
    if (document == kRoot / "README.md") continue;
    EXPECT_TRUE(linked.contains(document)) << document;
  }
}

}  // namespace
}  // namespace registry_backend
