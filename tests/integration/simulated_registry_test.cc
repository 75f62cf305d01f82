#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>

#include "exporter/report/report.h"
#include "tests/integration/scan_client.h"
#include "tests/simulator/http_server.h"
#include "tests/simulator/simulator.h"
#include "tests/support/temp_dir.h"

// Scans of the simulated registry, over real sockets, with the exporter's own modules.
namespace registry_backend {
namespace {

using std::chrono::milliseconds;
namespace sim = simulator;

constexpr const char* kRepository = "team/app";
constexpr const char* kHost = "cdn.example";

sim::Catalog MakeCatalog(std::size_t tags, std::size_t layers) {
  return sim::Generate({.repository = kRepository, .tags = tags, .layers_per_tag = layers});
}

sim::Options Plain() {
  sim::Options options;
  options.backend = kHost;
  return options;
}

sim::Options WithPassword(sim::Authentication authentication) {
  sim::Options options = Plain();
  options.authentication = authentication;
  options.username = "user";
  options.password = "secret";
  return options;
}

// All unique blobs that the repository's tags reach.
std::set<std::string> AllBlobs(const sim::Catalog& catalog) {
  std::set<std::string> blobs;
  for (const auto& [tag, digest] : catalog.Find(kRepository)->tags) {
    for (const std::string& blob : catalog.BlobsOf(kRepository, tag)) blobs.insert(blob);
  }
  return blobs;
}

class Client : public testing::ScanClient {
 public:
  explicit Client(const std::string& url, ConnectionOptions connection = {})
      : ScanClient(url, kRepository, std::move(connection)) {}
};

std::string Report(const sim::Simulator& registry, const ScanResult& result) {
  return testing::ReportText({*Url::Parse(registry.base_url()), kRepository}, result);
}

const SeenEndpoint* Find(const ScanResult& result, Serves serves, const std::string& host) {
  const auto found = result.endpoints.find({serves, *Host::Parse(host)});
  return found == result.endpoints.end() ? nullptr : &found->second;
}

TEST(SimulatedRegistry, EveryTagPlatformAndBlobIsAskedForOnce) {
  const sim::Catalog catalog = MakeCatalog(8, 10);
  const std::set<std::string> blobs = AllBlobs(catalog);
  sim::Simulator registry(Plain(), catalog);
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete) << Report(registry, result);
  EXPECT_EQ(result.asked.tags, 8U);
  EXPECT_EQ(result.asked.blobs, blobs.size());
  EXPECT_EQ(Find(result, Serves::kBlobs, kHost)->blobs, blobs.size());
  const sim::Stats stats = registry.GetStats();
  for (const std::string& blob : blobs) {
    EXPECT_EQ(stats.CountOf(sim::Operation::kBlob, blob), 1U) << blob;
  }
  EXPECT_EQ(stats.Count(sim::Operation::kBlob), blobs.size());
  EXPECT_EQ(stats.Count(sim::Operation::kBlob, "GET", 307), blobs.size());
}

TEST(SimulatedRegistry, ADeepLayersHostIsFoundToo) {
  sim::Options options = Plain();
  options.backend_rules = {{sim::FromLayer{11}, "deep.s3.eu-west-1.amazonaws.com"}};
  sim::Simulator registry(options, MakeCatalog(6, 14));
  const ScanResult result = Client(registry.base_url()).Scan();
  const SeenEndpoint* deep = Find(result, Serves::kBlobs, "deep.s3.eu-west-1.amazonaws.com");
  ASSERT_NE(deep, nullptr) << Report(registry, result);
  EXPECT_EQ(deep->info, (EndpointInfo{"s3", "deep", "eu-west-1", "redirect", "https"}));
  EXPECT_NE(Find(result, Serves::kBlobs, kHost), nullptr);
}

TEST(SimulatedRegistry, PagesOfTagsAreFollowed) {
  for (const bool absolute : {false, true}) {
    sim::Options options = Plain();
    options.page_size = 3;
    options.absolute_links = absolute;
    sim::Simulator registry(options, MakeCatalog(10, 2));
    const ScanResult result = Client(registry.base_url()).Scan();
    EXPECT_EQ(result.outcome, ScanOutcome::kComplete) << Report(registry, result);
    EXPECT_EQ(result.asked.tags, 10U);
    EXPECT_EQ(registry.GetStats().Count(sim::Operation::kTags), 4U);
  }
}

TEST(SimulatedRegistry, BasicIsShownAfterOneRefusal) {
  sim::Simulator registry(WithPassword(sim::Authentication::kBasic), MakeCatalog(4, 5));
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete) << Report(registry, result);
  EXPECT_EQ(registry.GetStats().Count(sim::Operation::kTags, "", 401), 1U);
  EXPECT_EQ(registry.GetStats().Count(sim::Operation::kBlob, "", 401), 0U);
}

