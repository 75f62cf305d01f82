// The simulator's faults and their control over HTTP.

#include <gtest/gtest.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "tests/simulator/faults.h"
#include "tests/simulator/simulator.h"
#include "tests/simulator/test_client.h"

namespace registry_backend::simulator {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class FaultTest : public SimulatorTest {
 protected:
  void SetUp() override { Start(); }

  void AddOnce(Operation operation, FaultAction action) {
    simulator_->AddFault({operation, "", "", 1, std::move(action)});
  }
};

TEST_F(FaultTest, StatusSoManyTimes) {
  simulator_->AddFault(
      {Operation::kBlob, layer_, "GET", 2, StatusFault{429, {{"Retry-After", "7"}}, ""}});
  EXPECT_EQ(client_->Head(BlobPath(layer_))->status, 200);
  const auto result = client_->Get(BlobPath(layer_));
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 429);
  EXPECT_EQ(result->get_header_value("Retry-After"), "7");
  EXPECT_EQ(json::parse(result->body)["errors"][0]["code"], "TOOMANYREQUESTS");
  EXPECT_EQ(StatusOf(BlobPath(layer_)), 429);
  EXPECT_EQ(StatusOf(BlobPath(layer_)), 307);
}

TEST_F(FaultTest, StatusForEverUntilCleared) {
  simulator_->AddFault({Operation::kTags, "", "", -1, StatusFault{503, {}, "busy"}});
  EXPECT_EQ(StatusOf(TagsPath()), 503);
  EXPECT_EQ(client_->Get(TagsPath())->body, "busy");
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"), AcceptDocker()), 200);
  simulator_->ClearFaults();
  EXPECT_EQ(StatusOf(TagsPath()), 200);
}

TEST_F(FaultTest, Close) {
  AddOnce(Operation::kManifest, CloseFault{});
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"), AcceptDocker()), 0);
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"), AcceptDocker()), 200);
  EXPECT_EQ(simulator_->GetStats().CountOf(Operation::kManifest, "1.0.0", "GET", 0), 1u);
}

TEST_F(FaultTest, StallEndsByItself) {
  AddOnce(Operation::kTags, StallFault{milliseconds(100)});
  const auto start = steady_clock::now();
  EXPECT_EQ(StatusOf(TagsPath()), 0);
  EXPECT_GE(steady_clock::now() - start, milliseconds(100));
}

TEST_F(FaultTest, StallEndsWhenTheClientLeaves) {
  AddOnce(Operation::kTags, StallFault{});
  client_->set_read_timeout(milliseconds(50));
  EXPECT_EQ(StatusOf(TagsPath()), 0);
  WaitUntil([&] { return simulator_->GetStats().open_connections == 0; });
  EXPECT_EQ(simulator_->GetStats().in_flight, 0u);
}

TEST_F(FaultTest, TruncatedBody) {
  AddOnce(Operation::kManifest, TruncateFault{});
  std::string received;
  int status = 0;
  const auto result = client_->Get(
      ManifestPath("1.0.0"), AcceptDocker(),
      [&](const httplib::Response& response) {
        status = response.status;
        return true;
      },
      [&](const char* data, std::size_t size) {
        received.append(data, size);
        return true;
      });
  EXPECT_FALSE(result);
  EXPECT_EQ(status, 200);
  const auto whole = client_->Get(ManifestPath("1.0.0"), AcceptDocker());
  ASSERT_TRUE(whole);
  EXPECT_EQ(received, whole->body.substr(0, whole->body.size() / 2));
}

TEST_F(FaultTest, DripsAByteAtATime) {
  AddOnce(Operation::kTags, DripFault{milliseconds(1)});
  const auto start = steady_clock::now();
  const auto result = client_->Get(TagsPath());
  ASSERT_TRUE(result);
  EXPECT_EQ(json::parse(result->body)["tags"].size(), 3u);
  EXPECT_GE(steady_clock::now() - start, milliseconds(1) * (result->body.size() - 1));
  EXPECT_EQ(StatusOf(TagsPath()), 200);
}

