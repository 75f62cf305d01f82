#include "tests/monitor/watched_target.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <optional>
#include <sstream>

#include "exporter/discovery/scanner.h"
#include "exporter/inventory/apply.h"
#include "exporter/inventory/state_codec.h"
#include "exporter/metrics/exposition.h"
#include "exporter/metrics/families.h"
#include "exporter/monitor/history.h"
#include "exporter/registry/digest.h"
#include "tests/monitor/shown_presence.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;

// What the TargetStore calls its files.
constexpr const char* kFolder = "r.example%2Fteam%2Fapp";
constexpr const char* kState = "state.json";

std::string ReportOf(const ScanResult& result) {
  std::string stamp = FormatRfc3339(result.finished);
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
  return "report-" + stamp + ".json";
}

RegistryOptions Repository() { return {*Url::Parse("https://r.example"), "team/app", nullptr}; }
ReportSubject Subject() { return {Repository().registry, Repository().repository}; }

std::string HostName(char letter) { return std::string(1, letter) + ".example"; }

std::string ImageOf(const std::vector<std::string>& blobs) {
  const auto descriptor = [](const std::string& blob) {
    return R"({"digest":")" + Sha256Of(blob) + R"("})";
  };
  std::string layers;
  for (std::size_t i = 1; i < blobs.size(); ++i) {
    layers += (layers.empty() ? "" : ",") + descriptor(blobs[i]);
  }
  return R"({"schemaVersion":2,"config":)" + descriptor(blobs[0]) + R"(,"layers":[)" + layers +
         "]}";
}

}  // namespace

std::string InMemory() {
  const std::string name = "registry-backend-test";
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm/" + name : name;
}

std::vector<std::string> StepsOf(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> steps;
  for (std::string word; words >> word;) steps.push_back(word);
  return steps;
}

std::pair<std::string, std::string> Parted(const std::string& step) {
  const std::size_t colon = step.find(':');
  if (colon == std::string::npos) return {step, ""};
  return {step.substr(0, colon), step.substr(colon + 1)};
}

Response RegistryContent::Answer(const Request& request) const {
  const std::string path = request.url.path();
  const std::string last = path.substr(path.rfind('/') + 1);
  if (request.operation == "token") return MakeResponse(403);
  if (!portal.empty()) {
    return MakeResponse(401, "",
                        {{"www-authenticate", "Bearer realm=\"https://" + portal + "/\""}});
  }
  if (request.operation == "tags") {
    if (refused.contains("list")) return MakeResponse(403);
    std::string names;
    for (const auto& [tag, image] : tags) names += (names.empty() ? "\"" : ",\"") + tag + "\"";
    return MakeResponse(200, R"({"tags":[)" + names + "]}");
  }
  if (request.operation == "manifest") {
    if (refused.contains(last)) return MakeResponse(403);
    const auto tag = tags.find(last);
    if (tag == tags.end()) return MakeResponse(404);
    const std::string image = ImageOf(tag->second);
    return MakeResponse(200, request.method == Method::kHead ? "" : image,
                        {{"docker-content-digest", Sha256Of(image)}});
  }
  for (const auto& [name, blob] : blobs) {
    if (blob.digest != last) continue;
    if (refused.contains(name)) return MakeResponse(403);
    return MakeResponse(307, "", {{"location", "https://" + HostName(blob.host) + "/" + last}});
  }
  return MakeResponse(404);
}

void RegistryContent::Push(const std::string& tag, const std::string& hosts) {
  std::vector<std::string>& image = tags[tag];
  image.clear();
  for (const char host : hosts) {
    image.push_back(tag + "/" + std::to_string(image.size()));
    blobs[image.back()] = {Sha256Of(image.back()), host};
  }
}

bool RegistryContent::Edit(const std::string& what) {
  const std::size_t equals = what.find('=');
  const auto [name, argument] = Parted(what);
  if (equals != std::string::npos) {
    Push(what.substr(0, equals), what.substr(equals + 1));
  } else if (name == "untag") {
    tags.erase(argument);
  } else if (name == "lose") {
    blobs.erase(argument);
  } else if (name == "move") {
    for (auto& [of, blob] : blobs) {
      if (blob.host == argument[0]) blob.host = argument[1];
    }
  } else if (name == "refuse") {
    refused.insert(argument);
  } else if (name == "portal") {
    portal = HostName(argument[0]);
  } else if (name == "mend") {
    portal.clear();
    if (argument.empty()) refused.clear();
    refused.erase(argument);
  } else {
    return false;
  }
  return true;
}

WatchedTarget::Life::Life(const fs::path& directory, WallTime now, Network network)
    : storage(*Storage::Open(directory)),
      store(storage, Subject(), Logger()),
      client(network, Repository()) {
  TargetStore::Loaded loaded = store.Load(now);
  EXPECT_TRUE(loaded.intact);
  state = std::move(loaded.state);
}

WatchedTarget::WatchedTarget(fs::path storage) : directory_(std::move(storage)) { Restart(); }

