#include "exporter/server/security.h"

#include <crypt.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "exporter/server/server.h"
#include "tests/integration/self_signed.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/stream_client.h"
#include "tests/support/temp_dir.h"

// A server in TLS and with passwords, as its clients see it.
namespace registry_backend::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Eventually;
using ::testing::HasSubstr;
using testing::HttpGet;
using testing::HttpOptions;
using ::testing::Not;
using ::testing::StartsWith;
using testing::StreamClient;
using testing::StreamOptions;
using testing::WriteFile;

constexpr char kGet[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

std::string HashOf(const std::string& password, const std::string& prefix = "$2b$04$") {
  crypt_data data{};
  return crypt_r(password.c_str(), (prefix + "abcdefghijklmnopqrstuu").c_str(), &data);
}

class SecurityTest : public ::testing::Test {
 protected:
  SecurityTest() {
    MakeCertificate("server", "IP:127.0.0.1");
    MakeCertificate("alice", "DNS:alice.example");
    MakeCertificate("bob", "DNS:bob.example");
    WriteFile(dir_ / "web.yml", "1");
  }

  void MakeCertificate(const std::string& name, const std::string& names) const {
    const testing::CertificateFiles made =
        testing::MakeSelfSigned(dir_ / (name + ".tmp"), testing::KeyType::kEc, names);
    WriteFile(File(name + ".crt"), testing::ReadFile(made.certificate));
    WriteFile(File(name + ".key"), testing::ReadFile(made.key));
  }

  [[nodiscard]] std::string File(const std::string& name) const { return (dir_ / name).string(); }

  // Those of a server in TLS.
  [[nodiscard]] SecurityOptions Tls(ClientAuth auth = ClientAuth::kNone,
                                    const std::string& authority = "") const {
    SecurityOptions options;
    options.tls.emplace();
    options.tls->certificate = {File("server.crt"), "", "web.yml:2:3: cert_file: "};
    options.tls->key = {File("server.key"), "", "web.yml:3:3: key_file: "};
    options.tls->client_auth = auth;
    if (!authority.empty()) {
      options.tls->client_ca = {File(authority), "", "web.yml:4:3: client_ca_file: "};
    }
    return options;
  }

  static SecurityOptions Users(const std::string& password) {
    SecurityOptions options;
    options.users = {{"alice", HashOf(password)}};
    options.demands = {"basic_auth_users"};
    return options;
  }

  // What the file says from now on.
  void Write(Result<SecurityOptions> options) {
    Set(std::move(options));
    WriteFile(dir_ / "web.yml", std::to_string(++writes_));
  }

  Status Open(const SecurityOptions& options, ServerOptions server = {}) {
    Set(options);
    const auto load = [this] {
      loading_ = true;
      EXPECT_TRUE(Eventually(seconds(20), [this] { return !stuck_; }));
      loading_ = false;
      const std::lock_guard lock(mutex_);
      return options_;
    };
    auto security = Security::Open(File("web.yml"), load, Logger());
    if (!security) return security.error();
    Router router;
    router.Add("GET", "/own", [](const Request&) {
      Response response = Response::Text(200, "own");
      response.fields = {{"Content-Security-Policy", "default-src 'none'"}};
      return response;
    });
    for (const std::string path : {"/", "/-/healthy"}) {
      router.Add("GET", path, [](const Request&) { return Response::Text(200, "root"); });
    }
    server.addresses = {{"127.0.0.1", 0}};
    server.open_paths = {"/-/healthy"};
    server_ = std::make_unique<Server>(std::move(server), std::move(router), logger_,
                                       *std::move(security));
    return server_->Start();
  }

  [[nodiscard]] std::uint16_t port() const { return server_->addresses().at(0).port; }

  // The status line of the answer to a GET, or "refused".
  std::string Ask(const StreamOptions& options) const {
    StreamClient client(port(), options);
    if (!client.ok() || !client.Send(kGet)) return "refused";
    const std::string answer = client.ReadAnswer();
    return answer.empty() ? "refused" : answer.substr(9, 3);
  }

  // The same with a client's certificate.
  std::string AskAs(const std::string& name) const {
    if (name.empty()) return Ask({.tls = true});
    return Ask({.tls = true, .certificate = File(name + ".crt"), .key = File(name + ".key")});
  }

  int StatusOf(const std::string& path, const std::string& user = "",
               const std::string& password = "") const {
    return HttpGet("http://127.0.0.1:" + std::to_string(port()) + path,
                   {.username = user, .password = password})
        .status;
  }

  void Set(Result<SecurityOptions> options) {
    const std::lock_guard lock(mutex_);
    options_ = std::move(options);
  }

  const testing::TempDir dir_{"security"};
  std::atomic<bool> stuck_ = false;
  std::atomic<bool> loading_ = false;
  std::mutex mutex_;
  Result<SecurityOptions> options_ = SecurityOptions();  // guarded by mutex_
  int writes_ = 1;
  Logger logger_;
  std::unique_ptr<Server> server_;
};

TEST_F(SecurityTest, SpeaksTlsFromVersion12On) {
  ASSERT_TRUE(Open(Tls()));
  EXPECT_EQ(Ask({.tls = true}), "200");
  for (const auto& [version, expected] :
       std::vector<std::pair<int, std::string>>{{TLS1_VERSION, "refused"},
                                                {TLS1_1_VERSION, "refused"},
                                                {TLS1_2_VERSION, "200"},
                                                {TLS1_3_VERSION, "200"}}) {
    EXPECT_EQ(Ask({.tls = true, .tls_version = version}), expected) << std::hex << version;
  }
  StreamClient plain(port());
  plain.Send(kGet);
  EXPECT_THAT(plain.ReadAll(), StartsWith("HTTP/1.0 400 "));
}

TEST_F(SecurityTest, SpeaksTheVersionsSuitesAndCurvesItIsToldTo) {
  SecurityOptions options = Tls();
  options.tls->min_version = TlsVersion::kTls11;
  options.tls->max_version = TlsVersion::kTls12;
  ASSERT_TRUE(Open(options));
  EXPECT_EQ(Ask({.tls = true, .tls_version = TLS1_1_VERSION}), "200");
  EXPECT_EQ(Ask({.tls = true, .tls_version = TLS1_3_VERSION}), "refused");

  const std::string weaker = "ECDHE-ECDSA-AES128-GCM-SHA256";
  const std::string stronger = "ECDHE-ECDSA-AES256-GCM-SHA384";
  const auto chosen = [&](bool by_server) {
    options = Tls();
    options.tls->max_version = TlsVersion::kTls12;
    options.tls->suites = {weaker, stronger};
    options.tls->prefer_server_suites = by_server;
    EXPECT_TRUE(Open(options));
    return StreamClient(port(), {.tls = true, .suites = stronger + ":" + weaker}).suite();
  };
  EXPECT_EQ(chosen(true), weaker);
  EXPECT_EQ(chosen(false), stronger);
  EXPECT_EQ(Ask({.tls = true, .suites = "ECDHE-ECDSA-CHACHA20-POLY1305"}), "refused");

  options = Tls();
  options.tls->groups = {"P-521"};
  ASSERT_TRUE(Open(options));
  EXPECT_EQ(Ask({.tls = true, .groups = "P-384"}), "refused");
  EXPECT_EQ(Ask({.tls = true, .groups = "P-521"}), "200");
}

TEST_F(SecurityTest, AsksClientsForCertificatesAsItIsToldTo) {
  struct Case {
    ClientAuth auth;
    std::string authority;
    std::string without, with_alices, with_bobs;
  };
  for (const Case& one :
       std::vector<Case>{{ClientAuth::kNone, "", "200", "200", "200"},
                         {ClientAuth::kRequest, "alice.crt", "200", "200", "200"},
                         {ClientAuth::kRequireAny, "", "refused", "200", "200"},
                         {ClientAuth::kVerifyIfGiven, "alice.crt", "200", "200", "refused"},
                         {ClientAuth::kVerifyIfGiven, "", "200", "refused", "refused"},
                         {ClientAuth::kRequireAndVerify, "alice.crt", "refused", "200", "refused"},
                         {ClientAuth::kRequireAndVerify, "", "refused", "refused", "refused"}}) {
    ASSERT_TRUE(Open(Tls(one.auth, one.authority)));
    const int number = static_cast<int>(one.auth);
    EXPECT_EQ(AskAs(""), one.without) << number;
    EXPECT_EQ(AskAs("alice"), one.with_alices) << number;
    EXPECT_EQ(AskAs("bob"), one.with_bobs) << number;
  }
}

TEST_F(SecurityTest, TellsWhoLooksForItWhyAClientIsRefused) {
  logger_ = Logger(LogLevel::kDebug, LogFormat::kLogfmt);
  // What a server says of the handshake of one client that asks so.
  SecurityOptions options = Tls(ClientAuth::kRequireAndVerify, "alice.crt");
  const auto log = [&](const std::function<void()>& ask) {
    EXPECT_TRUE(Open(options, {.handshake_time = milliseconds(500)}));
    ::testing::internal::CaptureStderr();
    ask();
    server_->Stop();
    return ::testing::internal::GetCapturedStderr();
  };
  const auto send = [this](const std::string& bytes) {
    auto client = std::make_unique<StreamClient>(port());
    client->Send(bytes);
    return client;
  };
  EXPECT_THAT(log([this] { AskAs("alice"); }), Not(HasSubstr("A TLS handshake failed")));
  EXPECT_THAT(log([this] { AskAs(""); }),
              ::testing::ContainsRegex("level=debug msg=\"A TLS handshake failed\" "
                                       "client=127.0.0.1:[0-9]+ "
                                       "err=\"peer did not return a certificate\""));
  EXPECT_THAT(log([this] { AskAs("bob"); }),
              HasSubstr("err=\"certificate verify failed: self-signed certificate\""));
  options.tls->client_auth = ClientAuth::kRequireAny;
  options.tls->allowed_sans = {"alice.example"};
  EXPECT_THAT(log([this] { AskAs("bob"); }),
              HasSubstr("err=\"no name of it is in client_allowed_sans\""));
  EXPECT_THAT(log([&] { send(kGet)->ReadAll(); }), HasSubstr("err=\"http request\""));
  for (const std::string& begun : {std::string("\x16\x03"), testing::ClientHello()}) {
    EXPECT_THAT(log([&] {
                  const auto client = send(begun);
                  ::shutdown(client->fd(), SHUT_WR);
                  client->ReadAll();
                }),
                HasSubstr("err=\"the connection ended\""));
  }
  EXPECT_THAT(log([&] { send("\x16\x03")->ReadAll(); }),
              HasSubstr("err=\"it was not done in time\""));
}

TEST_F(SecurityTest, LetsInOnlyTheNamesThatAreAllowed) {
  SecurityOptions options = Tls(ClientAuth::kRequireAny);
  options.tls->allowed_sans = {"other.example", "alice.example"};
  ASSERT_TRUE(Open(options));
  EXPECT_EQ(AskAs("alice"), "200");
  EXPECT_EQ(AskAs("bob"), "refused");
  EXPECT_EQ(AskAs(""), "refused");
  MakeCertificate("address", "IP:10.1.2.3");
  MakeCertificate("near", "DNS:alice.example.org");
  options.tls->allowed_sans = {"10.1.2.3", "alice.example"};
  ASSERT_TRUE(Open(options));
  EXPECT_EQ(AskAs("address"), "200");
  EXPECT_EQ(AskAs("near"), "refused");
}

TEST_F(SecurityTest, AFileThatCannotBeUsedIsNamedAtTheStart) {
  const auto fault = [this](const SecurityOptions& options) {
    const Status opened = Open(options);
    return opened ? "" : opened.error().message;
  };
  SecurityOptions options = Tls();
  options.tls->certificate.file = File("none.crt");
  EXPECT_EQ(fault(options), "web.yml:2:3: cert_file: cannot read " + File("none.crt") +
                                ": No such file or directory");
  options = Tls();
  options.tls->key.file = File("bob.key");
  EXPECT_EQ(fault(options),
            "web.yml:3:3: key_file: " + File("bob.key") + " is not the key of the certificate");
  options = Tls();
  options.tls->key.file = File("server.crt");
  EXPECT_THAT(fault(options), StartsWith("web.yml:3:3: key_file: "));
  options = Tls();
  options.tls->certificate.file = File("server.key");
  EXPECT_THAT(fault(options), StartsWith("web.yml:2:3: cert_file: "));
  WriteFile(File("cut.crt"), testing::ReadFile(File("server.crt")).substr(0, 200));
  options = Tls();
  options.tls->certificate.file = File("cut.crt");
  EXPECT_THAT(fault(options), HasSubstr("cut.crt has a broken certificate"));
  EXPECT_THAT(fault(Tls(ClientAuth::kRequireAndVerify, "none.crt")),
              StartsWith("web.yml:4:3: client_ca_file: cannot read "));
}

TEST_F(SecurityTest, CertificatesAreRereadWithoutARestart) {
  ASSERT_TRUE(Open(Tls(ClientAuth::kRequireAndVerify, "alice.crt")));
  const auto trusts = [this] {
    return HttpGet("https://127.0.0.1:" + std::to_string(port()) + "/",
                   {.ca_file = File("server.crt")})
               .error.find("verification") == std::string::npos;
  };
  EXPECT_TRUE(trusts());
  MakeCertificate("server", "IP:127.0.0.1");  // half of the way its key belongs to another one
  EXPECT_EQ(AskAs("alice"), "200");
  EXPECT_TRUE(trusts()) << "the server still shows its old certificate";
  EXPECT_EQ(AskAs("bob"), "refused");
  WriteFile(File("alice.crt"), testing::ReadFile(File("bob.crt")));  // the authority
  EXPECT_EQ(AskAs("bob"), "200");
  WriteFile(File("server.crt"), "no certificate");
  EXPECT_EQ(AskAs("bob"), "200") << "the last good one is kept";
  EXPECT_EQ(AskAs(""), "refused");
}

TEST_F(SecurityTest, APipeInPlaceOfACertificateKeepsNobodyWaiting) {
  ASSERT_TRUE(Open(Tls()));
  ASSERT_EQ(Ask({.tls = true}), "200");
  std::filesystem::remove(File("server.crt"));
  ASSERT_EQ(mkfifo(File("server.crt").c_str(), 0600), 0);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask({.tls = true, .patience = seconds(5)}), "200");
  EXPECT_EQ(Open(Tls()).error().message,
            "web.yml:2:3: cert_file: " + File("server.crt") + " is no regular file");
}

