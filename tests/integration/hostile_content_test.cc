// What a hostile registry puts into lists, manifests and headers.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>

#include "exporter/registry/digest.h"
#include "tests/integration/hostile_test.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

class HostileContent : public HostileTest {
 protected:
  HostileContent() { ServeImage(registry_); }

  static std::string At(const char* part) { return std::string(kApi) + part; }

  void ServeTags(const json& tags, const std::string& headers = "") {
    registry_.On(At("tags/list"), ForTheUser(HttpText(200, json{{"tags", tags}}.dump(), headers)));
  }
  void ServeManifest(const std::string& manifest) {
    registry_.On(At("manifests/"), ForTheUser(ManifestAnswer(manifest)));
  }

  // Every path that was asked for is one that the honest image has, or one of `more`.
  void ExpectOnlyKnownPathsAskedFor(std::set<std::string> more = {}) {
    more.insert(
        {At("tags/list"), At("manifests/v1"), At("manifests/") + Sha256Of(ImageManifest())});
    for (int blob = 0; blob <= 2; ++blob) more.insert(At("blobs/") + BlobDigest(blob));
    for (const HostileRequest& request : registry_.Requests()) {
      EXPECT_TRUE(more.contains(request.target)) << request.target;
    }
  }

  static json Layer(const std::string& digest) {
    return {{"mediaType", "application/vnd.oci.image.layer.v1.tar+gzip"},
            {"digest", digest},
            {"size", 1}};
  }
};

TEST_F(HostileContent, TheNextPageElsewhereIsRefused) {
  for (const std::string& next :
       {accomplice_.http() + "/v2/team/app/tags/list?last=v1", "//" + accomplice_.host() + "/v2/",
        registry_.https() + "/v2/", "http://" + registry_.host() + "@" + accomplice_.host() + "/",
        "\\\\" + accomplice_.host() + "/v2/"}) {
    ServeTags({"v1"}, "Link: <" + next + ">; rel=\"next\"\r\n");
    Attack();
    EXPECT_NE(Outcome(), "complete") << next;
    EXPECT_NE(Complaints().find("protocol: "), std::string::npos) << report_;
  }
  EXPECT_EQ(accomplice_.accepted(), 0);
  for (const HostileRequest& request : registry_.Requests()) EXPECT_FALSE(request.over_tls);
}

TEST_F(HostileContent, TheNextPageOfAListThatWasRedirectedElsewhereIsAskedForByAStranger) {
  registry_.On(At("tags/list"), ForTheUser(RedirectTo(accomplice_.http() + "/v2/a/tags/list")));
  accomplice_.On("/v2/a/tags/list",
                 HttpText(200, R"({"tags": ["v1"]})", "Link: </v2/a/more>; rel=\"next\"\r\n"));
  accomplice_.On("/v2/a/more", Challenge401("Basic realm=\"more\""));
  Attack();
  EXPECT_GT(accomplice_.Requests("/v2/a/more").size(), 0U);
  EXPECT_NE(Complaints().find("auth: "), std::string::npos) << report_;
}

TEST_F(HostileContent, PagesThatFormALoopEnd) {
  ServeTags({"v1"}, "Link: </v2/team/app/tags/list?page=2>; rel=\"next\"\r\n");
  Attack();
  EXPECT_EQ(Outcome(), "partial");
  EXPECT_NE(Complaints().find("form a loop"), std::string::npos) << report_;
  EXPECT_EQ(registry_.Requests(At("tags/list?page=2")).size(), 2U);
}