TEST(SimulatedRegistry, OneBearerTokenServesAScan) {
  sim::Simulator registry(WithPassword(sim::Authentication::kBearer), MakeCatalog(4, 5));
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete) << Report(registry, result);
  EXPECT_EQ(registry.GetStats().Count(sim::Operation::kToken), 1U);
  EXPECT_NE(Find(result, Serves::kTokens, registry.authority()), nullptr);
}

TEST(SimulatedRegistry, ATokenTakenBackIsFetchedAnew) {
  sim::Simulator registry(WithPassword(sim::Authentication::kBearer), MakeCatalog(4, 5));
  Client client(registry.base_url());
  client.Scan();
  registry.RevokeTokens();
  EXPECT_EQ(client.Scan().outcome, ScanOutcome::kComplete);
  EXPECT_EQ(registry.GetStats().Count(sim::Operation::kToken), 2U);
}

TEST(SimulatedRegistry, AWrongPasswordIsAnAuthFailure) {
  for (const auto authentication : {sim::Authentication::kBasic, sim::Authentication::kBearer}) {
    sim::Simulator registry(WithPassword(authentication), MakeCatalog(2, 2));
    const ScanResult result = Client(registry.base_url()).Scan("wrong-secret");
    EXPECT_EQ(result.outcome, ScanOutcome::kFailed);
    ASSERT_NE(result.main_error(), nullptr);
    EXPECT_EQ(result.main_error()->kind, ErrorKind::kAuth);
    EXPECT_EQ(Report(registry, result).find("wrong-secret"), std::string::npos);
  }
}

TEST(SimulatedRegistry, TlsIsVerified) {
  sim::Options options = Plain();
  options.tls = sim::MakeCertificate({"127.0.0.1"});
  sim::Simulator registry(options, MakeCatalog(4, 5));
  const testing::TempDir dir("ca");
  testing::WriteFile(dir / "ca.pem", options.tls->certificate_pem);
  testing::WriteFile(dir / "other.pem", sim::MakeCertificate({"127.0.0.1"}).certificate_pem);

  const ScanResult trusted = Client(registry.base_url(), {(dir / "ca.pem").string()}).Scan();
  EXPECT_EQ(trusted.outcome, ScanOutcome::kComplete) << Report(registry, trusted);
  for (const std::string& ca : {std::string(), (dir / "other.pem").string()}) {
    const ScanResult refused = Client(registry.base_url(), {ca}).Scan();
    EXPECT_EQ(refused.outcome, ScanOutcome::kFailed);
    EXPECT_EQ(refused.main_error()->kind, ErrorKind::kTls) << refused.main_error()->message;
  }
}

TEST(SimulatedRegistry, ANameTheCertificateDoesNotHoldIsRefused) {
  sim::Options options = Plain();
  options.tls = sim::MakeCertificate({"other.example"});
  sim::Simulator registry(options, MakeCatalog(1, 1));
  const testing::TempDir dir("ca");
  testing::WriteFile(dir / "ca.pem", options.tls->certificate_pem);
  const ScanResult result = Client(registry.base_url(), {(dir / "ca.pem").string()}).Scan();
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kTls);
}

TEST(SimulatedRegistry, ConnectionsAreReused) {
  sim::Options options = Plain();
  options.latency = milliseconds(2);
  sim::Simulator registry(options, MakeCatalog(8, 20));
  ScanOptions scan;
  scan.max_concurrency = 6;
  const ScanResult result = Client(registry.base_url()).Scan("secret", scan);
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete);
  const sim::Stats stats = registry.GetStats();
  EXPECT_GT(stats.total, 100U);
  EXPECT_LE(stats.connections, 6U);
  EXPECT_EQ(stats.max_in_flight, 6U);
}

TEST(SimulatedRegistry, WhatPassesIsRetriedAndWhatDoesNotIsNamed) {
  const sim::Catalog catalog = MakeCatalog(4, 5);
  const std::set<std::string> blobs = AllBlobs(catalog);
  const std::string flaky = *blobs.begin();
  const std::string broken = *blobs.rbegin();
  sim::Simulator registry(Plain(), catalog);
  registry.AddFault({sim::Operation::kBlob, flaky, "", 2, sim::CloseFault{}});
  registry.AddFault({sim::Operation::kBlob, broken, "", -1, sim::StatusFault{403, {}, {}}});
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.unresolved, (ScanCounts{0, 0, 1}));
  EXPECT_EQ(result.errors.at(0).digest, broken);
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kAuth);
  EXPECT_EQ(registry.GetStats().CountOf(sim::Operation::kBlob, flaky), 3U);
}

