// What a hostile registry sends too much of, or too slowly.
#include <gtest/gtest.h>
#include <zlib.h>

#include <atomic>
#include <chrono>
#include <stdexcept>

#include "tests/integration/hostile_test.h"
#include "tests/integration/scan_client.h"
#include "tests/support/sanitizer.h"

namespace registry_backend::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMiB = std::size_t{1024} * 1024;
// What sockets may hold besides what the exporter has read.
constexpr std::size_t kInSockets = 12 * kMiB;

const char* const kParts[] = {"tags/list", "manifests/", "blobs/"};

class HostileFloods : public HostileTest {
 protected:
  HostileFloods() { ServeImage(registry_); }

  static std::string At(const char* part) { return std::string(kApi) + part; }

  // Sends `head`, then `piece` until nobody wants more; counts the bytes of the longest such
  // answer.
  HostileServer::Answer Endless(std::string head, std::string piece) {
    return [most_sent = most_sent_, head, piece](const HostileRequest&, HostilePeer& peer) {
      std::size_t sent = head.size();
      if (!peer.Send(head)) return;
      while (sent < 4096 * kMiB && peer.Send(piece)) sent += piece.size();
      std::size_t most = most_sent->load();
      while (sent > most && !most_sent->compare_exchange_weak(most, sent)) {
      }
    };
  }
  HostileServer::Answer EndlessBody(const std::string& headers = "") {
    return Endless("HTTP/1.1 200 OK\r\n" + headers + "\r\n", std::string(64 * 1024, ' '));
  }

  void ExpectCutAt(std::size_t cap) const {
    EXPECT_GT(most_sent_->load(), 0U);
    EXPECT_LT(most_sent_->load(), cap + kInSockets);
    if (!kHasSanitizer) {
      EXPECT_LT(serve_max_rss_kib_, 128 * 1024);
    }
  }

  // Of the servers' threads too, which end after this.
  const std::shared_ptr<std::atomic<std::size_t>> most_sent_ =
      std::make_shared<std::atomic<std::size_t>>(0);
};

TEST_F(HostileFloods, HeadersEndAt64KiB) {
  const std::string lines = "X-Much: " + std::string(1000, 'x') + "\r\n";
  for (const std::string head : {"HTTP/1.1 200 OK\r\n", "HTTP/1.1 401 Unauthorized\r\n"}) {
    for (const char* part : kParts) {
      ServeImage(registry_);
      registry_.On(At(part), Endless(head, lines));
      Attack();
      EXPECT_NE(Outcome(), "complete") << part;
      EXPECT_NE(Complaints().find("the headers are larger than 65536 bytes"), std::string::npos)
          << Complaints();
    }
  }
  ExpectCutAt(64 * 1024);
}

TEST_F(HostileFloods, OneEndlessHeaderEnds) {
  registry_.On(At("tags/list"), Endless("HTTP/1.1 200 OK\r\nX-Much: ", std::string(1000, 'x')));
  Attack();
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("protocol: "), std::string::npos) << Complaints();
  ExpectCutAt(kMiB);
}

TEST_F(HostileFloods, InterimAnswersWithoutEndEnd) {
  for (const std::string interim :
       {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"}) {
    registry_.On(At("tags/list"), Endless("", interim));
    Attack();
    EXPECT_EQ(Outcome(), "failed");
    EXPECT_NE(Complaints().find("protocol: "), std::string::npos) << Complaints();
  }
  ExpectCutAt(64 * 1024);
}

TEST_F(HostileFloods, ATagListEndsAt16MiB) {
  registry_.On(At("tags/list"), EndlessBody());
  Attack();
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("the body is larger than 16777216 bytes"), std::string::npos)
      << Complaints();
  ExpectCutAt(16 * kMiB);
}

// CVE-2020-1702: a manifest without end filled the memory.
TEST_F(HostileFloods, AManifestEndsAt4MiB) {
  for (const char* headers : {"", "Content-Length: 1099511627776\r\n"}) {
    registry_.On(At("manifests/"), EndlessBody(headers));
    Attack();
    EXPECT_EQ(Outcome(), "failed");
    EXPECT_NE(Complaints().find("the body is larger than 4194304 bytes"), std::string::npos)
        << Complaints();
  }
  ExpectCutAt(4 * kMiB);
}

TEST_F(HostileFloods, ABlobsBodyIsCutAt16KiBAndIsAnAnswer) {
  registry_.On(At("blobs/"), EndlessBody());
  Attack();
  EXPECT_EQ(Outcome(), "complete") << report_;
  EXPECT_EQ(Hosts(), std::set{registry_.host()});
  ExpectCutAt(16 * 1024);
}