TEST_F(HostileContent, EndlessPagesEnd) {
  const auto number = std::make_shared<std::atomic<int>>(0);
  registry_.On(At("tags/list"), [number](const HostileRequest&, HostilePeer& peer) {
    const std::string next = std::to_string(++*number);
    json tags = json::array({"v1"});
    for (int i = 0; i < 20'000; ++i) tags.push_back("t" + next + "-" + std::to_string(i));
    peer.Send(HttpText(200, json{{"tags", tags}}.dump(),
                       "Link: </v2/team/app/tags/list?page=" + next + ">; rel=\"next\"\r\n"));
  });
  Attack({.scan = "timeout: 50s, tags: {include: [v1]}"});
  EXPECT_EQ(Outcome(), "partial");
  EXPECT_NE(Complaints().find("the tag list has no end"), std::string::npos) << Complaints();
}

TEST_F(HostileContent, APageOfTooManyTagsIsRefused) {
  json tags = json::array();
  for (int i = 0; i <= 200'000; ++i) tags.push_back("t" + std::to_string(i));
  ServeTags(tags);
  Attack();
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("more than 200000 tags"), std::string::npos) << report_;
  ExpectOnlyKnownPathsAskedFor();
}

// CVE-2024-3727 is of names that came from outside into paths and requests unread.
TEST_F(HostileContent, TagsThatAreNoneAreInNoPathAndNoFileName) {
  ServeTags({"v1",
             "../../x",
             "..",
             ".",
             "a/b",
             "x?y",
             "x#y",
             "%2e%2e%2fx",
             "a\r\nX-Injected: 1",
             std::string("a\0b", 3),
             " v1",
             "-v1",
             "v\xC3\xB6",
             "",
             std::string(129, 'a'),
             std::string(300, 'b'),
             "\x1b[31mred",
             "<script>alert(1)</script>",
             1,
             nullptr,
             json::array({"v2"}),
             json{{"tags", {"v3"}}}});
  Attack();
  EXPECT_EQ(Outcome(), "complete") << report_;
  EXPECT_EQ(report_.at("tag_order"), json::array({"v1"}));
  EXPECT_NE(Complaints("unpullable").find("is no valid tag"), std::string::npos);
  ExpectOnlyKnownPathsAskedFor();
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory_ / "data")) {
    names.insert(entry.path().extension().string());
    EXPECT_EQ(entry.path().string().find("script"), std::string::npos) << entry.path();
  }
  EXPECT_TRUE(names.contains(".json"));
}

// CVE-2024-3727.
TEST_F(HostileContent, DigestsThatAreNoneAreInNoPath) {
  const std::string good = BlobDigest(1);
  for (const std::string& digest :
       {std::string("sha256:../../../etc/passwd"), "sha256:" + std::string(64, '/'),
        std::string("md5:d41d8cd98f00b204e9800998ecf8427e"), "SHA256:" + good.substr(7),
        "sha256:" + std::string(64, 'A'), good.substr(0, 70), good + "0", good + "?x", good + " ",
        std::string("sha256:"), std::string(), "sha512:" + good.substr(7),
        std::string("../") + good, good + "\r\nX-Injected: 1"}) {
    json image = json::parse(ImageManifest());
    image["layers"].push_back(Layer(digest));
    json index = {{"schemaVersion", 2},
                  {"mediaType", "application/vnd.oci.image.index.v1+json"},
                  {"manifests", json::array({{{"digest", digest}, {"size", 1}}})}};
    for (const std::string& manifest : {image.dump(), index.dump()}) {
      ServeManifest(manifest);
      if (manifest == index.dump()) {
        registry_.On(At("manifests/"), ForTheUser(HttpText(200, manifest)));
      }
      Attack();
      EXPECT_NE(Outcome(), "complete") << digest;
      EXPECT_FALSE((Complaints() + Complaints("unpullable")).empty()) << digest;
    }
  }
  ExpectOnlyKnownPathsAskedFor();
}

TEST_F(HostileContent, DigestsThatLieAreErrors) {
  const std::string image = ImageManifest();
  const std::string other = ImageManifest(1);
  // The header names another's digest.
  registry_.On(At("manifests/"),
               ForTheUser(HttpText(200, image,
                                   "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n"
                                   "Docker-Content-Digest: " +
                                       Sha256Of(other) + "\r\n")));
  Attack();
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("digest: "), std::string::npos) << report_;

  // An index names one manifest, and another is served for it, with a header that agrees.
  const json index = {{"schemaVersion", 2},
                      {"mediaType", "application/vnd.oci.image.index.v1+json"},
                      {"manifests", json::array({{{"digest", Sha256Of(image)}, {"size", 1}}})}};
  registry_.On(At("manifests/v1"),
               ForTheUser(HttpText(200, index.dump(),
                                   "Content-Type: application/vnd.oci.image.index.v1+json\r\n")));
  registry_.On(At("manifests/sha256:"), ForTheUser(ManifestAnswer(other)));
  Attack();
  EXPECT_NE(Outcome(), "complete");
  EXPECT_NE(Complaints().find("digest: "), std::string::npos) << report_;
  EXPECT_TRUE(registry_.Requests(At("blobs/")).empty()) << "no layer of the liar's is asked for";
}

