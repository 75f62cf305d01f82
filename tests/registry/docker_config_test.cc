#include "exporter/registry/docker_config.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <ostream>

#include "exporter/registry/base64.h"

namespace registry_backend {

// What a failed expectation shows.
void PrintTo(const Credentials& credentials, std::ostream* out) {
  *out << "{" << credentials.username << ", " << credentials.password << ", "
       << credentials.identity_token << ", " << credentials.registry_token << "}";
}
void PrintTo(const HelperQuestion& question, std::ostream* out) {
  *out << "{ask " << question.helper << " for " << question.server << "}";
}

namespace {

using namespace std::string_literals;
using Json = nlohmann::json;

constexpr std::string_view kSecret = "hunter2";

CredentialsSubject Subject(std::string_view host, std::string repository = "team/app") {
  return {*Host::Parse(host), std::move(repository)};
}

Json Auth(const std::string& username, const std::string& password = std::string(kSecret)) {
  return {{"auth", EncodeBase64(username + ":" + password)}};
}

DockerConfigAnswer Find(const Json& config, const CredentialsSubject& subject) {
  Result<DockerConfigAnswer> answer = FindInDockerConfig(config.dump(), subject);
  if (answer) return *std::move(answer);
  ADD_FAILURE() << answer.error().message;
  return Credentials{"error", answer.error().message, {}, {}};
}

// The user name found, empty where there is none.
std::string UserFor(const Json& config, const CredentialsSubject& subject) {
  const DockerConfigAnswer answer = Find(config, subject);
  const auto* credentials = std::get_if<Credentials>(&answer);
  return credentials == nullptr ? "a helper is to be asked" : credentials->username;
}

// Whether an entry with this one key is found.
bool Fits(const std::string& key, const CredentialsSubject& subject) {
  return UserFor({{"auths", {{key, Auth("me")}}}}, subject) == "me";
}

std::string ErrorOf(const std::string& text, const CredentialsSubject& subject) {
  const Result<DockerConfigAnswer> answer = FindInDockerConfig(text, subject);
  if (answer) return "no error";
  EXPECT_EQ(answer.error().kind, ErrorKind::kCredentials);
  return answer.error().message;
}

TEST(DockerConfig, FindsTheRegistryByAnyOfItsSpellings) {
  for (const char* key :
       {"r.example", "R.Example", "r.example.", "https://r.example", "http://r.example",
        "HTTPS://r.example", "https://r.example/", "https://r.example/v2/", "https://r.example/v2",
        "https://r.example/v1/", "r.example/v2/", "r.example/v1", "r.example:443",
        "https://r.example:443/v2/", "http://r.example:80"}) {
    EXPECT_TRUE(Fits(key, Subject("r.example"))) << key;
  }
  for (const char* key :
       {"", "/", "https://", "example", "xr.example", "r.example.evil.example", "r.example:5000",
        "http://r.example:443", "https://r.example:80", "ftp://r.example", "me:hunter2@r.example",
        "r.example/v3", "r.example//", "r.example//team", "https:/r.example", "r.exa\u00e4mple"}) {
    EXPECT_EQ(Fits(key, Subject("r.example")), key == "r.example//"s) << key;
  }
}

TEST(DockerConfig, TellsPortsApart) {
  EXPECT_TRUE(Fits("r.example:5000", Subject("r.example:5000")));
  EXPECT_TRUE(Fits("http://r.example:5000/v2/", Subject("r.example:5000")));
  EXPECT_FALSE(Fits("r.example", Subject("r.example:5000")));
  EXPECT_FALSE(Fits("r.example:5001", Subject("r.example:5000")));
  EXPECT_TRUE(Fits("[2001:DB8::1]:5000", Subject("[2001:db8::1]:5000")));
  EXPECT_TRUE(Fits("https://[2001:db8:0::1]", Subject("[2001:db8::1]")));
}

TEST(DockerConfig, KnowsDockerHubByAllItsNames) {
  for (const char* host : {"docker.io", "index.docker.io", "registry-1.docker.io"}) {
    for (const char* key :
         {"docker.io", "index.docker.io", "https://index.docker.io/v1/", "registry-1.docker.io",
          "https://registry-1.docker.io/v2/", "docker.io/team", "index.docker.io/team/app"}) {
      EXPECT_TRUE(Fits(key, Subject(host))) << key << " for " << host;
    }
    EXPECT_FALSE(Fits("hub.docker.io", Subject(host)));
    // What Docker Desktop keeps beside the credentials.
    EXPECT_FALSE(Fits("https://index.docker.io/v1/access-token", Subject(host)));
  }
  EXPECT_FALSE(Fits("docker.io", Subject("evil.docker.io")));
  const Json both = {{"auths",
                      {{"docker.io", Auth("a")},
                       {"https://index.docker.io/v1/", Auth("b")},
                       {"registry-1.docker.io", Auth("c")}}}};
  EXPECT_EQ(UserFor(both, Subject("docker.io")), "b");
}

TEST(DockerConfig, TakesTheLongestPathByWholeComponents) {
  const Json config = {{"auths",
                        {{"r.example", Auth("host")},
                         {"https://r.example/v2/team", Auth("team")},
                         {"r.example/team/app/", Auth("app")},
                         {"r.example/tea", Auth("wrong")},
                         {"other.example/team/app/deep", Auth("wrong")}}}};
  EXPECT_EQ(UserFor(config, Subject("r.example", "team/app")), "app");
  EXPECT_EQ(UserFor(config, Subject("r.example", "team/app/deep")), "app");
  EXPECT_EQ(UserFor(config, Subject("r.example", "team/application")), "team");
  EXPECT_EQ(UserFor(config, Subject("r.example", "team")), "team");
  EXPECT_EQ(UserFor(config, Subject("r.example", "teams/app")), "host");
  EXPECT_EQ(UserFor(config, Subject("r.example", "v2/team")), "host");
  EXPECT_TRUE(Fits("r.example/v2/team", Subject("r.example", "v2/team")));
}

TEST(DockerConfig, AStarIsWithinOneLabel) {
  const auto ecr = Subject("1234.dkr.ecr.eu-west-1.amazonaws.com");
  EXPECT_TRUE(Fits("*.dkr.ecr.*.amazonaws.com", ecr));
  EXPECT_TRUE(Fits("https://*.dkr.ecr.eu-*-1.amazonaws.com/v2/", ecr));
  EXPECT_TRUE(Fits("12*4.dkr.ecr.*w*s*.amazonaws.com", ecr));
  EXPECT_TRUE(Fits("*.dkr.ecr.*.amazonaws.com/team", ecr));
  EXPECT_FALSE(Fits("*.dkr.ecr.*.amazonaws.com/other", ecr));
  EXPECT_FALSE(Fits("*.amazonaws.com", ecr));
  EXPECT_FALSE(Fits("*.*.dkr.ecr.*.amazonaws.com", ecr));
  EXPECT_FALSE(Fits("*.dkr.ecr.us-*.amazonaws.com", ecr));
  EXPECT_FALSE(Fits("*.dkr.ecr.*est-1*-1.amazonaws.com", ecr));
  EXPECT_FALSE(Fits("*.dkr.ecr.*.amazonaws.com.", ecr));
  EXPECT_FALSE(Fits("*.dkr.ecr.*.amazonaws.com:5000", ecr));
  EXPECT_TRUE(Fits("*.r.example:5000", Subject("a.r.example:5000")));
  EXPECT_FALSE(Fits("*.r.example", Subject("a.r.example:5000")));
  EXPECT_FALSE(Fits("*.r.example*", Subject("a.r.example:5000")));
  EXPECT_TRUE(Fits("*.docker.io", Subject("index.docker.io")));
  EXPECT_FALSE(Fits("*.docker.io", Subject("docker.io")));
}

TEST(DockerConfig, PrefersTheKeyThatSaysMore) {
  Json auths = {{"*.r.example", Auth("any")}, {"a*.r.example", Auth("a")}};
  EXPECT_EQ(UserFor({{"auths", auths}}, Subject("ab.r.example")), "a");
  EXPECT_EQ(UserFor({{"auths", auths}}, Subject("b.r.example")), "any");
  auths["ab.r.example"] = Auth("itself");
  EXPECT_EQ(UserFor({{"auths", auths}}, Subject("ab.r.example")), "itself");
  auths["*.r.example/team"] = Auth("team");
  EXPECT_EQ(UserFor({{"auths", auths}}, Subject("ab.r.example")), "team");
  const Json spellings = {{"https://r.example", Auth("url")}, {"r.example", Auth("host")}};
  EXPECT_EQ(UserFor({{"auths", spellings}}, Subject("r.example")), "host");
}

TEST(DockerConfig, ReadsAllThatAnEntryMayHold) {
  const auto find = [](const Json& entry) {
    return std::get<Credentials>(Find({{"auths", {{"r.example", entry}}}}, Subject("r.example")));
  };
  EXPECT_EQ(find(Auth("me", "a:b:")), (Credentials{"me", "a:b:", {}, {}}));
  EXPECT_EQ(find(Auth("me", "a\0b\0\0"s)), (Credentials{"me", "a\0b"s, {}, {}}));
  EXPECT_EQ(find(Auth("me", "\0\0"s)), (Credentials{"me", "", {}, {}}));
  EXPECT_EQ(find({{"username", "me"}, {"password", "p"}, {"email", 1}}),
            (Credentials{"me", "p", {}, {}}));
  Json both = Auth("me", "p");
  both.update({{"username", "you"}, {"password", "q"}});
  EXPECT_EQ(find(both), (Credentials{"me", "p", {}, {}}));
  EXPECT_EQ(find({{"auth", nullptr}, {"identitytoken", "i"}}), (Credentials{{}, {}, "i", {}}));
  Json azure = Auth("00000000-0000-0000-0000-000000000000", "");
  azure["identitytoken"] = "i";
  EXPECT_EQ(find(azure), (Credentials{"00000000-0000-0000-0000-000000000000", "", "i", {}}));
  EXPECT_EQ(find({{"registrytoken", "t"}}), (Credentials{{}, {}, {}, "t"}));
}

TEST(DockerConfig, ReadsTheOldFormToo) {
  EXPECT_EQ(UserFor({{"https://r.example/v1/", Auth("old")}}, Subject("r.example")), "old");
  EXPECT_EQ(UserFor({{"https://r.example/v1/", Auth("old")}}, Subject("s.example")), "");
  // A config.json without any credentials looks the same.
  EXPECT_EQ(UserFor({{"HttpHeaders", {{"a", "b"}}}, {"psFormat", "x"}}, Subject("r.example")), "");
  EXPECT_EQ(UserFor(Json::object(), Subject("r.example")), "");
}

TEST(DockerConfig, AsksTheRegistrysOwnHelperFirst) {
  const Json config = {{"credHelpers",
                        {{"r.example", "mine"},
                         {"docker.io", "hub"},
                         {"*.dkr.ecr.*.amazonaws.com", "ecr-login"},
                         {"s.example/team", "scoped"},
                         {"none.example", ""},
                         {"null.example", nullptr}}},
                       {"auths", {{"r.example", Auth("me")}, {"s.example", Auth("me")}}},
                       {"credsStore", "pass"}};
  const auto question = [&config](std::string_view host) { return Find(config, Subject(host)); };
  EXPECT_EQ(question("r.example"), DockerConfigAnswer(HelperQuestion{"mine", "r.example"}));
  EXPECT_EQ(question("1.dkr.ecr.eu-west-1.amazonaws.com"),
            DockerConfigAnswer(HelperQuestion{"ecr-login", "1.dkr.ecr.eu-west-1.amazonaws.com"}));
  EXPECT_EQ(question("registry-1.docker.io"),
            DockerConfigAnswer(HelperQuestion{"hub", "https://index.docker.io/v1/"}));
  EXPECT_EQ(UserFor(config, Subject("s.example")), "me") << "helpers know no repositories";
  EXPECT_EQ(question("none.example"), DockerConfigAnswer(Credentials{}));
  EXPECT_EQ(question("null.example"), DockerConfigAnswer(HelperQuestion{"pass", "null.example"}));
}

TEST(DockerConfig, AsksTheStoreForWhatTheFileHasNotGot) {
  const Json config = {{"auths",
                        {{"r.example", Json::object()},
                         {"r.example/team", {{"auth", ""}, {"username", ""}}},
                         {"null.example", nullptr},
                         {"s.example/team", Json::object()},
                         {"s.example", Auth("me")}}},
                       {"credsStore", "desktop"}};
  for (const char* host : {"r.example", "null.example", "unknown.example:5000"}) {
    EXPECT_EQ(Find(config, Subject(host)), DockerConfigAnswer(HelperQuestion{"desktop", host}));
  }
  EXPECT_EQ(UserFor(config, Subject("s.example")), "me") << "an empty entry hides none";
  EXPECT_EQ(Find({{"credsStore", "x"}}, Subject("docker.io")),
            DockerConfigAnswer(HelperQuestion{"x", "https://index.docker.io/v1/"}));
  EXPECT_EQ(Find({{"auths", nullptr}, {"credsStore", ""}, {"credHelpers", nullptr}},
                 Subject("r.example")),
            DockerConfigAnswer(Credentials{}));
}

TEST(DockerConfig, SaysWhatIsMalformed) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "it is no JSON object"},
      {"hunter2", "it is no JSON object"},
      {"[]", "it is no JSON object"},
      {R"("hunter2")", "it is no JSON object"},
      {R"({"auths": {})", "it is no JSON object"},
      {"{\"auths\": {\"r.example\": {\"auth\": \"\xff\"}}}", "it is no JSON object"},
      {std::string(100, '[') + std::string(100, ']'), "it is no JSON object"},
      {R"({"auths": ["hunter2"]})", "auths is no object"},
      {R"({"auths": 1})", "auths is no object"},
      {R"({"credHelpers": "hunter2"})", "credHelpers is no object"},
      {R"({"credHelpers": {"r.example": 7}})", "credHelpers entry 'r.example': it is no text"},
      {R"({"credsStore": ["hunter2"]})", "credsStore is no text"},
      {R"({"auths": {"r.example": "hunter2"}})", "auths entry 'r.example': it is no object"},
      {R"({"r.example": 5})", "auths entry 'r.example': it is no object"},
      {R"({"auths": {"r.example": {"auth": 7}}})", "auths entry 'r.example': auth is no text"},
      {R"({"auths": {"r.example": {"auth": {}}}})", "auths entry 'r.example': auth is no text"},
      {R"({"auths": {"r.example": {"auth": "hunter2"}}})",
       "auths entry 'r.example': auth is not base64"},
      {R"({"auths": {"r.example": {"auth": "aHVudGVyMg=="}}})",
       "auths entry 'r.example': auth has no ':' after the user name"},
      {R"({"auths": {"https://r.example/v2/team": {"username": 1, "password": "hunter2"}}})",
       "auths entry 'https://r.example/v2/team': username is no text"},
      {R"({"auths": {"r.example": {"identitytoken": [1e99]}}})",
       "auths entry 'r.example': identitytoken is no text"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(ErrorOf(text, Subject("r.example")), message) << text;
  }
}