TEST_F(FaultTest, StopCutsADrip) {
  AddOnce(Operation::kBlob, DripFault{std::chrono::hours(1)});
  std::thread asking([&] { EXPECT_EQ(StatusOf(BlobPath(layer_)), 0); });
  WaitUntil([&] { return simulator_->GetStats().total == 1; });
  simulator_->Stop();
  asking.join();
}

TEST_F(FaultTest, OversizeBody) {
  for (const bool chunked : {false, true}) {
    AddOnce(Operation::kTags, OversizeFault{3'000'000, chunked});
    const auto result = client_->Get(TagsPath());
    ASSERT_TRUE(result);
    EXPECT_EQ(result->body.size(), 3'000'000u);
    EXPECT_EQ(result->has_header("Content-Length"), !chunked);
  }
  EXPECT_EQ(simulator_->GetStats().connections, 1u);
}

TEST_F(FaultTest, WrongBody) {
  AddOnce(Operation::kManifest, WrongBodyFault{});
  const auto result = client_->Get(ManifestPath("1.0.0"), AcceptDocker());
  ASSERT_TRUE(result);
  EXPECT_TRUE(json::accept(result->body));
  EXPECT_NE(Sha256Digest(result->body), result->get_header_value("Docker-Content-Digest"));
}

// Which of 400 requests a list with this one fault strikes, `x` for each.
std::string StrikesOf(std::uint64_t seed, double chance, int times = -1) {
  FaultList faults(seed);
  faults.Add({Operation::kBlob, "", "", times, CloseFault{}, chance});
  std::string strikes;
  for (int i = 0; i < 400; ++i) {
    strikes += faults.Take(Operation::kBlob, "digest", "GET") ? 'x' : '.';
  }
  return strikes;
}

TEST(FaultChanceTest, StrikesItsShareAndTheSameWithTheSameSeed) {
  const std::string strikes = StrikesOf(1, 0.25);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(strikes, 'x')), 100, 40);
  EXPECT_EQ(strikes, StrikesOf(1, 0.25));
  EXPECT_NE(strikes, StrikesOf(2, 0.25));
  EXPECT_EQ(StrikesOf(1, 0), std::string(400, '.'));
  EXPECT_EQ(StrikesOf(1, 1), std::string(400, 'x'));
}

TEST(FaultChanceTest, OnlyAStrikeIsCounted) {
  EXPECT_EQ(std::ranges::count(StrikesOf(1, 0.1, 3), 'x'), 3);
}

TEST(FaultChanceTest, CertainFaultsDoNotShiftTheOthers) {
  FaultList faults(1);
  faults.Add({Operation::kTags, "", "", -1, CloseFault{}});
  faults.Add({Operation::kBlob, "", "", -1, CloseFault{}, 0.5});
  std::string strikes;
  for (int i = 0; i < 400; ++i) {
    EXPECT_TRUE(faults.Take(Operation::kTags, "", "GET"));
    strikes += faults.Take(Operation::kBlob, "digest", "GET") ? 'x' : '.';
  }
  EXPECT_EQ(strikes, StrikesOf(1, 0.5));
}

TEST_F(FaultTest, WhatDoesNotStrikeLeavesTheRequestToTheNext) {
  simulator_->AddFault({Operation::kTags, "", "", -1, StatusFault{500, {}, ""}, 0});
  EXPECT_EQ(StatusOf(TagsPath()), 200);
  simulator_->AddFault({Operation::kTags, "", "", -1, StatusFault{502, {}, ""}, 0.5});
  simulator_->AddFault({Operation::kTags, "", "", -1, StatusFault{503, {}, ""}});
  std::set<int> statuses;
  for (int i = 0; i < 64; ++i) statuses.insert(StatusOf(TagsPath()));
  EXPECT_EQ(statuses, (std::set<int>{502, 503}));
}

TEST_F(FaultTest, TheSeedIsAnOption) {
  const auto strikes = [&](std::uint64_t seed) {
    Options options;
    options.fault_seed = seed;
    Start(options);
    simulator_->AddFault({Operation::kTags, "", "", -1, StatusFault{500, {}, ""}, 0.5});
    std::string text;
    for (int i = 0; i < 64; ++i) text += StatusOf(TagsPath()) == 500 ? 'x' : '.';
    return text;
  };
  const std::string first = strikes(7);
  EXPECT_EQ(first, strikes(7));
  EXPECT_NE(first, strikes(8));
}

