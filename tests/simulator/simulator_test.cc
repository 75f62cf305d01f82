#include "tests/simulator/simulator.h"

#include <gtest/gtest.h>
#include <httplib.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/simulator/test_client.h"

namespace registry_backend::simulator {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

std::vector<std::string> TagsIn(const std::string& body) {
  return json::parse(body)["tags"].get<std::vector<std::string>>();
}

TEST_F(SimulatorTest, ServesTags) {
  Start();
  EXPECT_EQ(StatusOf("/v2/"), 200);
  const auto result = client_->Get(TagsPath());
  ASSERT_TRUE(result);
  EXPECT_EQ(TagsIn(result->body), (std::vector<std::string>{"1.0.0", "v202401-1", "v202402-1"}));
  EXPECT_FALSE(result->has_header("Link"));
  const auto unknown = client_->Get("/v2/no/such/tags/list");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->status, 404);
  EXPECT_EQ(json::parse(unknown->body)["errors"][0]["code"], "NAME_UNKNOWN");
}

TEST_F(SimulatorTest, PagesTags) {
  Options options;
  options.page_size = 2;
  Start(options);
  const auto first = client_->Get(TagsPath());
  ASSERT_TRUE(first);
  EXPECT_EQ(TagsIn(first->body).size(), 2u);
  const std::string next = TagsPath() + "?last=v202401-1&n=2";
  EXPECT_EQ(first->get_header_value("Link"), "<" + next + ">; rel=\"next\"");
  const auto second = client_->Get(next);
  ASSERT_TRUE(second);
  EXPECT_EQ(TagsIn(second->body), std::vector<std::string>{"v202402-1"});
  EXPECT_FALSE(second->has_header("Link"));
  EXPECT_EQ(StatusOf(TagsPath() + "?n=many"), 400);
  EXPECT_EQ(simulator_->GetStats().CountOf(Operation::kTags, "v202401-1"), 1u);
}

TEST_F(SimulatorTest, LinksCanBeAbsolute) {
  Options options;
  options.page_size = 1;
  options.absolute_links = true;
  Start(options);
  const auto result = client_->Get(TagsPath());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->get_header_value("Link"),
            "<" + simulator_->base_url() + TagsPath() + "?last=1.0.0&n=1>; rel=\"next\"");
}

TEST_F(SimulatorTest, LinksBehindAProxyAreThoseOfTheProxy) {
  Options options;
  options.page_size = 1;
  options.absolute_links = true;
  Start(options);
  const auto result =
      client_->Get(TagsPath(), {{"Host", "registry.example:8443"}, {"X-Forwarded-Proto", "https"}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->get_header_value("Link").find("<https://registry.example:8443/v2/"), 0u)
      << result->get_header_value("Link");
}

TEST_F(SimulatorTest, ManifestsTellTheTruth) {
  Start();
  const auto result = client_->Get(ManifestPath("1.0.0"), AcceptDocker());
  ASSERT_TRUE(result);
  const std::string digest = result->get_header_value("Docker-Content-Digest");
  EXPECT_EQ(Sha256Digest(result->body), digest);
  EXPECT_EQ(result->get_header_value("Content-Type"), ImageMediaType(Format::kDocker));
  const auto head = client_->Head(ManifestPath(digest), AcceptDocker());
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->get_header_value("Content-Length"), std::to_string(result->body.size()));
  auto headers = AcceptDocker();
  headers.emplace("If-None-Match", result->get_header_value("ETag"));
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"), headers), 304);
}

