#include "exporter/inventory/state_codec.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/temp_dir.h"

namespace registry_backend {
namespace {

using std::chrono::hours;

WallTime At(int hour) { return WallTime(hours(480'000 + hour)); }

TargetState FullState() {
  TargetState state;
  const EndpointKey key{Serves::kBlobs, *Host::Parse("minio.corp:9000")};
  state.endpoints[key] = {.info = {"s3", "b", "us-east-1", "redirect"},
                          .first_seen = At(1),
                          .last_seen = At(2),
                          .absent_since = At(3),
                          .changed = At(3),
                          .blobs = 7,
                          .misses = 1,
                          .witnesses = {"sha256:a", "sha256:b"}};
  state.endpoints[{Serves::kApi, *Host::Parse("[2001:db8::1]:5000")}] = {.first_seen = At(1),
                                                                         .last_seen = At(4)};
  state.dropped = 2;
  state.baseline = At(1);
  state.partial_streak = 2;
  state.selection = "newest=5";
  state.journal = {{At(3), ChangeKind::kRemoved, key}, {At(2), ChangeKind::kAdded, key}};
  state.changes = {{ChangeKind::kAdded, 1}, {ChangeKind::kRemoved, 1}};
  state.last_change = At(3);
  state.newest = ScanSummary{.outcome = ScanOutcome::kFailed,
                             .started = At(4),
                             .finished = At(5),
                             .took = std::chrono::milliseconds(1234),
                             .asked = {1, 2, 3},
                             .unresolved = {1, 0, 2},
                             .unpullable = {4, 5, 6},
                             .coverage = 0.5,
                             .reasons = {ErrorKind::kAuth, ErrorKind::kTimeout},
                             .error = "bytes \xff that are no text"};
  state.newest_usable = ScanSummary{.outcome = ScanOutcome::kComplete, .finished = At(2)};
  state.tags = {{"v2", "type/index", "linux/amd64,linux/arm64", 9}, {"v1", "type/image", "", 3}};
  state.unresolved = {"v2", "sha256:c", "v1"};
  state.report = "report-1.json";
  state.last_success = At(2);
  state.consecutive_failures = 3;
  state.scans = {{ScanOutcome::kComplete, 4}, {ScanOutcome::kFailed, 3}};
  state.failures = {{ErrorKind::kAuth, 3}};
  return state;
}

TEST(StateCodec, GivesBackWhatItWasGiven) {
  TargetState state = FullState();
  state.tags[0].digest = "sha256:d";
  state.tags[0].layers = 8;
  state.newest->error = "plain";
  const Result<TargetState> decoded = DecodeState(EncodeState(state));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, state);
  EXPECT_EQ(*DecodeState(EncodeState(TargetState{})), TargetState{});
}

// A file of an earlier program, as it lies on the disks of those who use it: no key of it may ever
// get another name. It is not to be written anew when the form changes; add another beside it.
TEST(StateCodec, ReadsTheFileOfVersion1) {
  const std::string file =
      testing::ReadFile(REGISTRY_BACKEND_SOURCE_DIR "/tests/inventory/state-version-1.json");
  const Result<TargetState> decoded = DecodeState(file);
  ASSERT_TRUE(decoded) << decoded.error().message;
  TargetState state = FullState();
  state.newest->error = "plain";
  EXPECT_EQ(*decoded, state);
}

TEST(StateCodec, IsNotStoppedByBytesThatAreNoText) {
  const Result<TargetState> decoded = DecodeState(EncodeState(FullState()));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->newest->error, "bytes \xEF\xBF\xBD that are no text");
}

TEST(StateCodec, RefusesWhatItCannotReadAndNothingCrashesIt) {
  const std::string good = EncodeState(FullState());
  for (const std::string& bytes : {std::string(), std::string("{}"), std::string("[]"),
                                   std::string("null"), std::string(5000, '\0')}) {
    EXPECT_FALSE(DecodeState(bytes)) << bytes.substr(0, 20);
  }
  for (std::size_t length = 0; length + 2 < good.size(); length += 7) {
    EXPECT_FALSE(DecodeState(good.substr(0, length))) << length;
  }
}

TEST(StateCodec, NamesTheKeyThatIsWrong) {
  const auto json = nlohmann::json::parse(EncodeState(FullState()));
  for (const auto& [key, value] : json.items()) {
    if (key == "unresolved" || key == "tags") continue;  // see below
    nlohmann::json without = json;
    without.erase(key);
    const Result<TargetState> decoded = DecodeState(without.dump());
    ASSERT_FALSE(decoded) << key;
    EXPECT_EQ(decoded.error().kind, ErrorKind::kStorage);
    EXPECT_NE(decoded.error().message.find("'" + key + "'"), std::string::npos)
        << decoded.error().message;
  }
}

TEST(StateCodec, ReadsWhatWasWrittenBeforeThereWereTheseKeys) {
  auto json = nlohmann::json::parse(EncodeState(FullState()));
  json.erase("unresolved");
  json.erase("tags");
  json["newest_scan"].erase("unpullable");
  const Result<TargetState> decoded = DecodeState(json.dump());
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_TRUE(decoded->unresolved.empty());
  EXPECT_TRUE(decoded->tags.empty());
  EXPECT_EQ(decoded->newest->unpullable, ScanCounts{});
}

TEST(StateCodec, ReadsTagsThatWereWrittenWithoutDigestAndLayers) {
  TargetState state = FullState();
  auto json = nlohmann::json::parse(EncodeState(state));
  for (auto& tag : json["tags"]) {
    tag.erase("digest");
    tag.erase("layers");
  }
  const Result<TargetState> decoded = DecodeState(json.dump());
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->tags, state.tags);
}

TEST(StateCodec, RefusesAListOfWhatIsUnresolvedThatIsNone) {
  const auto json = nlohmann::json::parse(EncodeState(FullState()));
  for (const char* list : {"5", "\"v1\"", "[1]", "{\"v1\":1}", "null"}) {
    nlohmann::json changed = json;
    changed["unresolved"] = nlohmann::json::parse(list);
    EXPECT_FALSE(DecodeState(changed.dump())) << list;
  }
}

TEST(StateCodec, RefusesAListOfTagsThatIsNone) {
  const auto json = nlohmann::json::parse(EncodeState(FullState()));
  for (const char* list :
       {"5", "\"v1\"", "[1]", "null", R"({"v1":{}})", R"([{"tag":"v1"}])",
        R"([{"tag":"v1","media_type":"t","platforms":[],"blobs":1}])",
        R"([{"tag":"v1","media_type":"t","platforms":"","blobs":-1}])",
        R"([{"tag":"v1","media_type":"t","platforms":"","blobs":1,"layers":"3"}])",
        R"([{"tag":"v1","media_type":"t","platforms":"","blobs":1,"digest":3}])",
        R"([{"tag":"v1","media_type":"t","platforms":"","blobs":1},
            {"tag":"v1","media_type":"t","platforms":"","blobs":1}])"}) {
    nlohmann::json changed = json;
    changed["tags"] = nlohmann::json::parse(list);
    EXPECT_FALSE(DecodeState(changed.dump())) << list;
  }
}

TEST(StateCodec, KeepsSoManyTagsAtMost) {
  TargetState state = FullState();
  for (int i = 0; i < 2000; ++i) state.tags.push_back({"t" + std::to_string(i), "", "", 1});
  const Result<TargetState> decoded = DecodeState(EncodeState(state));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->tags.size(), TargetState::kMaxTags);
  EXPECT_EQ(decoded->tags.front(), state.tags.front());
}