TEST(TokenFaultTest, BefallsTheTokenService) {
  Options options;
  options.threads = 2;
  options.authentication = Authentication::kBearer;
  Simulator simulator(options, SmallCatalog());
  simulator.AddFault({Operation::kToken, "", "", 1, StatusFault{500, {}, ""}});
  const auto client = Connect(simulator);
  const std::string path = "/token?service=registry-simulator";
  EXPECT_EQ(client->Get(path)->status, 500);
  EXPECT_EQ(client->Get(path)->status, 200);
}

class ControlTest : public FaultTest {
 protected:
  int Post(const std::string& body) {
    const auto result = client_->Post("/-/control", body, "application/json");
    if (!result) return 0;
    answer_ = result->body;
    return result->status;
  }
  std::string Error(const std::string& body) {
    return Post(body) == 400 ? json::parse(answer_)["error"].get<std::string>() : "no error";
  }

  std::string answer_;
};

TEST_F(ControlTest, ChangesWhatItIsTold) {
  const json body = {
      {"backend", "one.example"},
      {"backend_rules", {{{"host", "direct"}, {"digest", layer_}}}},
      {"faults", {{{"operation", "tags"}, {"action", "status"}, {"status", 502}, {"times", 1}}}},
      {"remove_tag", {{"tag", "1.0.0"}}},
      {"tag", {{"repository", kRepository}, {"tag", "latest"}, {"digest", "v202401-1"}}},
      {"latency_ms", 1}};
  ASSERT_EQ(Post(body.dump()), 200) << answer_;
  EXPECT_EQ(StatusOf(BlobPath(layer_)), 200);
  EXPECT_EQ(StatusOf(TagsPath()), 502);
  EXPECT_EQ(StatusOf(ManifestPath("1.0.0"), AcceptDocker()), 404);
  EXPECT_EQ(StatusOf(ManifestPath("latest"), AcceptDocker()), 200);
  const auto stats = json::parse(client_->Get("/-/stats")->body);
  EXPECT_EQ(stats["total"], 4);
  EXPECT_EQ(stats["requests"].size(), 4u);
}

TEST_F(ControlTest, NamesTheKeyAtFault) {
  EXPECT_EQ(Error("{"), "body: is no JSON");
  EXPECT_EQ(Error("[]"), "body: must be an object");
  EXPECT_EQ(Error(R"({"latency": 1})"), "latency: unknown key");
  EXPECT_EQ(Error(R"({"latency_ms": -1})").find("latency_ms: must be an integer"), 0u);
  EXPECT_EQ(Error(R"({"backend_rules": [{"every": 2}]})"), "backend_rules[0].host: is missing");
  EXPECT_EQ(Error(R"({"faults": [{"operation": "blob", "action": "explode"}]})")
                .find("faults[0].action: must be"),
            0u);
  EXPECT_EQ(Error(R"({"faults": [{"operation": "blob", "action": "close", "chance": 1.5}]})"),
            "faults[0].chance: must be a number from 0 to 1");
  EXPECT_EQ(Error(R"({"remove_tag": {}})"), "remove_tag.tag: is missing");
}

TEST_F(ControlTest, FaultsTakeAChance) {
  const auto add = [&](double chance, int status) {
    const json fault = {
        {"operation", "tags"}, {"action", "status"}, {"status", status}, {"chance", chance}};
    return Post(json{{"faults", json::array({fault})}}.dump());
  };
  ASSERT_EQ(add(0, 500), 200) << answer_;
  EXPECT_EQ(StatusOf(TagsPath()), 200);
  ASSERT_EQ(add(1, 501), 200) << answer_;
  EXPECT_EQ(StatusOf(TagsPath()), 501);
}

TEST_F(ControlTest, ChangesNothingOnAnError) {
  EXPECT_EQ(Post(R"({"backend": "direct", "latency_ms": "x"})"), 400);
  EXPECT_EQ(StatusOf(BlobPath(layer_)), 307);
  EXPECT_EQ(client_->Get("/-/control")->status, 405);
}

}  // namespace
}  // namespace registry_backend::simulator