TEST(DockerConfig, IsNotStoppedByWhatConcernsOthers) {
  const Json config = {{"auths",
                        {{"s.example", 7},
                         {"t.example", {{"auth", "?"}}},
                         {"not a host", Auth("x")},
                         {"*", nullptr},
                         {"r.example/other", {{"auth", "?"}}},
                         {"r.example", Auth("me")}}},
                       {"credHelpers", {{"s.example", 7}}},
                       {"credsStore", 7}};
  EXPECT_EQ(UserFor(config, Subject("r.example")), "me");
}

// Every value of a whole file replaced by each kind of JSON in turn.
void ForEachMutation(const std::function<void(const Json&)>& use) {
  const Json whole = {{"auths",
                       {{"r.example", Auth("me")},
                        {"r.example/team", {{"username", "me"}, {"password", kSecret}}},
                        {"*.example", {{"identitytoken", kSecret}, {"registrytoken", kSecret}}}}},
                      {"credHelpers", {{"*.example", ""}}},
                      {"credsStore", "pass"}};
  const Json kinds[] = {nullptr,
                        true,
                        -1,
                        1e300,
                        "",
                        kSecret,
                        "\n",
                        "AAAA",
                        Json::array(),
                        Json::array({Json::object()}),
                        Json::object(),
                        {{"r.example", {{"a", 1}}}}};
  const Json flat = whole.flatten();
  for (const auto& [pointer, unused] : flat.items()) {
    for (Json::json_pointer place(pointer); !place.empty(); place.pop_back()) {
      for (const Json& kind : kinds) {
        Json mutated = whole;
        mutated[place] = kind;
        use(mutated);
      }
    }
  }
}

