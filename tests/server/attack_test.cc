#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "exporter/server/server.h"
#include "tests/support/eventually.h"
#include "tests/support/http_get.h"
#include "tests/support/stream_client.h"

// Clients that are slow, silent or worse, each beside a scrape that has to be answered.
namespace registry_backend::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Eventually;
using ::testing::HasSubstr;
using testing::HttpGet;
using ::testing::Not;
using ::testing::StartsWith;
using testing::StreamClient;
using testing::StreamOptions;

constexpr int kMany = 50;
constexpr char kHalf[] = "GET / HTTP/1.1\r\nHost: x\r\nX-";
// What no scrape takes; far below the deadlines that clients are given here.
constexpr auto kPatience = seconds(5);

class AttackTest : public ::testing::Test {
 protected:
  // `options` without an address.
  void Start(ServerOptions options) {
    options.addresses = {{"127.0.0.1", 0}};
    Router router;
    router.Add("GET", "/", [](const Request&) { return Response::Text(200, "root"); });
    router.Add("POST", "/", [](const Request&) { return Response::Text(200, "posted"); });
    router.Add("GET", "/large", [this](const Request&) {
      ++large_;
      Response response;
      response.body = std::make_shared<const std::string>(kLarge, 'x');
      return response;
    });
    router.Add("GET", "/shared", [this](const Request&) {
      ++large_;
      Response response;
      response.body = shared_;
      return response;
    });
    router.Add("GET", "/counted", [this](const Request&) {
      ++large_;
      Response response;
      response.body = Counted();
      return response;
    });
    router.Add("GET", "/stuck", [this](const Request&) {
      ++stuck_;
      EXPECT_TRUE(Eventually(seconds(30), [this] { return free_.load(); }));
      return Response::Text(200, "free");
    });
    router.AddUnlimited("GET", "/healthy",
                        [](const Request&) { return Response::Text(200, "healthy"); });
    server_ = std::make_unique<Server>(std::move(options), std::move(router), Logger());
    ASSERT_TRUE(server_->Start());
  }

  // As patient as those who hold everything up.
  static ServerOptions Patient(std::size_t max_connections = 512) {
    return {.max_connections = max_connections,
            .idle_time = seconds(60),
            .read_time = seconds(60),
            .write_time = seconds(60)};
  }

  [[nodiscard]] std::uint16_t port() const { return server_->addresses().at(0).port; }

  void Crowd(const std::string& hello, int count = kMany, const StreamOptions& options = {}) {
    for (int i = 0; i < count; ++i) {
      crowd_.push_back(std::make_unique<StreamClient>(port(), options));
      crowd_.back()->Send(hello);
    }
  }

  // How many of the crowd the server has closed.
  [[nodiscard]] int Closed() const {
    return static_cast<int>(
        std::ranges::count_if(crowd_, [](const auto& client) { return client->Closed(); }));
  }

  void ExpectScrapes(const std::string& path = "/") const {
    for (int i = 0; i < 5; ++i) {
      const auto answer =
          HttpGet("http://127.0.0.1:" + std::to_string(port()) + path, {.timeout = kPatience});
      EXPECT_EQ(answer.status, 200) << answer.error;
    }
  }

  // A body that counts how many of its kind there are, and is slow to compress.
  std::shared_ptr<const std::string> Counted() {
    const int now = ++alive_;
    for (int most = most_alive_; now > most && !most_alive_.compare_exchange_weak(most, now);) {
    }
    return {new std::string(Noise(kLarge)), [this](const std::string* body) {
              --alive_;
              delete body;
            }};
  }

  static std::string Noise(std::size_t size) {
    std::minstd_rand random;
    std::string noise(size, 'x');
    for (char& c : noise) c = static_cast<char>('a' + random() % 16);
    return noise;
  }

  // Clients that ask for `path` of `size` bytes at once and read the answer when all have asked;
  // how many get all of it.
  int AskAndReadLater(const std::string& path, std::size_t size, int count) {
    Crowd("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", count,
          {.receive_bytes = 4096});
    EXPECT_TRUE(Eventually(seconds(20), [&] { return large_ == count; }));
    return static_cast<int>(std::ranges::count_if(
        crowd_, [size](const auto& client) { return client->ReadAll().size() > size; }));
  }

