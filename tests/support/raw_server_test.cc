#include "tests/support/raw_server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/eventually.h"
#include "tests/support/http_get.h"

namespace registry_backend::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

TEST(RawServer, HandsEachConnectionToTheHandler) {
  RawServer server([](RawConnection& peer) {
    const std::string request = peer.ReadRequest();
    peer.Send(HttpText(200, request.substr(0, request.find("\r\n")), "X-Test: yes\r\n"));
  });
  for (const std::string path : {"/one", "/two?x=1"}) {
    const HttpAnswer answer = HttpGet(server.url() + path);
    EXPECT_EQ(answer.status, 200) << answer.error;
    EXPECT_EQ(answer.body, "GET " + path + " HTTP/1.1");
    EXPECT_EQ(answer.Header("x-TEST"), "yes");
  }
  EXPECT_EQ(server.accepted(), 2);
  EXPECT_TRUE(Eventually(seconds(20), [&] { return server.open() == 0; }));
}

TEST(RawServer, KeepsWhatFollowsARequest) {
  std::string second;
  {
    RawServer server([&](RawConnection& peer) {
      (void)peer.ReadRequest();
      second = peer.ReadUntil("body");
      peer.Send(HttpText(200, ""));
    });
    EXPECT_EQ(HttpPost(server.url(), "the body").status, 200);
  }
  EXPECT_EQ(second, "the body");
}

TEST(RawServer, DripsSlowly) {
  RawServer server([](RawConnection& peer) {
    (void)peer.ReadRequest();
    peer.Drip(HttpText(200, "0123456789"), 30, milliseconds(10));
  });
  const auto start = Clock::now();
  EXPECT_EQ(HttpGet(server.url()).body, "0123456789");
  EXPECT_GE(Clock::now() - start, milliseconds(20));
}

TEST(RawServer, CutAndResetBodiesFailTheClient) {
  for (const bool reset : {false, true}) {
    RawServer server([&](RawConnection& peer) {
      (void)peer.ReadRequest();
      peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
      if (reset) peer.ResetOnClose();
    });
    EXPECT_EQ(HttpGet(server.url()).status, 0);
  }
}

TEST(RawServer, TheDestructorEndsStalledDrippingAndBlockedConnections) {
  std::atomic<int> done = 0;
  auto server = std::make_unique<RawServer>([&](RawConnection& peer) {
    const std::string request = peer.ReadRequest();
    if (request.starts_with("GET /stall")) peer.Stall();
    if (request.starts_with("GET /drip")) peer.Drip(std::string(1000, 'x'), 1, seconds(100));
    if (request.starts_with("GET /silent")) (void)peer.ReadUntil("never");
    if (request.starts_with("GET /flood")) {
      peer.Send("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
      while (peer.Send(std::string(65536, 'x'))) {
      }
    }
    ++done;
  });
  std::vector<std::thread> clients;
  for (const std::string path : {"/stall", "/drip", "/silent", "/flood"}) {
    clients.emplace_back([url = server->url() + path] { (void)HttpGet(url); });
  }
  const bool all_in = Eventually(seconds(20), [&] { return server->accepted() == 4; });
  server.reset();  // joins, so it would hang if one did not end
  for (std::thread& client : clients) client.join();
  EXPECT_TRUE(all_in);
  EXPECT_EQ(done, 4);
}

TEST(RawServer, NoticesThatThePeerIsGone) {
  std::atomic<bool> noticed = false;
  RawServer server([&](RawConnection& peer) {
    (void)peer.ReadRequest();
    peer.Stall();
    noticed = true;
  });
  EXPECT_EQ(HttpGet(server.url(), {.timeout = milliseconds(100)}).status, 0);
  EXPECT_TRUE(Eventually(seconds(20), [&] { return noticed.load(); }));
}

}  // namespace
}  // namespace registry_backend::testing
