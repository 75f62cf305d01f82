#include "exporter/discovery/scan_result.h"

#include <algorithm>
#include <utility>

namespace registry_backend {

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
