#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/integration/hostile_server.h"
#include "tests/integration/server_process.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {

inline constexpr char kRepository[] = "team/app";
inline constexpr char kStorageHost[] = "cdn.example";
inline constexpr char kApi[] = "/v2/team/app/";

// Every secret of these tests holds this word, so that one search finds them all.
inline constexpr std::string_view kMark = "xyzzyplover";
// The user's name is in no other server's sight either, but an error may name it.
inline constexpr char kUser[] = "plughtwister";
inline constexpr char kPassword[] = "xyzzyplover-Pass/word+of&us";
// The query of a Location that nobody but the storage may see.
inline constexpr char kSignature[] = "?X-Amz-Signature=xyzzyplover-signature";

// Where `text` holds `word` as it is, in other letters' case, in hexadecimal digits or in base64 at
// any offset: the place with its surroundings. Empty: nowhere.
[[nodiscard]] std::string FindLeak(const std::string& text, std::string_view word = kMark);

// A registry that is up to no good, accomplices of it, and the exporter as a program, which has
// credentials for the registry. After each test it is asserted that no secret has got away: to no
// server but the one it is for, and into no log, page, report or file. The environment tempts the
// exporter as well: with proxies that nobody told it to use, and a ~/.netrc.
class HostileTest : public ::testing::Test {
 protected:
  HostileTest();
  void TearDown() override;

  // Makes `server` an honest registry that asks for Basic: a tag `v1` of an image with a config and
  // `layers`, whose blobs are redirected to kStorageHost. Tests turn parts of it bad.
  static void ServeImage(HostileServer& server, int layers = 2);
  // The image's manifest, and the digest of its blob `number` (0: the config).
  [[nodiscard]] static std::string ImageManifest(int layers = 2);
  [[nodiscard]] static std::string BlobDigest(int number);
  [[nodiscard]] static std::string ManifestAnswer(const std::string& manifest);
  // The answer to who shows the credentials; others are asked for Basic.
  [[nodiscard]] static HostileServer::Answer ForTheUser(const std::string& answer);

  // A further server, which lives as long as the test.
  HostileServer& AddServer(const std::string& address = "127.0.0.1");
  // `server` may be sent `text`, which nobody else may.
  void MayKnow(const HostileServer& server, const std::string& text);

  // Runs `serve` for one scan, looks at all its pages, and ends it; then runs `scan`. `keys` are
  // further keys of the target, `scan` those of its scan, in YAML's flow style.
  struct Means {
    std::string registry = {};  // empty: registry_ by http
    std::string credentials = "basic_auth: {username: plughtwister, password_file: password.txt}";
    std::string keys = {};
    std::string scan = "timeout: 20s";
  };
  void Attack(const Means& means);
  void Attack() { Attack(Means{}); }

  // Of the report that `scan` printed.
  [[nodiscard]] std::string Outcome() const;
  [[nodiscard]] std::set<std::string> Hosts(std::string_view serves = "blobs") const;
  // `reason: message` of all errors, or of what is unpullable, by lines.
  [[nodiscard]] std::string Complaints(const char* of = "errors") const;

  const TempDir directory_{"hostile"};
  HostileServer registry_;
  HostileServer accomplice_{"127.0.0.2"};
  HostileServer trap_{"127.0.0.3"};  // what nobody may contact
  nlohmann::json report_;
  long serve_max_rss_kib_ = 0;

 private:
  [[nodiscard]] SubprocessOptions Temptations() const;
  void Serve();
  void Scan();
  void KeepPages(const std::string& url);
  void ExpectNothingToldTo(const HostileServer& server, const std::set<std::string>& own) const;
  void Keep(const std::string& where, const std::string& text) { seen_[where] += text; }

  std::vector<std::unique_ptr<HostileServer>> others_;
  std::map<const HostileServer*, std::set<std::string>> watched_;  // and what each may be sent
  int attacks_ = 0;                                                // each has its own storage
  std::map<std::string, std::string> seen_;  // what the exporter showed, by where
  std::vector<std::string> key_lines_;       // of the client's key
};

}  // namespace registry_backend::testing
