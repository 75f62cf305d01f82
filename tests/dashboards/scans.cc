// How a situation of the story becomes what a scan finds of it.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "exporter/discovery/classify.h"
#include "tests/dashboards/story.h"

namespace registry_backend::testing {
namespace {

constexpr const char* kIndex = "application/vnd.oci.image.index.v1+json";
constexpr const char* kImage = "application/vnd.docker.distribution.manifest.v2+json";
// Of which the page and /metrics know more than the name.
constexpr std::size_t kKnownTags = 20;

std::size_t ImagesOf(const WatchedRepository& watched) {
  return std::max<std::size_t>(1, watched.platforms.size());
}

ScanCounts CountsOf(const WatchedRepository& watched, const Situation& situation) {
  const std::size_t images = ImagesOf(watched);
  const std::size_t tags = situation.tags.size();
  // Tags share many of their layers.
  const std::size_t layers = 3 + watched.layers * images * tags * 3 / 5;
  return {tags, tags * (watched.platforms.empty() ? 1 : images + 1), layers + tags * images};
}

std::uint64_t Part(std::uint64_t of, double share) {
  return static_cast<std::uint64_t>(std::llround(static_cast<double>(of) * share));
}

ScannedManifest Image(TextArena& texts, const std::string& digest, std::size_t layers) {
  ScannedManifest image{.media_type = kImage, .size = 3117};
  image.config = texts.Keep(digest + "/config");
  for (std::size_t i = 0; i < layers; ++i) {
    image.layers.push_back(texts.Keep(fmt::format("{}/{}", digest, i)));
  }
  return image;
}

void AddTag(TextArena& texts, const WatchedRepository& watched, const std::string& name,
            ScanResult& result) {
  const std::string digest = "sha256:" + name;
  const std::string_view kept = texts.Keep(digest);
  result.tags.push_back({texts.Keep(name), kept});
  if (result.tags.size() > kKnownTags) return;
  if (watched.platforms.empty()) {
    result.manifests[kept] = Image(texts, digest, watched.layers);
    return;
  }
  ScannedManifest index{.media_type = kIndex, .size = 1609, .is_index = true};
  for (const std::string& platform : watched.platforms) {
    const std::string_view image = texts.Keep(digest + "/" + platform);
    index.manifests.push_back({texts.Keep(platform), image});
    result.manifests[image] = Image(texts, std::string(image), watched.layers);
  }
  result.manifests[kept] = std::move(index);
}

void AddHosts(const Situation& situation, std::uint64_t blobs, ScanResult& result) {
  for (const ServingHost& host : situation.hosts) {
    const Host name = *Host::Parse(host.host);
    EndpointInfo info = ClassifyHost(name);
    info.delivery = host.serves == Serves::kTokens ? "" : host.delivery;
    info.scheme = "https";
    const bool some = host.serves == Serves::kBlobs && host.share > 0;
    result.endpoints[{host.serves, name}] = {
        info, some ? std::max<std::uint64_t>(1, Part(blobs, host.share)) : 0};
  }
}

}  // namespace

std::size_t RequestsOf(const WatchedRepository& watched, const Situation& situation) {
  if (situation.trouble && situation.trouble->share >= 1) return 2;
  return 1 + CountsOf(watched, situation).total();
}

ScanResult ScanOf(const WatchedRepository& watched, const Situation& situation, WallTime started,
                  Duration took) {
  ScanResult result;
  result.started = started;
  result.took = took;
  result.finished = started + std::chrono::duration_cast<WallClock::duration>(took);
  if (situation.trouble && situation.trouble->share >= 1) {
    result.AddError(
        {ScanError::Scope::kTarget, "", "", {situation.trouble->kind, situation.trouble->message}});
    return result;
  }
  auto texts = std::make_shared<TextArena>();
  result.outcome = ScanOutcome::kComplete;
  result.asked = CountsOf(watched, situation);
  for (const std::string& tag : situation.tags) AddTag(*texts, watched, tag, result);
  result.texts = std::move(texts);
  std::uint64_t answered = result.asked.blobs;
  if (situation.trouble) {
    result.outcome = ScanOutcome::kPartial;
    result.unresolved = {0, Part(result.asked.manifests, situation.trouble->share / 4),
                         Part(result.asked.blobs, situation.trouble->share)};
    answered -= result.unresolved.blobs;
    for (std::uint64_t i = 0; i < result.unresolved.blobs; ++i) {
      result.AddError({ScanError::Scope::kBlob,
                       "",
                       fmt::format("sha256:{:064x}", i),
                       {situation.trouble->kind, situation.trouble->message}});
    }
  } else if (watched.name == "nginx") {
    result.unpullable = {2, 0, 0};  // tags of long ago, in a form that nobody pulls any more
  }
  AddHosts(situation, answered, result);
  return result;
}

}  // namespace registry_backend::testing