// As a file on a disk that does not answer.
TEST_F(SecurityTest, WhileOneRereadsTheOthersGoOn) {
  ASSERT_TRUE(Open(Users("secret")));
  ASSERT_EQ(StatusOf("/", "alice", "secret"), 200);
  stuck_ = true;
  Write(Users("new"));
  std::thread first([this] { EXPECT_EQ(StatusOf("/-/healthy"), 200); });
  EXPECT_TRUE(Eventually(seconds(20), [this] { return loading_.load(); }));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(StatusOf("/", "alice", "secret"), 200);
  stuck_ = false;
  first.join();
  EXPECT_EQ(StatusOf("/", "alice", "new"), 200);
}

TEST_F(SecurityTest, AsksForAPasswordBeforeAnythingElse) {
  ASSERT_TRUE(Open(Users("secret")));
  EXPECT_EQ(StatusOf("/"), 401);
  EXPECT_EQ(StatusOf("/missing"), 401);
  EXPECT_EQ(StatusOf("/", "alice", "wrong"), 401);
  EXPECT_EQ(StatusOf("/", "bob", "secret"), 401);
  EXPECT_EQ(StatusOf("/", "alice", "secret"), 200);
  EXPECT_EQ(StatusOf("/missing", "alice", "secret"), 404);
  const auto refused = HttpGet("http://127.0.0.1:" + std::to_string(port()) + "/");
  EXPECT_THAT(refused.Header("WWW-Authenticate"), StartsWith("Basic "));
}

