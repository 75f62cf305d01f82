#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <utility>

#include "exporter/discovery/classify.h"
#include "exporter/inventory/state_codec.h"
#include "exporter/metrics/exposition.h"
#include "exporter/metrics/families.h"
#include "exporter/registry/manifest.h"
#include "exporter/registry/tag_list.h"
#include "tests/bench/stored_inventory.h"
#include "tests/simulator/catalog.h"

// The hot parts that are pure functions.
namespace registry_backend {
namespace {

constexpr const char* kRepository = "team/app";

// A manifest of an image with so many layers, as a registry serves it.
std::string ManifestText(std::size_t layers) {
  const simulator::Catalog catalog =
      simulator::Generate({.repository = kRepository,
                           .tags = 1,
                           .layers_per_tag = layers,
                           .kinds = {simulator::TagKind::kDockerImage}});
  const std::string tag = catalog.Find(kRepository)->tags.begin()->first;
  return *catalog.FindManifest(kRepository, tag)->bytes;
}

void CountBytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(bytes));
}

void BM_ParseManifest(benchmark::State& state) {
  const std::string text = ManifestText(static_cast<std::size_t>(state.range(0)));
  for (auto unused : state) benchmark::DoNotOptimize(ParseManifest(text, kDockerManifest));
  CountBytes(state, text.size());
}
BENCHMARK(BM_ParseManifest)->Arg(10)->Arg(55)->Arg(1000);

void BM_ParseTagList(benchmark::State& state) {
  std::string text = R"({"name":"team/app","tags":[)";
  for (int i = 0; i < state.range(0); ++i) text += "\"v2025" + std::to_string(i) + "-1\",";
  text.back() = ']';
  text += '}';
  for (auto unused : state) benchmark::DoNotOptimize(ParseTagList(text));
  CountBytes(state, text.size());
}
BENCHMARK(BM_ParseTagList)->Arg(100)->Arg(10'000);

const char* const kLocation =
    "https://prod-us-east-1-starport-layer-bucket.s3.dualstack.us-east-1.amazonaws.com/0a1b2c-123/"
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef?X-Amz-Security-Token="
    "IQoJb3JpZ2luX2VjEJ3AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA&"
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20250606T200912Z&X-Amz-SignedHeaders=host&"
    "X-Amz-Expires=3600&X-Amz-Credential=AKIA%2F20250606%2Fus-east-1%2Fs3%2Faws4_request&"
    "X-Amz-Signature=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

void BM_ResolveLocation(benchmark::State& state) {
  const Url asked = *Url::Parse("https://registry.example.com/v2/team/app/blobs/sha256:0");
  for (auto unused : state) benchmark::DoNotOptimize(asked.Resolve(kLocation));
}
BENCHMARK(BM_ResolveLocation);

// The row of the table at its begin, at its end, and none.
void BM_Classify(benchmark::State& state, const char* text) {
  const Url url = *Url::Parse(text);
  for (auto unused : state) benchmark::DoNotOptimize(Classify(url));
}
BENCHMARK_CAPTURE(BM_Classify, s3, kLocation);
BENCHMARK_CAPTURE(BM_Classify, fastly, "https://blobs.example.fastly.net/a/b");
BENCHMARK_CAPTURE(BM_Classify, unknown, "https://storage.example.com/a/b");

Snapshot SnapshotOf(int targets, int endpoints) {
  Snapshot snapshot;
  for (int i = 0; i < targets; ++i) {
    TargetSnapshot target;
    target.name = "target" + std::to_string(i);
    target.registry = "registry.example.com";
    target.repository = "team/app" + std::to_string(i);
    target.state = testing::StateWith(endpoints, WallClock::now());
    snapshot.targets.push_back(std::make_shared<const TargetSnapshot>(std::move(target)));
  }
  return snapshot;
}

void BM_TargetFamilies(benchmark::State& state) {
  const Snapshot snapshot = SnapshotOf(static_cast<int>(state.range(0)), 40);
  for (auto unused : state) benchmark::DoNotOptimize(TargetFamilies(snapshot));
}
BENCHMARK(BM_TargetFamilies)->Arg(1)->Arg(17)->Arg(168);

void BM_WriteExposition(benchmark::State& state) {
  const auto families = TargetFamilies(SnapshotOf(static_cast<int>(state.range(0)), 40));
  std::size_t bytes = 0;
  for (auto unused : state) bytes = WriteExposition(families, ExpositionFormat::kText).size();
  CountBytes(state, bytes);
}
BENCHMARK(BM_WriteExposition)->Arg(1)->Arg(17)->Arg(168);

void BM_EncodeState(benchmark::State& state) {
  const TargetState target = testing::StateWith(static_cast<int>(state.range(0)), WallClock::now());
  for (auto unused : state) benchmark::DoNotOptimize(EncodeState(target));
}
BENCHMARK(BM_EncodeState)->Arg(3)->Arg(500);

void BM_DecodeState(benchmark::State& state) {
  const std::string text =
      EncodeState(testing::StateWith(static_cast<int>(state.range(0)), WallClock::now()));
  for (auto unused : state) benchmark::DoNotOptimize(DecodeState(text));
  CountBytes(state, text.size());
}
BENCHMARK(BM_DecodeState)->Arg(3)->Arg(500);

}  // namespace
}  // namespace registry_backend

BENCHMARK_MAIN();