  static constexpr std::size_t kLarge = std::size_t{4} * 1024 * 1024;
  const std::shared_ptr<const std::string> shared_ =
      std::make_shared<const std::string>(2 * kLarge, 'x');
  std::atomic<int> large_ = 0;
  std::atomic<int> alive_ = 0;
  std::atomic<int> most_alive_ = 0;
  std::atomic<int> stuck_ = 0;
  std::atomic<bool> free_ = false;
  std::unique_ptr<Server> server_;
  std::vector<std::unique_ptr<StreamClient>> crowd_;
};

TEST_F(AttackTest, SilentAndHalfOpenOnesKeepNobodyOut) {
  Start(Patient());
  Crowd("");
  Crowd(kHalf);
  Crowd("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
  ExpectScrapes();
  EXPECT_EQ(Closed(), 0) << "there is room for all";
}

TEST_F(AttackTest, WhereThereIsNoRoomTheOneEndsThatWaitsLongest) {
  Start(Patient(10));
  // Each has been answered before the next one comes: their threads begin in whatever order.
  for (int i = 0; i < 10; ++i) {
    Crowd("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1);
    EXPECT_THAT(crowd_.back()->ReadAnswer(), StartsWith("HTTP/1.1 200 "));
  }
  Crowd(kHalf, 4);
  ExpectScrapes();
  // One for each beyond ten; a scrape may still be there when the next one comes.
  EXPECT_TRUE(Eventually(seconds(10), [&] { return Closed() >= 5; }));
  EXPECT_LE(Closed(), 9);
  EXPECT_TRUE(crowd_.front()->Closed());
  EXPECT_FALSE(crowd_.back()->Closed());
}

TEST_F(AttackTest, NoMoreAreServedThanThereIsRoomFor) {
  Start(Patient(10));
  Crowd(kHalf, 60);
  EXPECT_TRUE(Eventually(seconds(20), [&] { return Closed() == 50; })) << Closed();
  ExpectScrapes();
}

// Nobody can open more files than are open and one more.
class NoMoreFiles {
 public:
  NoMoreFiles() {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit now = before_;
    now.rlim_cur = 0;
    for (const auto& file : std::filesystem::directory_iterator("/proc/self/fd")) {
      now.rlim_cur = std::max<rlim_t>(now.rlim_cur, std::stoul(file.path().filename()) + 1);
    }
    setrlimit(RLIMIT_NOFILE, &now);
    for (int file = dup(0); file >= 0; file = dup(0)) fillers_.push_back(file);
    close(fillers_.back());
    fillers_.pop_back();
  }
  ~NoMoreFiles() {
    for (const int file : fillers_) close(file);
    setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoMoreFiles(const NoMoreFiles&) = delete;
  NoMoreFiles& operator=(const NoMoreFiles&) = delete;

 private:
  rlimit before_{};
  std::vector<int> fillers_;  // of numbers that are free between those in use
};

TEST_F(AttackTest, WhereThereAreNoMoreFilesTheOneEndsThatWaitsLongest) {
  Start(Patient());
  Crowd("", 10);
  const std::string ask = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  crowd_.back()->Send(ask);  // its answer shows that all have been accepted
  ASSERT_THAT(crowd_.back()->ReadAnswer(), StartsWith("HTTP/1.1 200 "));
  const NoMoreFiles no_more;
  StreamClient client(port());
  ASSERT_TRUE(client.ok());
  client.Send(ask);
  EXPECT_THAT(client.ReadAnswer(), StartsWith("HTTP/1.1 200 "));
  EXPECT_TRUE(Eventually(seconds(10), [this] { return Closed() >= 1; }));
  EXPECT_LE(Closed(), 3);
  EXPECT_FALSE(crowd_.back()->Closed()) << "it waits for the shortest time";
}

TEST_F(AttackTest, SilenceHasAnEnd) {
  Start({.idle_time = milliseconds(100)});
  const auto begun = Clock::now();
  StreamClient silent(port());
  EXPECT_EQ(silent.ReadAll(), "") << "there was no request to answer";
  EXPECT_LT(Clock::now() - begun, kPatience - seconds(1)) << "it is not the time it was given";
}

TEST_F(AttackTest, AHeadThatDribblesHasAnEnd) {
  Start({.read_time = milliseconds(200)});
  StreamClient slow(port());
  std::atomic<bool> over = false;
  std::thread dribble([&] {
    slow.Send(kHalf);
    while (!over && slow.Send("x")) std::this_thread::sleep_for(milliseconds(10));
  });
  const auto ended = Eventually(seconds(10), [&] { return slow.Closed() || !slow.Read().empty(); });
  over = true;
  dribble.join();
  EXPECT_TRUE(ended) << "each byte gave it more time";
}

TEST_F(AttackTest, WhatComesTooLateIsToldSo) {
  Start({.read_time = milliseconds(100)});
  for (const char* half : {kHalf, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"}) {
    StreamClient slow(port());
    slow.Send(half);
    EXPECT_THAT(slow.ReadAll(), StartsWith("HTTP/1.1 408 ")) << half;
  }
}

TEST_F(AttackTest, WhoNeverReadsHasAnEnd) {
  Start({.write_time = milliseconds(300)});
  Crowd("GET /counted HTTP/1.1\r\nHost: x\r\n\r\n", 1, {.receive_bytes = 4096});
  EXPECT_TRUE(Eventually(seconds(10), [this] { return most_alive_ == 1; }));
  EXPECT_TRUE(Eventually(seconds(10), [this] { return alive_ == 0; })) << "its answer is kept";
}

TEST_F(AttackTest, ThoseWhoNeverReadKeepNobodyOutAndDoNotHoldUpTheEnd) {
  Start(Patient());
  Crowd("GET /large HTTP/1.1\r\nHost: x\r\n\r\n", 20, {.receive_bytes = 4096});
  ExpectScrapes();
  // Without reading, a close shows as a reset or not at all: that they are gone shows at the end.
  EXPECT_TRUE(Eventually(seconds(10), [&] { return large_ == 20; }));
  const auto begun = Clock::now();
  server_->Stop();
  EXPECT_LT(Clock::now() - begun, seconds(4));
}

TEST_F(AttackTest, AnswersThatNobodyReadsAreNotAllKept) {
  Start(Patient());
  // Twenty times 4 MiB is more than is kept.
  const int whole = AskAndReadLater("/large", kLarge, 20);
  EXPECT_LT(whole, 16);
  EXPECT_GT(whole, 0);
  ExpectScrapes();
}

TEST_F(AttackTest, AnswersThatWaitToBeCompressedAreFew) {
  Start(Patient());
  Crowd("GET /counted HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n", kMany,
        {.receive_bytes = 4096});
  EXPECT_TRUE(Eventually(seconds(50), [this] { return large_ == kMany; })) << large_;
  EXPECT_LE(most_alive_, 4);
  ExpectScrapes();
}

TEST_F(AttackTest, ThoseWhoWaitForAPlaceCanBeEnded) {
  Start(Patient(20));
  const std::string ask = "GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n";
  Crowd(ask, 4);
  ASSERT_TRUE(Eventually(seconds(20), [this] { return stuck_ == 4; }));
  Crowd(ask, 120);  // more than may be on their way out
  ExpectScrapes("/healthy");
  EXPECT_TRUE(Eventually(seconds(20), [this] { return Closed() >= 104; })) << Closed();
  EXPECT_EQ(stuck_, 4);
  free_ = true;
}

TEST_F(AttackTest, WhoGetsNoPlaceInTimeIsToldSo) {
  Start({.write_time = seconds(2)});
  Crowd("GET /stuck HTTP/1.1\r\nHost: x\r\n\r\n", 4);
  ASSERT_TRUE(Eventually(seconds(20), [this] { return stuck_ == 4; }));
  StreamClient late(port());
  late.Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(late.ReadAnswer(), StartsWith("HTTP/1.1 503 "));
  free_ = true;
}

TEST_F(AttackTest, AFewAreAnsweredHoweverLargeTheAnswerIs) {
  Start(Patient());
  EXPECT_EQ(AskAndReadLater("/large", kLarge, 4), 4);
}

TEST_F(AttackTest, AnAnswerThatManyShareIsKeptOnce) {
  Start(Patient());
  EXPECT_EQ(AskAndReadLater("/shared", shared_->size(), 20), 20);
}

TEST_F(AttackTest, AHugeHeadIsRefusedEarly) {
  Start({});
  StreamClient client(port());
  client.Send("GET / HTTP/1.1\r\nHost: x\r\nX-A: ");
  const std::string piece(65536, 'a');
  std::size_t sent = 0;
  while (sent < 200'000'000 && client.Send(piece)) sent += piece.size();
  EXPECT_LT(sent, 20'000'000U);
  ExpectScrapes();
  StreamClient reader(port());
  reader.Send("GET / HTTP/1.1\r\nHost: x\r\nX-A: " + piece + "\r\n\r\n");
  EXPECT_THAT(reader.ReadAll(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(AttackTest, AChunkedBodyIsNotReadAtAll) {
  Start({});
  StreamClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(65536, 'a') + "\r\n";
  std::size_t sent = 0;
  while (sent < 200'000'000 && client.Send(chunk)) sent += chunk.size();
  EXPECT_LT(sent, 20'000'000U);
  EXPECT_THAT(client.ReadAll(), StartsWith("HTTP/1.1 411 "));
  ExpectScrapes();
}

TEST_F(AttackTest, PipelinedRequestsAreAnsweredInTurnAndNotForEver) {
  Start({});
  std::string requests;
  for (int i = 0; i < 10'000; ++i) requests += "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  StreamClient client(port());
  std::thread sender([&] { client.Send(requests); });
  const std::string first = client.ReadAnswer();
  ExpectScrapes();
  const std::string rest = client.ReadAll();
  sender.join();
  EXPECT_THAT(first, StartsWith("HTTP/1.1 200 "));
  int answers = 0;
  const std::string all = first + rest;
  for (auto at = all.find("HTTP/1.1 200 "); at != std::string::npos;
       at = all.find("HTTP/1.1 200 ", at + 1)) {
    ++answers;
  }
  EXPECT_EQ(answers, 1000);
  EXPECT_EQ(all.find("Connection: close"), all.rfind("Connection: close")) << "only the last one";
  EXPECT_THAT(rest, HasSubstr("Connection: close"));
}

TEST_F(AttackTest, RandomBytesAreNoRequest) {
  Start({.read_time = milliseconds(50)});
  std::mt19937 random(7);
  for (int i = 0; i < kMany; ++i) {
    std::string bytes(1 + random() % 3000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (i % 2 == 0) bytes += "\r\n\r\n";
    StreamClient client(port());
    client.Send(bytes);
    EXPECT_THAT(client.ReadAll(), Not(StartsWith("HTTP/1.1 2"))) << i;
  }
  ExpectScrapes();
}

TEST_F(AttackTest, TheAnswerComesWithinTheTimeThatPrometheusGives) {
  Start(Patient());
  const auto begun = Clock::now();
  StreamClient scraper(port(), {.receive_bytes = 4096});
  scraper.Send(
      "GET /large HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 0.3\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(600));  // it does not read in time
  EXPECT_LT(scraper.ReadAll().size(), kLarge);
  EXPECT_LT(Clock::now() - begun, seconds(10));
}

TEST_F(AttackTest, ABodyThatIsAskedForIsTaken) {
  Start({});
  StreamClient client(port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("body");
  EXPECT_THAT(client.ReadAnswer(), StartsWith("HTTP/1.1 200 "));
}

TEST_F(AttackTest, TextIsCompressedForThoseWhoTakeIt) {
  Start({});
  const std::string url = "http://127.0.0.1:" + std::to_string(port()) + "/large";
  const auto packed = HttpGet(url, {.headers = {{"Accept-Encoding", "gzip"}}});
  EXPECT_EQ(packed.Header("Content-Encoding"), "gzip");
  EXPECT_EQ(packed.Header("Vary"), "Accept-Encoding");
  EXPECT_LT(packed.body.size(), kLarge / 100);
  const auto unpacked =
      HttpGet(url, {.headers = {{"Accept-Encoding", "gzip"}}, .decompress = true});
  EXPECT_EQ(unpacked.body, std::string(kLarge, 'x'));
  const auto plain = HttpGet(url, {.headers = {{"Accept-Encoding", "gzip;q=0"}}});
  EXPECT_EQ(plain.Header("Content-Encoding"), "");
  EXPECT_EQ(plain.body.size(), kLarge);
}

}  // namespace
}  // namespace registry_backend::server