TEST_F(SecurityTest, HealthNeedsNoPasswordAndNothingThatLooksLikeIt) {
  ASSERT_TRUE(Open(Users("secret")));
  EXPECT_EQ(StatusOf("/-/healthy"), 200);
  EXPECT_EQ(StatusOf("/-/%68ealthy"), 200) << "the same path";
  for (const char* path : {"/-/healthy/", "/-/healthy/..", "/-/healthy%2f..%2f", "//-/healthy",
                           "/-/Healthy", "/-/healthy%00"}) {
    EXPECT_EQ(StatusOf(path), 401) << path;
  }
  EXPECT_EQ(StatusOf("/?/-/healthy"), 401);
}

TEST_F(SecurityTest, ThoseWhoWaitForAPasswordToBeCheckedCanBeEnded) {
  SecurityOptions options;
  options.users = {{"alice", HashOf("secret", "$2b$12$")}};  // some 0.2 s
  ASSERT_TRUE(Open(options, {.max_connections = 10}));
  std::vector<std::unique_ptr<StreamClient>> crowd;
  for (int i = 0; i < 26; ++i) {
    crowd.push_back(std::make_unique<StreamClient>(port()));
    crowd.back()->Send("GET /?" + std::to_string(i) +
                       " HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWxpY2U6c2VjcmV" +
                       static_cast<char>('A' + i) + "\r\n\r\n");
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(StatusOf("/-/healthy"), 200);
  const auto closed = [&crowd] {
    return std::ranges::count_if(crowd, [](const auto& client) { return client->Closed(); });
  };
  EXPECT_TRUE(Eventually(seconds(20), [&] { return closed() >= 12; })) << closed();
}

TEST_F(SecurityTest, UsersAreRereadWithoutARestart) {
  ASSERT_TRUE(Open(Users("secret")));
  ASSERT_EQ(StatusOf("/", "alice", "secret"), 200);
  Write(Users("new"));
  EXPECT_EQ(StatusOf("/", "alice", "secret"), 401);
  EXPECT_EQ(StatusOf("/", "alice", "new"), 200);
}

TEST_F(SecurityTest, AFileThatBecomesBadOpensNoDoor) {
  ASSERT_TRUE(Open(Users("secret")));
  Write(Error{ErrorKind::kInternal, "no YAML"});
  EXPECT_EQ(StatusOf("/"), 401);
  EXPECT_EQ(StatusOf("/", "alice", "secret"), 200);
  Write(SecurityOptions());  // as if it had been emptied
  EXPECT_EQ(StatusOf("/"), 401);
  Write(Tls());  // which a restart only can turn on
  EXPECT_EQ(StatusOf("/"), 401);
  std::filesystem::remove(dir_ / "web.yml");
  EXPECT_EQ(StatusOf("/"), 401);
  Write(Users("new"));
  EXPECT_EQ(StatusOf("/"), 401);
  EXPECT_EQ(StatusOf("/", "alice", "new"), 200) << "it is read again when it is good again";
}

TEST_F(SecurityTest, WhatIsAskedOfClientsCanBeChangedButNotLeftOut) {
  SecurityOptions options = Tls(ClientAuth::kRequireAndVerify, "alice.crt");
  options.demands = {"client_auth_type"};
  ASSERT_TRUE(Open(options));
  Write(Tls());
  EXPECT_EQ(AskAs(""), "refused");
  options.tls->client_auth = ClientAuth::kVerifyIfGiven;
  Write(options);
  EXPECT_EQ(AskAs(""), "200");
  Write(SecurityOptions());
  EXPECT_EQ(AskAs(""), "200") << "in TLS as before";
}

TEST_F(SecurityTest, HeadersAreOnEveryAnswer) {
  SecurityOptions options = Users("secret");
  options.headers = {{"X-Frame-Options", "deny"}, {"X-Content-Type-Options", "nosniff"}};
  ASSERT_TRUE(Open(options));
  const std::string url = "http://127.0.0.1:" + std::to_string(port());
  for (const auto& answer : {HttpGet(url + "/-/healthy"), HttpGet(url + "/"),
                             HttpGet(url + "/missing", {.username = "alice", .password = "secret"}),
                             HttpGet(url + "/" + std::string(9000, 'a'))}) {
    EXPECT_EQ(answer.Header("X-Frame-Options"), "deny") << answer.status;
    EXPECT_EQ(answer.Header("X-Content-Type-Options"), "nosniff") << answer.status;
  }
}

TEST_F(SecurityTest, AHeaderThatAnAnswerHasOfItsOwnStaysTheOnlyOne) {
  SecurityOptions options;
  options.headers = {{"Content-Security-Policy", "default-src 'self'"}};
  ASSERT_TRUE(Open(options));
  const auto policies = [this](const std::string& path) {
    std::string all;
    const auto answer = HttpGet("http://127.0.0.1:" + std::to_string(port()) + path);
    for (const auto& [name, value] : answer.headers) {
      if (name == "Content-Security-Policy") all += value + "|";
    }
    return all;
  };
  EXPECT_EQ(policies("/own"), "default-src 'none'|");
  EXPECT_EQ(policies("/"), "default-src 'self'|");
}

TEST_F(SecurityTest, RequestsBeyondTheRateAreTurnedAway) {
  SecurityOptions options;
  options.rate_limit = {.interval = std::chrono::hours(1), .burst = 2};
  ASSERT_TRUE(Open(options));
  EXPECT_EQ(StatusOf("/"), 200);
  EXPECT_EQ(StatusOf("/"), 200);
  EXPECT_EQ(StatusOf("/"), 429);
  EXPECT_EQ(StatusOf("/-/healthy"), 200) << "whoever restarts what is unhealthy asks often";
}

TEST_F(SecurityTest, HalfHandshakesKeepNobodyOut) {
  ASSERT_TRUE(Open(Tls(), {.max_handshakes = 16, .handshake_time = seconds(60)}));
  std::vector<std::unique_ptr<StreamClient>> crowd;
  const std::string hello = testing::ClientHello();
  for (int i = 0; i < 50; ++i) {
    crowd.push_back(std::make_unique<StreamClient>(port()));
    crowd.back()->Send(i % 2 == 0 ? hello : hello.substr(0, 40));
  }
  // Where the machine is so busy that a handshake is taken for one that stalls, the next one gets
  // in; the crowd's would keep it out for a minute.
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(testing::Eventually(seconds(10), [this] { return Ask({.tls = true}) == "200"; }));
  }
}

TEST_F(SecurityTest, AHandshakeHasAnEnd) {
  ASSERT_TRUE(Open(Tls(), {.handshake_time = milliseconds(200)}));
  for (const std::string& sent : {std::string(), testing::ClientHello(), std::string("\x16\x03")}) {
    const auto begun = Clock::now();
    StreamClient client(port());
    client.Send(sent);
    client.ReadAll();  // ends
    EXPECT_TRUE(client.Closed());
    EXPECT_LT(Clock::now() - begun, seconds(4)) << "it is not the time it was given";
  }
}

}  // namespace
}  // namespace registry_backend::server