TEST_F(HostileFloods, ATokenEndsAt128KiB) {
  registry_.On(At("tags/list"), Challenge401("Bearer realm=\"" + registry_.http() + "/token\""));
  registry_.On("/token", EndlessBody());
  Attack();
  EXPECT_EQ(Outcome(), "failed");
  EXPECT_NE(Complaints().find("the body is larger than 131072 bytes"), std::string::npos)
      << Complaints();
  ExpectCutAt(128 * 1024);
}

// The body of a refusal or a redirect is as long as any.
TEST_F(HostileFloods, TheBodiesOfOtherAnswersEndToo) {
  for (const std::string head :
       {"401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\n", "404 No\r\n",
        "307 There\r\nLocation: https://cdn.example/\r\n", "206 Some\r\n", "204 None\r\n"}) {
    for (const char* part : kParts) {
      ServeImage(registry_);
      registry_.On(At(part), Endless("HTTP/1.1 " + head + "\r\n", std::string(64 * 1024, 'x')));
      Attack();
      EXPECT_FALSE(Outcome().empty());
    }
  }
  ExpectCutAt(16 * kMiB);
}

// So many MiB of blanks, as gzip writes them.
std::string GzipBlanks(int mib) {
  z_stream stream{};
  if (deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib");
  }
  std::string input(kMiB, ' ');
  std::string piece(kMiB, '\0');
  std::string output;
  for (int i = 1; i <= mib; ++i) {
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    deflate(&stream, i == mib ? Z_FINISH : Z_NO_FLUSH);
    output.append(piece, 0, piece.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return output;
}

TEST_F(HostileFloods, ACompressedBodyIsNotUnpacked) {
  const std::string bomb = GzipBlanks(300);
  ASSERT_LT(bomb.size(), kMiB);
  for (const char* part : {"tags/list", "manifests/"}) {
    ServeImage(registry_);
    registry_.On(At(part), ForTheUser(HttpText(200, bomb,
                                               "Content-Type: application/json\r\n"
                                               "Content-Encoding: gzip\r\n")));
    Attack();
    EXPECT_EQ(Outcome(), "failed");
    EXPECT_NE(Complaints().find("protocol: "), std::string::npos) << Complaints();
    if (!kHasSanitizer) {
      EXPECT_LT(serve_max_rss_kib_, 128 * 1024);
    }
  }
  for (const HostileRequest& request : registry_.Requests()) {
    EXPECT_EQ(request.Field("accept-encoding"), "");
  }
}

// By the exporter's own modules, whose time for a request a test can set.
class HostileDrips : public ::testing::Test {
 protected:
  // A scan of `registry` that gives each request 300 ms has to end, by a timeout.
  static void ExpectTimeout(const HostileServer& registry) {
    ScanClient client(registry.http(), kRepository, {}, milliseconds(300));
    const auto start = std::chrono::steady_clock::now();
    const ScanResult result = client.Scan();
    EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(30));
    ASSERT_NE(result.main_error(), nullptr);
    EXPECT_EQ(result.main_error()->kind, ErrorKind::kTimeout) << result.main_error()->message;
  }

  // Sends `head`, and then `piece` once in a while, for ever.
  static HostileServer::Answer Drip(std::string head, std::string piece) {
    return [=](const HostileRequest&, HostilePeer& peer) {
      bool wanted = peer.Send(head);
      while (wanted) wanted = peer.raw().Pause(milliseconds(50)) && peer.Send(piece);
    };
  }

  static std::string Tags() { return std::string(kApi) + "tags/list"; }

  HostileServer registry_;
};

TEST_F(HostileDrips, OneDeadlineCoversHeadersAndBody) {
  const std::pair<const char*, const char*> cases[] = {
      {"HTTP/1.1 200 ", "O"},
      {"HTTP/1.1 200 OK\r\n", "X-A: b\r\n"},
      {"HTTP/1.1 200 OK\r\n\r\n", " "},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n"},
      {"", "HTTP/1.1 100 Continue\r\n\r\n"}};
  for (const auto& [head, piece] : cases) {
    SCOPED_TRACE(std::string(head) + piece);
    registry_.On(Tags(), Drip(head, piece));
    ExpectTimeout(registry_);
  }
}

TEST_F(HostileDrips, ATokenServiceHasNoMoreTime) {
  registry_.On(Tags(), Challenge401("Bearer realm=\"" + registry_.http() + "/token\""));
  registry_.On("/token", Drip("HTTP/1.1 200 OK\r\n\r\n", " "));
  ExpectTimeout(registry_);
}

TEST_F(HostileDrips, ChunksOfNothingButExtensionsEnd) {
  registry_.On(Tags(), [](const HostileRequest&, HostilePeer& peer) {
    const std::string extension(64 * 1024, 'e');
    bool wanted = peer.Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    while (wanted) wanted = peer.raw().Pause(milliseconds(1)) && peer.Send(extension);
  });
  ExpectTimeout(registry_);
}

}  // namespace
}  // namespace registry_backend::testing
