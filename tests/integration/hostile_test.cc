#include "tests/integration/hostile_test.h"

#include <filesystem>
#include <sstream>

#include "exporter/registry/base64.h"
#include "exporter/registry/credentials.h"
#include "exporter/registry/digest.h"
#include "tests/integration/exporter_process.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
namespace fs = std::filesystem;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

std::string Hex(std::string_view text) {
  std::ostringstream hex;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    hex << std::hex << (byte >> 4U) << (byte & 0xfU);
  }
  return hex.str();
}

// What base64 of any text with `word` at that offset from a multiple of three contains, whatever
// stands around it.
std::string InnerBase64(std::string_view word, std::size_t offset) {
  const std::string padded = std::string(offset, 'A') + std::string(word);
  const std::size_t whole = padded.size() / 3 * 3;
  const std::string encoded = EncodeBase64(padded.substr(0, whole));
  return encoded.substr(offset == 0 ? 0 : 4);
}

std::string Around(const std::string& text, std::size_t at) {
  const std::size_t from = at < 100 ? 0 : at - 100;
  return text.substr(from, 250);
}

double FinishedScans(const ExporterProcess& exporter) {
  double sum = 0;
  for (const Sample& sample : exporter.Metrics()) {
    if (sample.name == "registry_backend_scans_total") sum += sample.value;
  }
  return sum;
}

}  // namespace

std::string FindLeak(const std::string& text, std::string_view word) {
  const std::string lower = Lower(text);
  for (const std::string& form : {std::string(word), Hex(word)}) {
    if (const auto at = lower.find(form); at != std::string::npos) return Around(text, at);
  }
  for (const std::size_t offset : {0U, 1U, 2U}) {
    const std::size_t at = text.find(InnerBase64(word, offset));
    if (at != std::string::npos) return Around(text, at);
  }
  return {};
}

HostileTest::HostileTest() {
  const simulator::Certificate client = simulator::MakeCertificate({"client"});
  WriteFile(directory_ / "client.pem", client.certificate_pem);
  WriteFile(directory_ / "client-key.pem", client.key_pem);
  WriteFile(directory_ / "ca.pem", HostileServer::SharedCertificate().certificate_pem);
  WriteFile(directory_ / "password.txt", kPassword);
  std::string netrc;
  for (const char* host : {"127.0.0.1", "127.0.0.2", "localhost", "b.localhost", "default"}) {
    netrc += std::string(host == std::string("default") ? "" : "machine ") + host +
             " login plughtwister password xyzzyplover-netrc\n";
  }
  WriteFile(directory_ / "home/.netrc", netrc);
  fs::create_directories(directory_ / "work");
  std::istringstream key(client.key_pem);
  for (std::string line; std::getline(key, line);) {
    if (line.size() > 30 && !line.starts_with("-----")) key_lines_.push_back(line);
  }
  MayKnow(registry_, BasicAuthorization({.username = kUser, .password = kPassword}));
  watched_[&accomplice_] = watched_[&trap_] = {};
}

HostileServer& HostileTest::AddServer(const std::string& address) {
  HostileServer& server = *others_.emplace_back(std::make_unique<HostileServer>(address));
  watched_[&server] = {};
  return server;
}

void HostileTest::MayKnow(const HostileServer& server, const std::string& text) {
  watched_[&server].insert(text);
}

std::string HostileTest::BlobDigest(int number) { return Sha256Of(std::to_string(number)); }

std::string HostileTest::ImageManifest(int layers) {
  json manifest = {{"schemaVersion", 2},
                   {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                   {"config",
                    {{"mediaType", "application/vnd.oci.image.config.v1+json"},
                     {"digest", BlobDigest(0)},
                     {"size", 1}}},
                   {"layers", json::array()}};
  for (int i = 1; i <= layers; ++i) {
    manifest["layers"].push_back({{"mediaType", "application/vnd.oci.image.layer.v1.tar+gzip"},
                                  {"digest", BlobDigest(i)},
                                  {"size", 1}});
  }
  return manifest.dump();
}

std::string HostileTest::ManifestAnswer(const std::string& manifest) {
  return HttpText(200, manifest,
                  "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n"
                  "Docker-Content-Digest: " +
                      Sha256Of(manifest) +
                      "\r\nSet-Cookie: session=xyzzyplover-cookie; Path=/\r\n");
}

HostileServer::Answer HostileTest::ForTheUser(const std::string& answer) {
  const std::string expected = BasicAuthorization({.username = kUser, .password = kPassword});
  return [=](const HostileRequest& request, HostilePeer& peer) {
    const bool known = request.Field("authorization") == expected;
    peer.Send(known ? answer : Challenge401("Basic realm=\"registry\""));
  };
}

void HostileTest::ServeImage(HostileServer& server, int layers) {
  server.On(std::string(kApi) + "tags/list",
            ForTheUser(HttpText(200, R"({"name": "team/app", "tags": ["v1"]})",
                                "Set-Cookie: session=xyzzyplover-cookie; Path=/\r\n")));
  server.On(std::string(kApi) + "manifests/", ForTheUser(ManifestAnswer(ImageManifest(layers))));
  server.On(std::string(kApi) + "blobs/",
            ForTheUser(RedirectTo(std::string("https://") + kStorageHost + "/b" + kSignature)));
}

SubprocessOptions HostileTest::Temptations() const {
  SubprocessOptions options = HermeticOptions();
  options.working_directory = directory_ / "work";
  options.env["HOME"] = (directory_ / "home").string();
  options.env["NETRC"] = (directory_ / "home/.netrc").string();
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}) {
    options.env[name] = options.env[Lower(name)] =
        "http://plughtwister:xyzzyplover-proxy@" + trap_.host();
  }
  return options;
}