TEST(DockerConfig, NeitherThrowsNorTellsSecretsWhateverItReads) {
  int failed = 0;
  const auto check = [&failed](const std::string& text) {
    const auto answer = FindInDockerConfig(text, Subject("r.example"));
    if (answer) return;
    ++failed;
    EXPECT_EQ(answer.error().kind, ErrorKind::kCredentials);
    for (const std::string_view secret : {kSecret, std::string_view("bWU6aHVudGVyMg==")}) {
      EXPECT_EQ(answer.error().message.find(secret), std::string::npos) << text;
    }
  };
  ForEachMutation([&check](const Json& mutated) { check(mutated.dump()); });
  EXPECT_GT(failed, 20);
  const std::string text = Json({{"auths", {{"r.example", Auth("me")}}}}).dump();
  for (std::size_t length = 0; length <= text.size(); ++length) check(text.substr(0, length));
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'\0', '"', '{', '*', ':', '\xff'}) {
      std::string broken = text;
      broken[i] = c;
      check(broken);
    }
  }
}

TEST(DockerConfig, ManyStarsTakeNoLongTime) {
  std::string key;
  for (int i = 0; i < 30'000; ++i) key += "*a";
  EXPECT_FALSE(Fits(key + "b", Subject(std::string(63, 'a') + ".example")));
}

}  // namespace
}  // namespace registry_backend
