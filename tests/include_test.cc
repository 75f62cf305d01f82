#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>

// Holds every #include of the exporter to the house's plan: which module may know which.
namespace registry_backend {
namespace {

using Modules = std::set<std::string>;

// A module may include itself, common/ and what stands here.
const std::map<std::string, Modules> kMayInclude = {
    {"common", {}},
    {"url", {}},
    {"http", {"url"}},
    {"registry", {"http", "url"}},
    {"discovery", {"registry", "http", "url"}},
    {"inventory", {"discovery", "url"}},
    {"report", {"inventory", "discovery", "url"}},
    {"storage", {}},
    {"scheduler", {}},
    {"monitor",
     {"scheduler", "storage", "report", "inventory", "discovery", "registry", "http", "url"}},
    {"metrics", {"monitor", "inventory", "discovery", "http", "url"}},
    {"server", {}},
    {"web", {"server", "metrics", "report", "monitor", "inventory", "discovery", "url"}},
    {"config",
     {"monitor", "scheduler", "inventory", "discovery", "registry", "http", "url", "server"}},
    {"commands",
     {"config", "storage", "scheduler", "web", "metrics", "server", "monitor", "report",
      "inventory", "discovery", "registry", "http", "url"}},
};

// Of these neighbours only the one header: values, not machinery.
const std::map<std::pair<std::string, std::string>, std::string> kOnlyHeader = {
    {{"inventory", "discovery"}, "scan_result.h"},
};

// Headers of heavy or replaceable libraries and the only file that may know them.
const std::map<std::string, std::set<std::string>> kOnlyIn = {
    {"httplib.h", {"server/conversation.cc"}},
    {"curl/curl.h",
     {"http/curl_transfer.h", "http/curl_transport.cc", "registry/exchange.cc", "url/curl_url.h"}},
    {"exporter/http/curl_transfer.h", {"http/curl_transfer.cc", "http/curl_transport.cc"}},
    {"openssl/ssl.h", {"server/tls.cc"}},
    {"crypt.h", {"server/basic_auth.cc"}},
    {"CLI/CLI.hpp", {"commands/command_line.cc"}},
    {"yaml-cpp/eventhandler.h", {"config/yaml_text.cc"}},
    {"yaml-cpp/yaml.h", {"config/show.cc", "config/yaml_reader.h", "config/yaml_text.h"}},
};

struct Include {
  std::string file;    // `registry/link.cc`
  std::string target;  // `exporter/registry/link.h` or `curl/curl.h`
};

std::vector<Include> AllIncludes() {
  const std::filesystem::path root = REGISTRY_BACKEND_SOURCE_DIR "/exporter";
  const std::regex pattern(R"(^#include ["<]([^">]+)[">].*)");
  std::vector<Include> includes;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const auto extension = entry.path().extension();
    if (extension != ".cc" && extension != ".h") continue;
    std::ifstream file(entry.path());
    std::smatch match;
    for (std::string line; std::getline(file, line);) {
      if (std::regex_match(line, match, pattern)) {
        includes.push_back({std::filesystem::relative(entry.path(), root).string(), match[1]});
      }
    }
  }
  return includes;
}

std::string FirstFolder(const std::string& path) { return path.substr(0, path.find('/')); }

TEST(Includes, FollowThePlanOfTheHouse) {
  const std::vector<Include> includes = AllIncludes();
  ASSERT_GT(includes.size(), 200U) << "the sources were not found";
  for (const Include& include : includes) {
    const std::string module = FirstFolder(include.file);
    if (!include.target.starts_with("exporter/") || module == "main.cc") continue;
    const std::string target = include.target.substr(std::string("exporter/").size());
    const std::string neighbour = FirstFolder(target);
    ASSERT_TRUE(kMayInclude.contains(module)) << "unknown module " << module;
    EXPECT_TRUE(neighbour == module || neighbour == "common" ||
                kMayInclude.at(module).contains(neighbour))
        << include.file << " may not include " << include.target;
    const auto only = kOnlyHeader.find({module, neighbour});
    if (only != kOnlyHeader.end()) {
      EXPECT_EQ(target, neighbour + "/" + only->second) << "in " << include.file;
    }
  }
}

TEST(Tests, AreAllBuilt) {
  const std::filesystem::path root = REGISTRY_BACKEND_SOURCE_DIR "/tests";
  std::string lists;
  std::vector<std::string> tests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (name == "CMakeLists.txt") {
      std::ifstream file(entry.path());
      lists.append(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    if (name.ends_with("_test.cc")) tests.push_back(name);
  }
  ASSERT_GT(tests.size(), 30U);
  for (const std::string& test : tests) {
    EXPECT_NE(lists.find(test), std::string::npos) << test << " is in no CMakeLists.txt";
  }
}

TEST(Includes, KeepLibrariesWhereTheyAreHidden) {
  for (const Include& include : AllIncludes()) {
    const auto only = kOnlyIn.find(include.target);
    if (only != kOnlyIn.end()) {
      EXPECT_TRUE(only->second.contains(include.file))
          << include.file << " includes " << include.target;
    }
    if (include.file.ends_with(".h") && include.target.starts_with("nlohmann/")) {
      EXPECT_EQ(include.target, "nlohmann/json_fwd.hpp") << "in " << include.file;
    }
  }
}

}  // namespace
}  // namespace registry_backend