TEST_F(SimulatorTest, HeadOfAManifestIsGetWithoutTheBody) {
  Start();
  const auto get = client_->Get(ManifestPath("1.0.0"), AcceptDocker());
  const auto head = client_->Head(ManifestPath("1.0.0"), AcceptDocker());
  ASSERT_TRUE(get && head);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(head->body, "");
  for (const char* name : {"Content-Type", "ETag", "Docker-Distribution-Api-Version"}) {
    EXPECT_EQ(head->get_header_value(name), get->get_header_value(name));
  }
  EXPECT_EQ(head->get_header_value("Docker-Content-Digest"), Sha256Digest(get->body));
  EXPECT_EQ(head->get_header_value("Content-Length"), std::to_string(get->body.size()));
  EXPECT_EQ(client_->Head(ManifestPath("1.0.0"))->status, 404) << "no Accept header fits";
  EXPECT_EQ(client_->Head(ManifestPath("none"), AcceptDocker())->status, 404);
  const Stats stats = simulator_->GetStats();
  EXPECT_EQ(stats.CountOf(Operation::kManifest, "1.0.0", "HEAD", 200), 1u);
  EXPECT_EQ(stats.Count(Operation::kManifest, "HEAD", 404), 2u);
  EXPECT_EQ(stats.Count(Operation::kManifest, "GET"), 1u);
  EXPECT_EQ(stats.connections, 1u);
}

TEST_F(SimulatorTest, HeadOfManifestsCanBeRefused) {
  Options options;
  options.head_manifests = false;
  Start(options);
  EXPECT_EQ(client_->Head(ManifestPath("1.0.0"), AcceptDocker())->status, 405);
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"), AcceptDocker()), 200);
  EXPECT_EQ(client_->Head(BlobPath(layer_))->status, 200);
}

TEST_F(SimulatorTest, ManifestsMayComeWithoutTheirDigest) {
  Options options;
  options.manifest_digest_header = false;
  Start(options);
  const auto get = client_->Get(ManifestPath("1.0.0"), AcceptDocker());
  const auto head = client_->Head(ManifestPath("1.0.0"), AcceptDocker());
  ASSERT_TRUE(get && head);
  EXPECT_EQ(get->status, 200);
  EXPECT_FALSE(get->has_header("Docker-Content-Digest"));
  EXPECT_EQ(head->status, 200);
  EXPECT_FALSE(head->has_header("Docker-Content-Digest"));
}

TEST_F(SimulatorTest, Schema1GoesToWhoeverAsks) {
  Catalog catalog = SmallCatalog();
  const std::string digest = catalog.AddSchema1Image(kRepository, "old", {"layer"});
  catalog.Tag(kRepository, "old", digest);
  Start({}, std::move(catalog));
  EXPECT_EQ(StatusOf(ManifestPath("old"), AcceptDocker()), 200);
  const auto result = client_->Get(ManifestPath("old"));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->get_header_value("Content-Type"), kSchema1MediaType);
  EXPECT_EQ(result->get_header_value("Docker-Content-Digest"), digest);
}

TEST_F(SimulatorTest, ForeignLayersAreNotHere) {
  Catalog catalog = SmallCatalog();
  catalog.AddImage(kRepository,
                   {.layers = {{.bytes = "foreign", .urls = {"https://foreign.example/layer"}}}});
  Start({}, std::move(catalog));
  EXPECT_EQ(StatusOf(BlobPath(Sha256Digest("foreign"))), 404);
}

