// The fixtures alone, on the packaged servers: what they say is what the other tests build on.
#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "tests/integration/docker_registry.h"
#include "tests/integration/exposition.h"
#include "tests/integration/nginx_server.h"
#include "tests/integration/oci_layout.h"
#include "tests/integration/prometheus_server.h"
#include "tests/integration/proxy_server.h"
#include "tests/integration/server_process.h"
#include "tests/integration/skopeo_push.h"
#include "tests/integration/team_app.h"
#include "tests/integration/token_server.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/raw_server.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

HttpAnswer ProbeBlob(const DockerRegistry& registry, const std::string& digest) {
  return HttpGet(registry.url() + "/v2/" + kRepository + "/blobs/" + digest,
                 registry.http_options());
}

TEST(OciLayout, LayersAreRealArchivesAndEqualContentIsOneBlob) {
  const TempDir directory;
  const OciLayout layout = WriteOciLayout(
      directory / "layout", {.images = {{.platform = "linux/amd64", .layers = {"shared", "one"}},
                                        {.platform = "linux/arm/v7", .layers = {"shared"}}}});
  EXPECT_EQ(layout.images[0].layers[0].digest, layout.images[1].layers[0].digest);
  EXPECT_EQ(layout.BlobDigests().size(), 4U);  // two layers, two configs
  const std::string layer = layout.images[0].layers[1].digest.substr(7);
  const RunResult tar =
      RunToEnd({"tar", "-xzOf", (layout.directory / "blobs/sha256" / layer).string(), "layer.txt"});
  EXPECT_EQ(tar.exit_code, 0) << tar.err;
  EXPECT_EQ(tar.out, "one");
}

TEST(OciLayout, TheSameSpecificationGivesTheSameBytes) {
  const TempDir directory;
  const LayoutSpec spec{.images = {{.layers = {"one"}}}, .layer_format = LayerFormat::kTar};
  const OciLayout one = WriteOciLayout(directory / "one", spec);
  EXPECT_EQ(one.top.digest, WriteOciLayout(directory / "other", spec).top.digest);
  EXPECT_EQ(one.images[0].layers[0].media_type, "application/vnd.oci.image.layer.v1.tar");
}

TEST(PackagedRegistry, HoldsWhatSkopeoPushed) {
  DockerRegistry registry({.username = kUser, .password = kPassword});
  EXPECT_EQ(HttpGet(registry.url() + "/v2/").status, 401);
  const TeamApp app = PushTeamApp(registry);
  EXPECT_EQ(app.tags.size(), 10U);
  EXPECT_EQ(app.newest_first.front(), "v202510-1");
  EXPECT_EQ(app.manifests.size(), 7U);  // an index and a list with two each, and a bare one
  std::set<std::string> served;
  for (const auto& [tag, pushed] : app.tags) {
    for (const PushedImage& image : pushed.images) {
      served.insert(image.config);
      served.insert(image.layers.begin(), image.layers.end());
    }
  }
  EXPECT_EQ(served, app.blobs) << "skopeo changed a blob of the layouts";
  EXPECT_EQ(app.tags.at("v202501-1").media_type, "application/vnd.oci.image.index.v1+json");
  EXPECT_EQ(app.tags.at("v202502-1").media_type,
            "application/vnd.docker.distribution.manifest.list.v2+json");
  EXPECT_EQ(app.tags.at("v202503-1").media_type, "application/vnd.oci.image.manifest.v1+json");
  EXPECT_EQ(ProbeBlob(registry, *app.blobs.begin()).status, 200);
}

TEST(PackagedRegistry, RedirectsToTheHostItWasStartedWith) {
  DockerRegistry registry;
  const TeamApp app = PushTeamApp(registry, kBucketHost);
  for (const char* host : {kBucketHost, kOtherHost}) {
    if (host == kOtherHost) registry.Restart(BaseUrl(host));
    for (const std::string& blob : app.blobs) {
      const HttpAnswer answer = ProbeBlob(registry, blob);
      EXPECT_EQ(answer.status, 307);
      EXPECT_TRUE(answer.Header("Location").starts_with(BaseUrl(host)))
          << answer.Header("Location");
    }
  }
  registry.Stop();
  EXPECT_EQ(HttpGet(registry.url() + "/v2/").status, 0);
}

TEST(PackagedRegistry, SpeaksTlsWithItsOwnCertificate) {
  const TempDir directory;
  DockerRegistry registry({.tls = MakeSelfSigned(directory.path())});
  const TeamApp app = PushTeamApp(registry);
  EXPECT_EQ(ProbeBlob(registry, *app.blobs.begin()).status, 200);
  EXPECT_EQ(HttpGet(registry.url() + "/v2/").status, 0) << "an unknown authority was trusted";
  EXPECT_NE(registry.AccessLog().find("\"GET /v2/ HTTP/"), std::string::npos);
}