void HostileTest::Attack(const Means& means) {
  WriteFile(directory_ / "config.yml",
            "scan: {max_requests_per_second: 0, interval: 24h, retry_interval: 1h, " + means.scan +
                "}\ntargets:\n- {registry: \"" +
                (means.registry.empty() ? registry_.http() : means.registry) + "\", repository: " +
                kRepository + ", tls_config: {ca_file: ca.pem, cert_file: client.pem, " +
                "key_file: client-key.pem}" +
                (means.credentials.empty() ? "" : ", " + means.credentials) +
                (means.keys.empty() ? "" : ", " + means.keys) + "}\n");
  Serve();
  Scan();
}

void HostileTest::Serve() {
  ExporterProcess exporter(REGISTRY_BACKEND_EXPORTER, directory_ / "config.yml",
                           {"--log.level", "debug", "--storage.path",
                            (directory_.path() / "data" / std::to_string(++attacks_)).string()},
                           Temptations());
  EXPECT_TRUE(Eventually(seconds(60), [&] { return FinishedScans(exporter) >= 1; }))
      << exporter.Output();
  KeepPages(exporter.url());
  const std::optional<ExitStatus> end = exporter.Terminate(seconds(10));
  Keep("the log", exporter.Output());
  ASSERT_TRUE(end) << "it does not end";
  EXPECT_EQ(end->code, 0) << end->ToString() << exporter.Output();
  serve_max_rss_kib_ = end->max_rss_kib;
}

void HostileTest::KeepPages(const std::string& url) {
  for (const char* page :
       {"/", "/metrics", "/config", "/api/v1/targets", "/api/v1/endpoints", "/api/v1/changes",
        "/api/v1/report", "/api/v1/sd", "/api/v1/allowlist?format=plain"}) {
    const HttpAnswer answer = HttpGet(url + page);
    EXPECT_NE(answer.status, 0) << page << answer.error;
    Keep(page, answer.body);
  }
}

void HostileTest::Scan() {
  const RunResult run = RunExporter(
      REGISTRY_BACKEND_EXPORTER,
      {"scan", "--config.file", (directory_ / "config.yml").string(), "--output", "json"},
      Temptations());
  Keep("the report", run.out);
  Keep("standard error", run.err);
  EXPECT_FALSE(run.timed_out);
  report_ = json::parse(run.out, nullptr, false);
  ASSERT_TRUE(report_.is_object()) << run.out << run.err;
}

std::string HostileTest::Outcome() const { return report_.value("outcome", "none"); }

std::set<std::string> HostileTest::Hosts(std::string_view serves) const {
  std::set<std::string> hosts;
  for (const json& endpoint : report_.value("endpoints", json::array())) {
    if (endpoint.at("serves") == serves) hosts.insert(endpoint.at("backend_host"));
  }
  return hosts;
}

std::string HostileTest::Complaints(const char* of) const {
  std::string lines;
  for (const json& one : report_.value(of, json::array())) {
    lines +=
        one.at("reason").get<std::string>() + ": " + one.at("message").get<std::string>() + "\n";
  }
  return lines;
}

void HostileTest::ExpectNothingToldTo(const HostileServer& server,
                                      const std::set<std::string>& own) const {
  for (const HostileRequest& request : server.Requests()) {
    std::string text = request.text;
    for (const std::string& known : own) {
      for (auto at = text.find(known); at != std::string::npos; at = text.find(known)) {
        text.erase(at, known.size());
      }
    }
    EXPECT_EQ(FindLeak(text) + FindLeak(text, kUser), "") << "sent to " << server.host();
    if (&server != &registry_) {
      EXPECT_EQ(request.client_certificate, "") << server.host();
    }
  }
}

void HostileTest::TearDown() {
  EXPECT_FALSE(seen_.empty()) << "there was no attack";
  for (const auto& [server, own] : watched_) ExpectNothingToldTo(*server, own);
  EXPECT_EQ(trap_.accepted(), 0) << "a proxy of the environment was used";
  for (const auto& entry : fs::recursive_directory_iterator(directory_ / "data")) {
    Keep("the files' names", entry.path().string() + "\n");
    if (entry.is_regular_file()) Keep("the files", ReadFile(entry.path()));
  }
  EXPECT_TRUE(fs::is_empty(directory_ / "work"));
  for (const auto& [where, text] : seen_) {
    EXPECT_EQ(FindLeak(text), "") << "in " << where;
    for (const std::string& line : key_lines_) {
      EXPECT_EQ(text.find(line), std::string::npos) << "the client's key is in " << where;
    }
  }
}

}  // namespace registry_backend::testing