TEST_F(SimulatorTest, ManifestsNeedAFittingAccept) {
  Start();
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"), {{"Accept", "*/*"}}), 404);
  EXPECT_EQ(
      StatusOf(ManifestPath("1.0.0"), {{"Accept", std::string(ImageMediaType(Format::kOci))}}),
      404);
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"),
                     {{"Accept",
                       "text/plain, " + std::string(ImageMediaType(Format::kDocker)) + ";q=0.5"}}),
            200);
}

TEST_F(SimulatorTest, RedirectsGetOfABlobOnly) {
  Start();
  const auto get = client_->Get(BlobPath(layer_), {{"Range", "bytes=0-0"}});
  ASSERT_TRUE(get);
  EXPECT_EQ(get->status, 307);
  EXPECT_EQ(get->body, "");
  const std::string location = get->get_header_value("Location");
  EXPECT_EQ(location.find("https://prod-us-east-1-starport-layer-bucket.s3."), 0u) << location;
  EXPECT_NE(location.find(layer_ + "?"), std::string::npos) << location;
  EXPECT_NE(location.find(kSignatureSecret), std::string::npos) << location;
  const auto head = client_->Head(BlobPath(layer_));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->status, 200);
  EXPECT_EQ(StatusOf(BlobPath("sha256:none")), 404);
  const Stats stats = simulator_->GetStats();
  EXPECT_EQ(stats.CountOf(Operation::kBlob, layer_, "GET", 307), 1u);
  EXPECT_EQ(stats.CountOf(Operation::kBlob, layer_, "HEAD", 200), 1u);
}

TEST_F(SimulatorTest, ServesBlobsItself) {
  Options options;
  options.backend = kDirect;
  Start(options);
  const auto whole = client_->Get(BlobPath(layer_));
  ASSERT_TRUE(whole);
  EXPECT_EQ(Sha256Digest(whole->body), layer_);
  const auto part = client_->Get(BlobPath(layer_), {{"Range", "bytes=0-0"}});
  ASSERT_TRUE(part);
  EXPECT_EQ(part->status, 206);
  EXPECT_EQ(part->body, whole->body.substr(0, 1));
  EXPECT_EQ(part->get_header_value("Content-Range"),
            "bytes 0-0/" + std::to_string(whole->body.size()));
  EXPECT_EQ(StatusOf(BlobPath(layer_), {{"Range", "bytes=100000-"}}), 416);
}

TEST_F(SimulatorTest, BackendsChangeWhileItRuns) {
  Start();
  const auto host = [&](const std::string& digest) {
    const auto result = client_->Get(BlobPath(digest));
    if (!result) return std::string();
    const std::string location = result->get_header_value("Location");
    return location.substr(0, location.find("/6a1b"));
  };
  simulator_->SetBackend("new.example:8443");
  EXPECT_EQ(host(layer_), "https://new.example:8443");

  const Catalog catalog = SmallCatalog();
  const auto blobs = catalog.BlobsOf(kRepository, "1.0.0");  // config, layers 1 to 4
  simulator_->SetBackendRules({{ByDigest{blobs[0]}, "http://digest"},
                               {OwnOfTag{"", "1.0.0"}, "tag"},
                               {FromLayer{2}, "deeper"}});
  EXPECT_EQ(host(blobs[0]), "http://digest");
  EXPECT_EQ(host(blobs[1]), "https://new.example:8443");
  EXPECT_EQ(host(blobs[2]), "https://deeper");
  EXPECT_EQ(host(blobs[3]), "https://tag");
  // Without its tag, the layers are nobody's own.
  simulator_->EditCatalog([](Catalog& edited) { edited.RemoveTag(kRepository, "1.0.0"); });
  EXPECT_EQ(host(blobs[3]), "https://deeper");

  simulator_->SetBackendRules({{EveryNth{2}, "second"}});
  std::multiset<std::string> hosts;
  for (const auto& [digest, blob] : catalog.Find(kRepository)->blobs) hosts.insert(host(digest));
  EXPECT_EQ(hosts.count("https://second"), hosts.size() / 2);
}

TEST_F(SimulatorTest, Basic) {
  Options options;
  options.authentication = Authentication::kBasic;
  options.username = "user";
  options.password = "pass:word";
  Start(options);
  const auto refused = client_->Get("/v2/");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  EXPECT_EQ(refused->get_header_value("WWW-Authenticate"), "Basic realm=\"registry-simulator\"");
  client_->set_basic_auth("user", "pass:word");
  EXPECT_EQ(StatusOf(TagsPath()), 200);
  simulator_->SetPassword("changed");
  EXPECT_EQ(StatusOf(TagsPath()), 401);
  EXPECT_EQ(simulator_->GetStats().requests.at(1).request.authorization, "Basic");
}

class BearerTest : public SimulatorTest {
 protected:
  void StartBearer(Options options = {}) {
    options.authentication = Authentication::kBearer;
    options.username = "user";
    options.password = "word";
    Start(options);
  }

  std::string TokenPath() const {
    return std::string("/token?service=registry-simulator&scope=repository:") + kRepository +
           ":pull";
  }
  httplib::Headers Token(const char* field = "token") {
    const auto result =
        client_->Get(TokenPath(), {httplib::make_basic_authentication_header("user", "word")});
    if (!result || result->status != 200) return {};
    return {{"Authorization", "Bearer " + json::parse(result->body)[field].get<std::string>()}};
  }
};

TEST_F(BearerTest, ChallengesAndGivesTokens) {
  StartBearer();
  const auto refused = client_->Get(TagsPath());
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  EXPECT_EQ(refused->get_header_value("WWW-Authenticate"),
            "Bearer realm=\"" + simulator_->base_url() +
                "/token\",service=\"registry-simulator\",scope=\"repository:team/app:pull\"");
  EXPECT_EQ(StatusOf(TokenPath()), 401);
  EXPECT_EQ(StatusOf("/token?service=other"), 400);
  const auto token = Token();
  EXPECT_EQ(StatusOf("/v2/", token), 200);
  EXPECT_EQ(StatusOf(TagsPath(), token), 200);
  const auto elsewhere = client_->Get("/v2/another/tags/list", token);
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ(elsewhere->status, 401);
  EXPECT_NE(elsewhere->get_header_value("WWW-Authenticate").find("insufficient_scope"),
            std::string::npos);
  simulator_->RevokeTokens();
  EXPECT_EQ(StatusOf(TagsPath(), token), 401);
}

TEST_F(BearerTest, TokensExpire) {
  Options options;
  options.token_lifetime = milliseconds(0);
  options.token_field = "access_token";
  options.announced_expires_in = 60;
  StartBearer(options);
  EXPECT_EQ(StatusOf(TagsPath(), Token("access_token")), 401);
}

TEST_F(BearerTest, IdentityTokens) {
  Options options;
  options.identity_token = "identity";
  StartBearer(options);
  const auto post = [&](const std::string& token) {
    return client_->Post("/token", httplib::Params{{"grant_type", "refresh_token"},
                                                   {"service", "registry-simulator"},
                                                   {"scope", "repository:team/app:pull"},
                                                   {"refresh_token", token}});
  };
  const auto wrong = post("guess");
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->status, 401);
  const auto right = post("identity");
  ASSERT_TRUE(right);
  const std::string token = json::parse(right->body)["token"];
  EXPECT_EQ(StatusOf(TagsPath(), {{"Authorization", "bearer " + token}}), 200);
}

TEST_F(SimulatorTest, RedirectsToItself) {
  Options options;
  options.own_host_hops = 2;
  Start(options);
  const auto first = client_->Get(TagsPath() + "?n=1");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 307);
  EXPECT_EQ(first->get_header_value("Location"), "/hop/1" + TagsPath() + "?n=1");
  EXPECT_EQ(StatusOf("/hop/1" + TagsPath()), 307);
  EXPECT_EQ(StatusOf("/hop/2" + TagsPath()), 200);
}

TEST_F(SimulatorTest, ServesTls) {
  Options options;
  options.tls = MakeCertificate({"localhost", "127.0.0.1"});
  Start(options);
  EXPECT_EQ(StatusOf("/v2/"), 0);  // not trusted
  BIO* const bio = BIO_new_mem_buf(options.tls->certificate_pem.data(), -1);
  X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  X509_STORE* const store = X509_STORE_new();
  X509_STORE_add_cert(store, certificate);
  X509_free(certificate);
  BIO_free(bio);
  const auto client = Connect(*simulator_);
  client->set_ca_cert_store(store);  // takes it
  for (int i = 0; i < 3; ++i) {
    const auto result = client->Get(ManifestPath("1.0.0"), AcceptDocker());
    ASSERT_TRUE(result) << httplib::to_string(result.error());
    EXPECT_EQ(result->status, 200);
  }
}

TEST_F(SimulatorTest, CountsConnectionsAndRequests) {
  Start();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(StatusOf("/v2/"), 200);
  EXPECT_EQ(StatusOf("/elsewhere"), 404);
  Stats stats = simulator_->GetStats();
  EXPECT_EQ(stats.total, 6u);
  EXPECT_EQ(stats.requests.size(), 6u);
  EXPECT_EQ(stats.Count(Operation::kVersion, "GET", 200), 5u);
  EXPECT_EQ(stats.CountOf(Operation::kOther, "/elsewhere"), 1u);
  EXPECT_EQ(stats.max_in_flight, 1u);
  EXPECT_EQ(stats.connections, 1u);
  EXPECT_EQ(stats.open_connections, 1u);
  simulator_->ResetStats();
  EXPECT_EQ(simulator_->GetStats().total, 0u);
}

TEST_F(SimulatorTest, LatencyIsNotShared) {
  static constexpr int kClients = 64;
  Options options;
  options.threads = kClients;
  options.latency = milliseconds(300);
  Start(options);
  std::vector<steady_clock::duration> taken(kClients);
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      const auto client = Connect(*simulator_);
      const auto start = steady_clock::now();
      const auto result = client->Get("/v2/");
      taken[static_cast<std::size_t>(i)] = steady_clock::now() - start;
      EXPECT_TRUE(result);
    });
  }
  for (std::thread& client : clients) client.join();
  for (const auto& duration : taken) {
    EXPECT_GE(duration, milliseconds(300));
    EXPECT_LT(duration, milliseconds(300) * kClients / 4);  // one after the other: × 64
  }
}

TEST_F(SimulatorTest, StopBreaksWhatWaits) {
  static constexpr int kClients = 64;
  Options options;
  options.threads = kClients;
  options.latency = std::chrono::hours(1);
  Start(options);
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      const auto client = Connect(*simulator_);
      client->set_read_timeout(seconds(60));
      EXPECT_FALSE(client->Get("/v2/"));
    });
  }
  WaitUntil([&] { return simulator_->GetStats().in_flight == kClients; });
  EXPECT_EQ(simulator_->GetStats().max_in_flight, static_cast<std::size_t>(kClients));
  simulator_->Stop();
  for (std::thread& client : clients) client.join();
}

TEST_F(SimulatorTest, StopDoesNotWaitForIdleConnections) {
  Start();
  std::vector<std::unique_ptr<httplib::Client>> idle;
  for (int i = 0; i < 6; ++i) {
    idle.push_back(Connect(*simulator_));
    ASSERT_TRUE(idle.back()->Get("/v2/"));
  }
  const int port = simulator_->port();
  const auto start = steady_clock::now();
  simulator_->Stop();
  EXPECT_LT(steady_clock::now() - start, seconds(1));
  simulator_->Stop();
  EXPECT_FALSE(idle.front()->Get("/v2/"));
  simulator_.reset();
  // The port is free at once, and taken means taken.
  Options options;
  options.port = port;
  Start(options);
  EXPECT_EQ(StatusOf("/v2/"), 200);
  EXPECT_THROW(Simulator(options, Catalog()), std::runtime_error);
}

TEST_F(SimulatorTest, MayBeChangedByManyThreads) {
  Start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      const auto client = Connect(*simulator_);
      for (int j = 0; j < 50; ++j) EXPECT_TRUE(client->Get(BlobPath(layer_)));
    });
  }
  threads.emplace_back([&] {
    for (int j = 0; j < 50; ++j) {
      simulator_->SetBackend("host-" + std::to_string(j));
      simulator_->SetBackendRules({{FromLayer{2}, "deeper"}});
      simulator_->AddFault({Operation::kToken, "", "", 1, CloseFault{}});
      simulator_->EditCatalog(
          [&](Catalog& catalog) { catalog.AddBlob(kRepository, std::to_string(j)); });
      EXPECT_LE(simulator_->GetStats().total, 150u);
      simulator_->ClearFaults();
    }
  });
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace registry_backend::simulator