// A pull token for kRepository; empty when it was refused.
std::string AskToken(const TokenServer& tokens, const HttpOptions& options) {
  const HttpAnswer answer = HttpGet(tokens.auth().realm + "?service=" + tokens.auth().service +
                                        "&scope=repository:" + kRepository + ":pull",
                                    options);
  return answer.status == 200 ? json::parse(answer.body).at("token").get<std::string>() : "";
}

HttpAnswer GetTags(const DockerRegistry& registry, const std::string& token) {
  HttpOptions options = registry.http_options();
  if (!token.empty()) options.headers.emplace_back("Authorization", "Bearer " + token);
  return HttpGet(registry.url() + "/v2/" + kRepository + "/tags/list", options);
}

TEST(PackagedRegistry, TakesTheTokensOfTheServiceItNames) {
  const TempDir directory;
  const CertificateFiles tls = MakeSelfSigned(directory.path());
  const TokenServer tokens({.username = kUser, .password = kPassword, .tls = tls});
  DockerRegistry registry;
  (void)PushTeamApp(registry);
  registry.Restart({.token = tokens.auth(), .tls = tls});
  const HttpAnswer refused = GetTags(registry, "");
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.Header("WWW-Authenticate"), "Bearer realm=\"" + tokens.auth().realm +
                                                    "\",service=\"" + tokens.auth().service +
                                                    "\",scope=\"repository:team/app:pull\"");
  HttpOptions wrong = tokens.http_options();
  wrong.password = "wrong";
  EXPECT_EQ(AskToken(tokens, wrong), "");
  const std::string token = AskToken(tokens, tokens.http_options());
  EXPECT_EQ(GetTags(registry, token).status, 200);
  EXPECT_EQ(GetTags(registry, token.substr(0, token.size() - 9)).status, 401);
  HttpOptions elsewhere = registry.http_options();
  elsewhere.headers.emplace_back("Authorization", "Bearer " + token);
  EXPECT_EQ(HttpGet(registry.url() + "/v2/another/app/tags/list", elsewhere).status, 401);
  EXPECT_EQ(tokens.given(), 1);
  EXPECT_EQ(tokens.refused(), 1);
}

TEST(PackagedRegistry, TakesATokenForItsLifetimeOnly) {
  constexpr std::chrono::seconds kLifetime{2};
  const TokenServer tokens({.lifetime = kLifetime});
  DockerRegistry registry;
  (void)PushTeamApp(registry);
  registry.Restart({.token = tokens.auth()});
  std::string token;
  std::chrono::steady_clock::time_point asked;
  // Again only on a machine so busy that a token is too old when it gets to the registry.
  ASSERT_TRUE(Eventually(std::chrono::seconds(30), [&] {
    asked = std::chrono::steady_clock::now();
    token = AskToken(tokens, tokens.http_options());
    return GetTags(registry, token).status == 200;
  }));
  HttpAnswer answer;
  EXPECT_TRUE(Eventually(std::chrono::seconds(30), [&] {
    answer = GetTags(registry, token);
    return answer.status != 200;
  }));
  EXPECT_GE(std::chrono::steady_clock::now() - asked, kLifetime);
  EXPECT_EQ(answer.status, 401) << answer.error;
  EXPECT_NE(answer.Header("WWW-Authenticate").find("invalid_token"), std::string::npos)
      << answer.Header("WWW-Authenticate");
}

// curl's output: the proxy's answer to CONNECT and the status in the end, 000 for none.
RunResult CurlThrough(const std::string& proxy, const std::string& url, bool tunnel) {
  std::vector<std::string> argv = {"curl",
                                   "--silent",
                                   "--show-error",
                                   "--output",
                                   "/dev/null",
                                   "-w",
                                   "%{http_connect} %{http_code}",
                                   "--proxy",
                                   proxy};
  if (tunnel) argv.emplace_back("--proxytunnel");
  argv.push_back(url);
  return RunToEnd(argv, HermeticOptions());
}

TEST(PackagedProxy, ForwardsAndTunnelsForThoseWithItsPassword) {
  const RawServer origin([](RawConnection& peer) {
    (void)peer.ReadRequest();
    peer.Send(HttpText(200, "through"));
  });
  const ProxyServer proxy({.username = kUser, .password = kPassword});
  const std::string url = origin.url() + "/path";
  EXPECT_EQ(CurlThrough(proxy.url(), url, false).out, "000 407");
  EXPECT_EQ(CurlThrough(proxy.url(), url, true).out, "407 000");
  EXPECT_EQ(origin.accepted(), 0);
  EXPECT_TRUE(proxy.Connections().empty()) << proxy.Log();
  EXPECT_EQ(CurlThrough(proxy.url_with_credentials(), url, false).out, "000 200");
  EXPECT_EQ(CurlThrough(proxy.url_with_credentials(), url, true).out, "200 200");
  EXPECT_EQ(origin.accepted(), 2);
  const std::string get = "GET " + url;
  const std::string connect = "CONNECT " + origin.host();
  EXPECT_EQ(proxy.Requests(), (std::vector{get, connect, get, connect})) << proxy.Log();
  EXPECT_EQ(proxy.Connections(), (std::vector<std::string>{"127.0.0.1", "127.0.0.1"}))
      << proxy.Log();
}

