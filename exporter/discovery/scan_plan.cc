#include "exporter/discovery/scan_plan.h"

#include <algorithm>
#include <utility>

#include "exporter/discovery/classify.h"
#include "exporter/discovery/tag_order.h"
#include "exporter/registry/digest.h"

namespace registry_backend {
namespace {

constexpr int kMaxIndexDepth = 4;
constexpr std::size_t kMaxTagPages = 10'000;
constexpr std::size_t kMaxTags = 200'000;

constexpr std::string_view kRedirect = "redirect";
constexpr std::string_view kDirect = "direct";

// Takes the front element, if there is one.
std::optional<std::string> TakeFront(std::deque<std::string>& queue) {
  if (queue.empty()) return std::nullopt;
  std::string front = std::move(queue.front());
  queue.pop_front();
  return front;
}

}  // namespace

ScanPlan::ScanPlan(ScanOptions options, Host registry)
    : options_(options), registry_(std::move(registry)) {}

std::optional<Operation> ScanPlan::Next() {
  if (auto digest = TakeFront(blob_queue_)) {
    return Operation{Operation::Kind::kBlob, *std::move(digest)};
  }
  if (auto reference = TakeFront(manifest_queue_)) {
    return Operation{Operation::Kind::kManifest, *std::move(reference)};
  }
  if (auto page = std::exchange(next_page_, std::nullopt)) {
    return Operation{Operation::Kind::kTags, *std::move(page)};
  }
  return std::nullopt;
}

void ScanPlan::Finish(const Operation& operation, Result<Answer> answer) {
  if (answer) Observe(Serves::kApi, registry_, std::string(kDirect));
  switch (operation.kind) {
    case Operation::Kind::kTags:
      OnTags(operation, std::move(answer));
      break;
    case Operation::Kind::kManifest:
      OnManifest(operation.reference, std::move(answer));
      break;
    case Operation::Kind::kBlob:
      OnBlob(operation.reference, answer);
      break;
  }
}

void ScanPlan::Observe(Serves serves, const Host& host, const std::string& delivery) {
  const auto [endpoint, added] = result_.endpoints.try_emplace(EndpointKey{serves, host});
  if (added) endpoint->second.info.delivery = delivery;
}

void ScanPlan::OnTags(const Operation& operation, Result<Answer> answer) {
  if (!answer) {
    Fail(ScanError::Scope::kTarget, "", answer.error());
    SelectTags();
    return;
  }
  auto& page = std::get<TagPage>(answer.value());
  first_page_seen_ = true;
  pages_asked_.insert(operation.reference);
  for (const std::string& name : page.rejected) {
    tags_[name].failed = true;
    Fail(ScanError::Scope::kTag, name, {ErrorKind::kProtocol, "'" + name + "' is no valid tag"});
  }
  std::ranges::move(page.tags, std::back_inserter(listed_));
  if (page.next) {
    std::string next = page.next->text();
    if (pages_asked_.contains(next) || pages_asked_.size() >= kMaxTagPages ||
        listed_.size() + tags_.size() > kMaxTags) {
      Fail(ScanError::Scope::kTarget, "",
           {ErrorKind::kProtocol, page.next->shown() + ": the pages of the tag list have no end"});
    } else {
      next_page_ = std::move(next);
    }
  } else {
    all_pages_seen_ = true;
  }
  // Which tags are the newest is known at the end of the list only.
  if (options_.newest_tags == 0 || !next_page_) SelectTags();
}

void ScanPlan::SelectTags() {
  SortNewestFirst(listed_);
  const auto repeated = std::ranges::unique(listed_);
  listed_.erase(repeated.begin(), repeated.end());
  if (options_.newest_tags != 0 && listed_.size() > options_.newest_tags) {
    listed_.resize(options_.newest_tags);
  }
  for (std::string& tag : listed_) {
    if (tags_.try_emplace(tag).second) manifest_queue_.push_back(std::move(tag));
  }
  listed_.clear();
}

void ScanPlan::OnManifest(const std::string& reference, Result<Answer> answer) {
  const bool is_digest = IsDigest(reference);
  if (!answer) {
    if (is_digest) {
      manifests_[reference].failed = true;
      Fail(ScanError::Scope::kManifest, reference, answer.error());
    } else {
      tags_[reference].failed = true;
      Fail(ScanError::Scope::kTag, reference, answer.error());
    }
    return;
  }
  const auto& fetched = std::get<FetchedManifest>(answer.value());
  if (!is_digest) tags_[reference].digest = fetched.digest;
  Learn(fetched, is_digest ? manifests_[reference].depth : 0);
}

void ScanPlan::Learn(const FetchedManifest& fetched, int depth) {
  ManifestState& state = manifests_[fetched.digest];
  if (state.found) return;
  const Manifest& manifest = fetched.manifest;
  ScannedManifest scanned{manifest.media_type, fetched.size, manifest.is_index, {}, {}, {}};
  for (const Descriptor& child : manifest.manifests) {
    scanned.manifests.push_back({child.platform, child.digest});
  }
  for (const Descriptor& blob : manifest.blobs) {
    if (&blob == &manifest.blobs.front()) {
      scanned.config = blob.digest;
    } else {
      scanned.layers.push_back(blob.digest);
    }
  }
  state.depth = depth;
  state.failed = false;
  state.found = std::move(scanned);
  for (const Descriptor& child : manifest.manifests) WantManifest(child.digest, depth + 1);
  for (const Descriptor& blob : manifest.blobs) WantBlob(blob.digest);
}

void ScanPlan::WantManifest(const std::string& digest, int depth) {
  if (!manifests_.try_emplace(digest, ManifestState{depth, std::nullopt, false}).second) return;
  if (depth <= kMaxIndexDepth) {
    manifest_queue_.push_back(digest);
    return;
  }
  manifests_[digest].failed = true;
  Fail(ScanError::Scope::kManifest, digest,
       {ErrorKind::kProtocol, "indexes are nested more than " + std::to_string(kMaxIndexDepth) +
                                  " deep at manifest " + digest});
}

void ScanPlan::WantBlob(const std::string& digest) {
  if (blobs_.try_emplace(digest).second) blob_queue_.push_back(digest);
}

void ScanPlan::OnBlob(const std::string& digest, const Result<Answer>& answer) {
  BlobState& state = blobs_[digest];
  if (!answer) {
    state.failed = true;
    Fail(ScanError::Scope::kBlob, digest, answer.error());
    return;
  }
  const auto& source = std::get<BlobSource>(answer.value());
  EndpointInfo info = Classify(source.url);
  info.delivery = source.redirected ? kRedirect : kDirect;
  const auto [endpoint, added] =
      result_.endpoints.try_emplace(EndpointKey{Serves::kBlobs, source.url.host()});
  if (added) {
    endpoint->second.info = std::move(info);
  } else {
    KeepCommon(endpoint->second.info, info);
  }
  ++endpoint->second.blobs;
  state.host = source.url.host();
}

void ScanPlan::Fail(ScanError::Scope scope, const std::string& name, const Error& error) {
  ++result_.reasons[error.kind];
  if (result_.errors.size() >= ScanResult::kMaxErrors) return;
  const bool by_tag = scope == ScanError::Scope::kTag;
  result_.errors.push_back({scope, by_tag ? name : "", by_tag ? "" : name, error});
}

void ScanPlan::FailLeftOver(const Error& why) {
  Fail(ScanError::Scope::kTarget, "", why);
  for (const auto& [name, tag] : tags_) {
    if (tag.digest.empty() && !tag.failed) Fail(ScanError::Scope::kTag, name, why);
  }
  for (const auto& [digest, manifest] : manifests_) {
    if (!manifest.found && !manifest.failed) Fail(ScanError::Scope::kManifest, digest, why);
  }
  for (const auto& [digest, blob] : blobs_) {
    if (!blob.host && !blob.failed) Fail(ScanError::Scope::kBlob, digest, why);
  }
}

ScanOutcome ScanPlan::JudgeOutcome(const ScanResult& result) const {
  const bool nothing_resolved =
      result.asked.tags > 0 && result.unresolved.tags == result.asked.tags;
  if (!first_page_seen_ || nothing_resolved) return ScanOutcome::kFailed;
  const bool complete = all_pages_seen_ && result.unresolved.total() == 0 && result.reasons.empty();
  return complete ? ScanOutcome::kComplete : ScanOutcome::kPartial;
}

ScanResult ScanPlan::Take(const std::optional<Error>& cut_short) && {
  if (cut_short) {
    SelectTags();
    FailLeftOver(*cut_short);
  }
  std::vector<std::string> names;
  for (const auto& [name, tag] : tags_) names.push_back(name);
  SortNewestFirst(names);
  for (const std::string& name : names) {
    result_.tags.push_back({name, tags_[name].digest});
    if (tags_[name].digest.empty()) ++result_.unresolved.tags;
  }
  for (auto& [digest, manifest] : manifests_) {
    if (manifest.found) {
      result_.manifests.emplace(digest, *std::move(manifest.found));
    } else {
      ++result_.unresolved.manifests;
    }
  }
  for (auto& [digest, blob] : blobs_) {
    if (blob.host) {
      result_.blob_hosts.emplace(digest, *std::move(blob.host));
    } else {
      ++result_.unresolved.blobs;
    }
  }
  result_.asked = {tags_.size(), manifests_.size(), blobs_.size()};
  result_.outcome = JudgeOutcome(result_);
  return std::move(result_);
}

}  // namespace registry_backend