TEST(StateCodec, RefusesNumbersThatCannotBe) {
  const auto json = nlohmann::json::parse(EncodeState(FullState()));
  const nlohmann::json odd[] = {-1, 1.5, true, "1", 18446744073709551615U, nlohmann::json::array()};
  for (const char* path : {"/baseline", "/last_change", "/newest_scan/took_ms",
                           "/endpoints/0/first_seen", "/journal/0/at"}) {
    for (const nlohmann::json& value : odd) {
      nlohmann::json changed = json;
      changed[nlohmann::json::json_pointer(path)] = value;
      EXPECT_FALSE(DecodeState(changed.dump())) << path << " " << value;
    }
  }
  for (const char* path : {"/dropped", "/scans/complete", "/endpoints/0/misses", "/version",
                           "/newest_scan/unpullable/tags"}) {
    for (const nlohmann::json& value :
         {nlohmann::json(-1), nlohmann::json(1.5), nlohmann::json(true)}) {
      nlohmann::json changed = json;
      changed[nlohmann::json::json_pointer(path)] = value;
      EXPECT_FALSE(DecodeState(changed.dump())) << path << " " << value;
    }
  }
  nlohmann::json twice = json;
  twice["endpoints"].push_back(twice["endpoints"][0]);
  EXPECT_FALSE(DecodeState(twice.dump()));
}

TEST(StateCodec, AReasonOfALaterProgramLosesNothingElse) {
  auto json = nlohmann::json::parse(EncodeState(FullState()));
  json["failures"]["quantum"] = 5;
  const Result<TargetState> decoded = DecodeState(json.dump());
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->failures.at(ErrorKind::kInternal), 5U);
}

TEST(StateCodec, RefusesANewerVersion) {
  auto json = nlohmann::json::parse(EncodeState(FullState()));
  json["version"] = kStateVersion + 1;
  const Result<TargetState> decoded = DecodeState(json.dump());
  ASSERT_FALSE(decoded);
  EXPECT_NE(decoded.error().message.find("version 2 is newer"), std::string::npos);
}

}  // namespace
}  // namespace registry_backend