WallTime WatchedTarget::Now() const { return kFirstHour + hours(hour_); }

void WatchedTarget::Do(const std::string& steps) {
  for (const std::string& step : StepsOf(steps)) {
    if (content_.Edit(step)) continue;
    const auto [name, argument] = Parted(step);
    Step(name, argument);
  }
}

void WatchedTarget::Step(const std::string& name, const std::string& argument) {
  if (name == "scan") {
    Scan();
  } else if (name == "unsaved") {
    ScanUnsaved();
  } else if (name == "crash") {
    ScanAndCrash(argument);
  } else if (name == "restart") {
    Restart();
  } else if (name == "approve") {
    Policy policy;
    for (const char host : argument) {
      policy.approved_hosts.push_back(*HostPattern::Parse(HostName(host)));
    }
    policy_ = std::make_shared<const Policy>(std::move(policy));
  } else {
    const int number = std::stoi(argument);
    const auto count = static_cast<std::size_t>(number);
    if (name == "newest") {
      selection_.newest = count;
    } else if (name == "absent_after") {
      inventory_.absent_after = count;
    } else if (name == "forget") {
      inventory_.forget_after = hours(number);
    } else if (name == "max") {
      inventory_.max_endpoints = count;
    } else if (name == "clock") {
      hour_ = number;
    } else {
      ADD_FAILURE() << "no step: " << name;
    }
  }
}

// What is known after a scan that ends an hour from now.
TargetState WatchedTarget::Scanned(ScanResult& result) {
  ScanOptions options;
  selection_.SetOptions(options);
  inventory_.selection = selection_.text();
  std::optional<ScanResult> done;
  Scanner scanner(loop_, life_->client, options, HintsOf(life_->state));
  scanner.Start([&done](ScanResult scanned) { done = std::move(scanned); });
  while (!done) loop_.Advance(std::chrono::minutes(1));
  result = *std::move(done);
  ++hour_;
  result.started = result.finished = Now();
  TargetState state = life_->state;
  Apply(result, inventory_, state);
  return state;
}

void WatchedTarget::Scan() {
  ScanResult result;
  life_->state = Scanned(result);
  const Status saved = life_->store.Save(Subject(), result, life_->state);
  EXPECT_TRUE(saved) << saved.error().message;
  life_->saved = true;
}

void WatchedTarget::ScanUnsaved() {
  ScanResult result;
  life_->state = Scanned(result);
  EXPECT_FALSE(SaveWithout(kState, life_->state, result));
  life_->saved = false;
}

// A folder where the temporary file belongs keeps `name` from being written.
Status WatchedTarget::SaveWithout(const std::string& name, TargetState& state,
                                  const ScanResult& result) {
  const fs::path in_the_way = directory_ / kFolder / (name + ".tmp");
  fs::remove(in_the_way);
  fs::create_directories(in_the_way);
  Status saved = life_->store.Save(Subject(), result, state);
  EXPECT_TRUE(fs::remove(in_the_way));
  return saved;
}

void WatchedTarget::ScanAndCrash(const std::string& when) {
  ScanResult result;
  TargetState state = Scanned(result);
  if (when == "within" || when == "torn") {
    EXPECT_FALSE(SaveWithout(kState, state, result));
  }
  if (when == "torn") {
    const std::string bytes = EncodeState(state);
    WriteFile(directory_ / kFolder / "state.json.tmp", bytes.substr(0, bytes.size() / 2));
  }
  if (when == "after") {
    EXPECT_TRUE(life_->store.Save(Subject(), result, state));
  }
  if (when == "reportless") {
    const Status saved = SaveWithout(ReportOf(result), state, result);
    EXPECT_EQ(saved.ok(), result.outcome == ScanOutcome::kFailed) << "which has no report";
  }
  const bool is_saved = when == "after" || when == "reportless";
  if (is_saved) life_->state = std::move(state);
  life_->saved = is_saved;
  Restart();
}

void WatchedTarget::Restart() {
  const TargetState before = life_ ? life_->state : TargetState();
  const bool saved = !life_ || life_->saved;
  life_.reset();  // gives the directory back
  life_ = std::make_unique<Life>(directory_, Now(), Network{loop_, transport_, pacer_, nullptr});
  EXPECT_TRUE(!saved || life_->state == before);
  const std::string& report = life_->state.report;
  EXPECT_TRUE(report.empty() || fs::exists(directory_ / kFolder / report)) << report;
}

std::string WatchedTarget::Shown() const {
  TargetSnapshot target{.name = "app",
                        .registry = "r.example",
                        .repository = "team/app",
                        .state = life_->state,
                        .policy = policy_};
  const Snapshot snapshot{{std::make_shared<const TargetSnapshot>(std::move(target))}};
  return ShownPresence(WriteExposition(TargetFamilies(snapshot), ExpositionFormat::kText)) +
         ShownJournal(life_->state.journal);
}

}  // namespace registry_backend::testing