// CVE-2021-41190, and what else readers of JSON may understand in two ways.
TEST_F(HostileContent, ManifestsOfTwoMeaningsAreRefused) {
  const std::string image = ImageManifest();
  const std::string open = image.substr(0, image.size() - 1);
  const json other = Layer(BlobDigest(9));
  json both = json::parse(image);
  both["manifests"] = json::array({{{"digest", BlobDigest(9)}, {"size", 1}}});
  json type = json::parse(image);
  type["mediaType"] = "application/vnd.oci.image.index.v1+json";
  const std::string digest = "\"digest\":\"" + BlobDigest(1) + "\"";
  const std::string digests = std::string(image).replace(
      image.find(digest), digest.size(), digest + ",\"digest\":\"" + BlobDigest(9) + "\"");
  for (const std::string& manifest :
       {both.dump(), type.dump(), open + ",\"config\":" + other.dump() + "}",
        open + ",\"layers\":[" + other.dump() + "]}", digests, image + image}) {
    ServeManifest(manifest);
    Attack();
    EXPECT_EQ(Outcome(), "failed") << manifest;
    EXPECT_FALSE((Complaints() + Complaints("unpullable")).empty());
  }
  EXPECT_TRUE(registry_.Requests(At("blobs/")).empty());
}

// CVE-2020-15157: a foreign layer's host answered with a Basic challenge and was given the
// registry's credentials.
TEST_F(HostileContent, AForeignLayersHostsAreNamedAndNotContacted) {
  accomplice_.On("/", Challenge401("Basic realm=\"give it to me\""));
  json image = json::parse(ImageManifest());
  json foreign = Layer(BlobDigest(3));
  foreign["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
  foreign["urls"] = {accomplice_.http() + "/v2/layer" + kSignature,
                     accomplice_.https() + "/layer" + kSignature, "file:///etc/passwd",
                     "http://plugh@evil.example/x"};
  image["layers"].push_back(foreign);
  ServeManifest(image.dump());
  Attack();
  EXPECT_EQ(Outcome(), "complete") << report_;
  EXPECT_TRUE(Hosts().contains(accomplice_.host())) << report_;
  EXPECT_EQ(accomplice_.accepted(), 0);
  ExpectOnlyKnownPathsAskedFor();
}

// It knows them, and would like them to be where others read.
TEST_F(HostileContent, CredentialsThatItEchoesAreNotRepeated) {
  const auto echo = [](int status) {
    return [status](const HostileRequest& request, HostilePeer& peer) {
      const std::string known = request.Field("authorization");
      if (known.empty()) {
        peer.Send(Challenge401("Basic realm=\"registry\""));
        return;
      }
      const std::string body = json{{"errors", {{{"code", known}, {"message", known}}}}}.dump();
      peer.Send("HTTP/1.1 " + std::to_string(status) + " " + known +
                "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\nContent-Type: text/" + known + "\r\nDocker-Content-Digest: " + known +
                "\r\nWWW-Authenticate: Basic realm=\"" + known + "\"\r\nLocation: /?" + known +
                "\r\nETag: \"" + known + "\"\r\nX-Error: " + known + "\r\n\r\n" + body);
    };
  };
  for (const char* part : {"tags/list", "manifests/", "blobs/"}) {
    for (const int status : {200, 401, 403, 404, 418}) {
      ServeImage(registry_);
      registry_.On(At(part), echo(status));
      Attack();
      EXPECT_FALSE(Outcome().empty());
    }
  }
}

}  // namespace
}  // namespace registry_backend::testing
