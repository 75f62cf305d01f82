#include "exporter/discovery/scan_result.h"

#include <algorithm>
#include <utility>

#include "exporter/registry/manifest.h"

namespace registry_backend {
namespace {

constexpr std::string_view kAttestation = "unknown/unknown";  // what buildx calls their platform
constexpr int kMaxDepth = 5;

// Finds the images below one manifest.
class ImageWalk {
 public:
  ImageWalk(const ScanResult& result, std::size_t& budget) : result_(result), budget_(budget) {}

  // Whether the budget sufficed. Deeper than the plan follows an index there is only what other
  // tags brought.
  bool Visit(std::string_view digest, std::string_view platform, int depth = 0) {
    if (!Pay(1)) return false;
    const auto found = result_.manifests.find(digest);
    if (depth > kMaxDepth || found == result_.manifests.end() ||
        !visited_.insert(found->first).second) {
      return true;
    }
    const ScannedManifest& manifest = found->second;
    if (!Pay(manifest.layers.size())) return false;
    for (const ScannedPlatform& child : manifest.manifests) {
      if (!Visit(child.digest, child.platform, depth + 1)) return false;
    }
    if (!manifest.is_index) images_.push_back({digest, platform, &manifest});
    return true;
  }

  std::vector<ScannedImage> Take() && { return std::move(images_); }

 private:
  bool Pay(std::size_t price) {
    const bool enough = price <= budget_;
    budget_ = enough ? budget_ - price : 0;
    return enough;
  }

  const ScanResult& result_;
  std::size_t& budget_;
  std::set<std::string_view> visited_;  // an index may name a manifest many times
  std::vector<ScannedImage> images_;
};

}  // namespace

std::string_view ServesName(Serves serves) {
  switch (serves) {
    case Serves::kApi:
      return "api";
    case Serves::kTokens:
      return "tokens";
    case Serves::kManifests:
      return "manifests";
    case Serves::kBlobs:
      return "blobs";
  }
  return "";
}

std::string_view OutcomeName(ScanOutcome outcome) {
  switch (outcome) {
    case ScanOutcome::kComplete:
      return "complete";
    case ScanOutcome::kPartial:
      return "partial";
    case ScanOutcome::kFailed:
      return "failed";
  }
  return "";
}

std::string_view ScopeName(ScanError::Scope scope) {
  switch (scope) {
    case ScanError::Scope::kTarget:
      return "target";
    case ScanError::Scope::kTag:
      return "tag";
    case ScanError::Scope::kManifest:
      return "manifest";
    case ScanError::Scope::kBlob:
      return "blob";
  }
  return "";
}

void KeepCommon(EndpointInfo& info, const EndpointInfo& other) {
  const auto keep = [](std::string& mine, const std::string& theirs) {
    if (mine != theirs) mine.clear();
  };
  keep(info.provider, other.provider);
  keep(info.bucket, other.bucket);
  keep(info.storage_region, other.storage_region);
  keep(info.delivery, other.delivery);
  keep(info.scheme, other.scheme);
}

ScanCounts& ScanCounts::operator+=(const ScanCounts& more) {
  tags += more.tags;
  manifests += more.manifests;
  blobs += more.blobs;
  return *this;
}

double ScanResult::coverage() const {
  if (asked.total() == 0) return 0;
  return static_cast<double>(asked.total() - unresolved.total()) /
         static_cast<double>(asked.total());
}

const Host* ScanResult::HostOfBlob(std::string_view digest) const {
  const auto blob = blobs.find(digest);
  return blob == blobs.end() ? nullptr : &routes[blob->second].back();
}

bool ScannedImage::is_artifact() const { return manifest->is_artifact || platform == kAttestation; }

bool ScannedImage::names_platform() const { return platform != kUnnamedPlatform; }

std::optional<std::vector<ScannedImage>> ScanResult::ImagesBelow(std::string_view digest,
                                                                 std::size_t& budget) const {
  ImageWalk walk(*this, budget);
  if (!walk.Visit(digest, kUnnamedPlatform)) return std::nullopt;
  return std::move(walk).Take();
}

void ScanResult::AddError(ScanError error) {
  ErrorsOfKind& kind = reasons[error.error.kind];
  if (kind.count++ == 0) kind.first = error.error;
  if (errors.size() < kMaxErrors) errors.push_back(std::move(error));
}

void ScanResult::AddUnpullable(ScanError thing) {
  switch (thing.scope) {
    case ScanError::Scope::kTag:
      ++unpullable.tags;
      break;
    case ScanError::Scope::kManifest:
      ++unpullable.manifests;
      break;
    case ScanError::Scope::kBlob:
      ++unpullable.blobs;
      break;
    case ScanError::Scope::kTarget:
      return;
  }
  if (unpullable_things.size() < kMaxErrors) unpullable_things.push_back(std::move(thing));
}

const Error* ScanResult::main_error() const {
  const auto on_target = std::ranges::find(errors, ScanError::Scope::kTarget, &ScanError::scope);
  if (on_target != errors.end()) return &on_target->error;
  const auto most =
      std::ranges::max_element(reasons, {}, [](const auto& reason) { return reason.second.count; });
  return most == reasons.end() ? nullptr : &most->second.first;
}

ScanResult ScanThatCouldNotBegin(const Error& why, WallTime now) {
  ScanResult result;
  result.started = result.finished = now;
  result.AddError({ScanError::Scope::kTarget, "", "", why});
  return result;
}

}  // namespace registry_backend