TEST(PackagedProxy, LetsAnyoneThroughWithoutAPassword) {
  const RawServer origin([](RawConnection& peer) {
    (void)peer.ReadRequest();
    peer.Send(HttpText(200, "through"));
  });
  const ProxyServer proxy;
  EXPECT_EQ(CurlThrough(proxy.url(), origin.url(), true).out, "200 200");
}

TEST(PackagedNginx, PutsTlsAndHttp2BeforeAPlainServer) {
  std::mutex mutex;
  std::string heads;  // guarded by mutex
  const RawServer upstream([&](RawConnection& peer) {
    for (std::string head = peer.ReadRequest(); !head.empty(); head = peer.ReadRequest()) {
      const std::lock_guard lock(mutex);
      heads += head;
      peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
  });
  const NginxServer nginx(upstream.host());
  const std::string url = nginx.url() + "/path?query";
  const RunResult curl = RunToEnd(
      {"curl", "--silent", "--show-error", "--http2", "--cacert", nginx.tls().certificate.string(),
       "-w", " by HTTP/%{http_version} %{http_code};", url, url},
      HermeticOptions());
  EXPECT_EQ(curl.out, "ok by HTTP/2 200;ok by HTTP/2 200;") << curl.err;
  EXPECT_EQ(HttpGet(url, nginx.http_options()).body, "ok");
  EXPECT_EQ(HttpGet(url).status, 0) << "an unknown authority was trusted";
  EXPECT_EQ(upstream.accepted(), 1) << "the connection to the upstream was not kept";
  const std::string line = "HTTP/2.0 GET /path?query 200\n";
  EXPECT_TRUE(Eventually(std::chrono::seconds(10), [&] {
    return nginx.AccessLog() == line + line + "HTTP/1.1 GET /path?query 200\n";
  })) << nginx.AccessLog();
  const std::lock_guard lock(mutex);
  EXPECT_NE(heads.find("GET /path?query HTTP/1.1\r\n"), std::string::npos) << heads;
  EXPECT_NE(heads.find("Host: " + nginx.host() + "\r\n"), std::string::npos) << heads;
  EXPECT_NE(heads.find("X-Forwarded-Proto: https\r\n"), std::string::npos) << heads;
}

TEST(PackagedPrometheus, ScrapesAndAnswersQueries) {
  RawServer exporter([](RawConnection& peer) {
    (void)peer.ReadRequest();
    peer.Send(HttpText(200, "test_value{a=\"x\\\"y\"} 42\n", "Content-Type: text/plain\r\n"));
  });
  const PrometheusServer prometheus(ScrapeJob("test", exporter.host()));
  ASSERT_TRUE(Eventually(std::chrono::seconds(30),
                         [&] { return prometheus.QueryValue("test_value{job=\"test\"}") == 42; }));
  const json result = prometheus.Query("test_value");
  EXPECT_EQ(result.at(0).at("metric").at("a"), "x\"y");
  EXPECT_EQ(prometheus.QueryValue("up"), 1);
  EXPECT_EQ(prometheus.QueryValue("missing"), std::nullopt);
  EXPECT_THROW((void)prometheus.Query("not an expression ("), std::runtime_error);
}

TEST(Exposition, IsParsed) {
  const auto samples = ParseExposition(
      "# HELP a b\n# TYPE a gauge\na 1\nb{x=\"1,\\\"}\\\\\\n\",y=\"\"} 2.5\nb{x=\"2\"} +Inf 17\n");
  ASSERT_EQ(samples.size(), 3U);
  EXPECT_EQ(ValueOf(samples, "a"), 1);
  EXPECT_EQ(samples[1].labels, (Labels{{"x", "1,\"}\\\n"}, {"y", ""}}));
  EXPECT_EQ(ValueOf(samples, "b"), std::nullopt) << "two samples are no answer";
  EXPECT_GT(*ValueOf(samples, "b", {{"x", "2"}}), 1e300);
  EXPECT_THROW((void)ParseExposition("a{x=\"1\" 2\n"), std::runtime_error);
  EXPECT_THROW((void)ParseExposition("a 1"), std::runtime_error) << "the last line has no end";
}

}  // namespace
}  // namespace registry_backend::testing