TEST(SimulatedRegistry, AManifestThatLiesMakesTheScanPartial) {
  const sim::Catalog catalog = MakeCatalog(4, 5);
  sim::Simulator registry(Plain(), catalog);
  const std::string tag = catalog.Find(kRepository)->tags.begin()->first;
  registry.AddFault({sim::Operation::kManifest, tag, "", -1, sim::WrongBodyFault{}});
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(result.outcome, ScanOutcome::kPartial);
  EXPECT_EQ(result.main_error()->kind, ErrorKind::kDigest);
  EXPECT_EQ(result.errors.at(0).tag, tag);
}

TEST(SimulatedRegistry, BlobsItServesItselfAreDirect) {
  sim::Options options = Plain();
  options.backend = sim::kDirect;
  sim::Simulator registry(options, MakeCatalog(4, 5));
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete) << Report(registry, result);
  const SeenEndpoint* endpoint = Find(result, Serves::kBlobs, registry.authority());
  ASSERT_NE(endpoint, nullptr);
  EXPECT_EQ(endpoint->info.delivery, "direct");
  EXPECT_LE(registry.GetStats().connections, 8U) << "short bodies are read, connections kept";
}

TEST(SimulatedRegistry, HopsOnItsOwnHostAreFollowed) {
  sim::Options options = Plain();
  options.own_host_hops = 2;
  sim::Simulator registry(options, MakeCatalog(4, 3));
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(result.outcome, ScanOutcome::kComplete) << Report(registry, result);
  EXPECT_NE(Find(result, Serves::kBlobs, kHost), nullptr);
}

// The target wants a password and sends everybody on to a registry that gives tokens to anyone,
// with pages of tags and hops of its own.
TEST(SimulatedRegistry, ARegistryBehindAnotherGivesItsTokensToAnyone) {
  sim::Options options = Plain();
  options.authentication = sim::Authentication::kBearer;
  options.page_size = 3;
  options.own_host_hops = 1;
  sim::Simulator behind(options, MakeCatalog(7, 4));
  std::atomic<int> with_password = 0;
  sim::HttpServer front({}, [&](const sim::HttpRequest& request) -> sim::HttpAnswer {
    if (request.Header("authorization") != "Basic dXNlcjpzZWNyZXQ=") {
      return {.status = 401, .headers = {{"WWW-Authenticate", "Basic realm=x"}}};
    }
    ++with_password;
    return {.status = 307, .headers = {{"Location", behind.base_url() + request.target}}};
  });
  front.Start();
  Client client("http://127.0.0.1:" + std::to_string(front.port()));
  for (int scan = 0; scan < 2; ++scan) {
    const ScanResult result = client.Scan();
    EXPECT_EQ(result.outcome, ScanOutcome::kComplete) << Report(behind, result);
    EXPECT_EQ(result.asked.tags, 7U);
    const auto blobs = AllBlobs(MakeCatalog(7, 4)).size();
    for (const std::string& host : {behind.authority(), std::string(kHost)}) {
      const SeenEndpoint* endpoint = Find(result, Serves::kBlobs, host);
      ASSERT_NE(endpoint, nullptr) << host;
      EXPECT_EQ(endpoint->blobs, blobs) << host;
    }
    for (const Serves serves : {Serves::kApi, Serves::kManifests, Serves::kTokens}) {
      EXPECT_NE(Find(result, serves, behind.authority()), nullptr) << ServesName(serves);
    }
  }
  EXPECT_GT(with_password, 0);
  std::uint64_t tokens = 0;
  for (const auto& [request, count] : behind.GetStats().counts) {
    EXPECT_NE(request.authorization, "Basic") << request.reference;
    if (request.operation == sim::Operation::kToken) tokens += count;
  }
  EXPECT_EQ(tokens, 2U) << "one a scan";
}

TEST(SimulatedRegistry, AChangeOfBackendIsSeenByTheNextScan) {
  sim::Simulator registry(Plain(), MakeCatalog(4, 3));
  Client client(registry.base_url());
  EXPECT_NE(Find(client.Scan(), Serves::kBlobs, kHost), nullptr);
  registry.SetBackend("new.example");
  const ScanResult second = client.Scan();
  EXPECT_EQ(Find(second, Serves::kBlobs, kHost), nullptr);
  EXPECT_NE(Find(second, Serves::kBlobs, "new.example"), nullptr);
}

TEST(SimulatedRegistry, NoSignatureReachesTheReport) {
  sim::Simulator registry(Plain(), MakeCatalog(4, 3));
  registry.AddFault({sim::Operation::kBlob, "", "", 1, sim::StatusFault{500, {}, {}}});
  const ScanResult result = Client(registry.base_url()).Scan();
  EXPECT_EQ(Report(registry, result).find(sim::kSignatureSecret), std::string::npos);
  for (const ScanError& error : result.errors) {
    EXPECT_EQ(error.error.message.find(sim::kSignatureSecret), std::string::npos);
  }
}

}  // namespace
}  // namespace registry_backend
