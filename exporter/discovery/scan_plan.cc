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
// More than any repository has; a registry that names more is not to be followed.
constexpr std::size_t kMaxTags = 200'000;
constexpr std::size_t kMaxManifests = 500'000;
constexpr std::size_t kMaxBlobs = 2'000'000;
constexpr std::size_t kMaxHosts = 1'000;

constexpr std::string_view kRedirect = "redirect";
constexpr std::string_view kDirect = "direct";

// Takes the front element, if there is one.
std::optional<std::string> TakeFront(std::deque<std::string>& queue) {
  if (queue.empty()) return std::nullopt;
  std::string front = std::move(queue.front());
  queue.pop_front();
  return front;
}

Error RedirectError(const std::string& what, const Url& where) {
  return {ErrorKind::kProtocol,
          what + " is redirected to " + where.host().text() + ", which is followed for blobs only"};
}

}  // namespace

ScanPlan::ScanPlan(ScanOptions options, ScanHints hints, Host registry)
    : options_(options), hints_(std::move(hints)), registry_(std::move(registry)) {}

std::optional<Operation> ScanPlan::Next() {
  std::optional<Operation> next = NextOfRepository();
  if (!next) next = NextWitness();
  if (next) ++under_way_;
  return next;
}

std::optional<Operation> ScanPlan::NextOfRepository() {
  if (auto digest = TakeFront(blob_queue_)) {
    return Operation{Operation::Kind::kBlob, *std::move(digest)};
  }
  while (auto reference = TakeFront(manifest_queue_)) {
    // A tag may have brought it meanwhile.
    const auto known = manifests_.find(*reference);
    if (known != manifests_.end() && known->second.found) continue;
    return Operation{Operation::Kind::kManifest, *std::move(reference)};
  }
  if (auto page = std::exchange(next_page_, std::nullopt)) {
    return Operation{Operation::Kind::kTags, *std::move(page)};
  }
  return std::nullopt;
}

void ScanPlan::Finish(const Operation& operation, Result<Answer> answer) {
  --under_way_;
  if (answer) Observe(Serves::kApi, registry_, std::string(kDirect));
  switch (operation.kind) {
    case Operation::Kind::kTags:
      OnTags(operation, std::move(answer));
      break;
    case Operation::Kind::kManifest:
      OnManifest(operation.reference, std::move(answer));
      break;
    case Operation::Kind::kBlob:
      if (witnesses_called_) {
        OnWitness(operation.reference, answer);
      } else {
        OnBlob(operation.reference, answer);
      }
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
  if (const auto* elsewhere = std::get_if<Elsewhere>(&answer.value())) {
    Fail(ScanError::Scope::kTarget, "", RedirectError("the tag list", elsewhere->url));
    SelectTags();
    return;
  }
  auto& page = std::get<TagPage>(answer.value());
  first_page_seen_ = true;
  pages_asked_.insert(operation.reference);
  for (const std::string& name : page.rejected) {
    ++rejected_tags_;
    Fail(ScanError::Scope::kTag, name, {ErrorKind::kProtocol, "'" + name + "' is no valid tag"});
  }
  std::ranges::move(page.tags, std::back_inserter(listed_));
  const bool endless = pages_asked_.size() >= kMaxTagPages ||
                       listed_.size() + tags_.size() + rejected_tags_ > kMaxTags ||
                       (page.next && pages_asked_.contains(page.next->text()));
  if (endless) {
    Fail(ScanError::Scope::kTarget, "",
         {ErrorKind::kProtocol, "the tag list has no end, or its pages form a loop"});
    listed_.resize(std::min(listed_.size(), kMaxTags));
  } else if (page.next) {
    next_page_ = page.next->text();
  } else {
    all_pages_seen_ = true;
  }
  // Which tags are the newest is known at the end of the list only.
  if (options_.newest_tags == 0 || !next_page_) SelectTags();
}

void ScanPlan::SelectTags() {
  SortNewestFirst(listed_);
  listed_.erase(std::unique(listed_.begin(), listed_.end()), listed_.end());
  if (options_.newest_tags != 0 && listed_.size() > options_.newest_tags) {
    listed_.resize(options_.newest_tags);
  }
  for (std::string& tag : listed_) {
    if (tags_.try_emplace(tag).second) manifest_queue_.push_back(std::move(tag));
  }
  listed_.clear();
}

void ScanPlan::OnManifest(const std::string& reference, Result<Answer> answer) {
  if (!answer) {
    FailManifest(reference, answer.error());
    return;
  }
  if (const auto* elsewhere = std::get_if<Elsewhere>(&answer.value())) {
    Observe(Serves::kManifests, elsewhere->url.host(), std::string(kRedirect));
    FailManifest(reference, RedirectError("manifest " + reference, elsewhere->url));
    return;
  }
  const auto& fetched = std::get<FetchedManifest>(answer.value());
  const bool is_digest = IsDigest(reference);
  if (!is_digest) tags_[reference].digest = fetched.digest;
  Learn(fetched, is_digest ? manifests_[reference].depth : 0);
}

void ScanPlan::FailManifest(const std::string& reference, const Error& error) {
  if (IsDigest(reference)) {
    manifests_[reference].failed = true;
    Fail(ScanError::Scope::kManifest, reference, error);
  } else {
    tags_[reference].failed = true;
    Fail(ScanError::Scope::kTag, reference, error);
  }
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
  if (manifests_.size() >= kMaxManifests && !manifests_.contains(digest)) {
    FailOverflow("manifests");
    return;
  }
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
  if (blobs_.size() >= kMaxBlobs && !blobs_.contains(digest)) {
    FailOverflow("blobs");
    return;
  }
  if (blobs_.try_emplace(digest).second) blob_queue_.push_back(digest);
}

void ScanPlan::FailOverflow(std::string_view what) {
  if (std::exchange(overflowed_, true)) return;
  Fail(ScanError::Scope::kTarget, "",
       {ErrorKind::kProtocol, "the repository names more " + std::string(what) + " than can be"});
}

void ScanPlan::OnBlob(const std::string& digest, const Result<Answer>& answer) {
  BlobState& state = blobs_[digest];
  if (!answer) {
    state.failed = true;
    Fail(ScanError::Scope::kBlob, digest, answer.error());
    return;
  }
  const auto& source = std::get<BlobSource>(answer.value());
  const EndpointKey key{Serves::kBlobs, source.url.host()};
  if (result_.endpoints.size() >= kMaxHosts && !result_.endpoints.contains(key)) {
    state.failed = true;
    Fail(ScanError::Scope::kBlob, digest,
         {ErrorKind::kProtocol,
          "its blobs are at more than " + std::to_string(kMaxHosts) + " hosts"});
    return;
  }
  EndpointInfo info = Classify(source.url);
  info.delivery = source.redirected ? kRedirect : kDirect;
  const auto [endpoint, added] = result_.endpoints.try_emplace(key);
  if (added) {
    endpoint->second.info = std::move(info);
  } else {
    KeepCommon(endpoint->second.info, info);
  }
  ++endpoint->second.blobs;
  state.host = source.url.host();
}

// The repository has been walked to its end; who was not met?
void ScanPlan::CallWitnesses() {
  witnesses_called_ = true;
  for (const auto& [host, digests] : hints_.witnesses) {
    if (result_.endpoints.contains({Serves::kBlobs, host})) continue;
    for (const std::string& digest : digests) {
      // What this scan has asked for has answered for itself.
      if (!blobs_.contains(digest)) witness_queue_.push_back({host, digest});
    }
  }
}

std::optional<Operation> ScanPlan::NextWitness() {
  if (!witnesses_called_) {
    if (under_way_ > 0 || !result_.reasons.empty()) return std::nullopt;
    CallWitnesses();
  }
  while (!witness_queue_.empty()) {
    Witness witness = std::move(witness_queue_.front());
    witness_queue_.pop_front();
    if (result_.witnessed.contains(witness.host)) continue;  // one is enough
    Operation operation{Operation::Kind::kBlob, witness.digest};
    witnesses_asked_.emplace(std::move(witness.digest), std::move(witness.host));
    return operation;
  }
  return std::nullopt;
}

// A digest that the registry no longer has says nothing. Any other failure leaves open whether the
// host still serves it, and only what is known to be so makes an endpoint absent.
void ScanPlan::OnWitness(const std::string& digest, const Result<Answer>& answer) {
  const auto asked = witnesses_asked_.find(digest);
  const Host host = asked->second;
  witnesses_asked_.erase(asked);
  if (answer) {
    const Host& named = std::get<BlobSource>(*answer).url.host();
    if (named == host) result_.witnessed.insert(host);
  } else if (answer.error().status != 404 && answer.error().status != 410) {
    result_.witnessed.insert(host);
  }
}

void ScanPlan::Fail(ScanError::Scope scope, const std::string& name, const Error& error) {
  const bool by_tag = scope == ScanError::Scope::kTag;
  result_.AddError({scope, by_tag ? name : "", by_tag ? "" : name, error});
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
  const bool nothing_resolved = result.unresolved.tags == result.asked.tags;
  if (!first_page_seen_ || nothing_resolved) return ScanOutcome::kFailed;
  const bool complete = all_pages_seen_ && result.unresolved.total() == 0 && result.reasons.empty();
  return complete ? ScanOutcome::kComplete : ScanOutcome::kPartial;
}

ScanResult ScanPlan::Take(const std::optional<Error>& cut_short) && {
  if (cut_short) {
    SelectTags();
    FailLeftOver(*cut_short);
  }
  // Not what a repository that people pull from looks like: rather rights that were taken away.
  if (all_pages_seen_ && tags_.empty() && rejected_tags_ == 0) {
    Fail(ScanError::Scope::kTarget, "", {ErrorKind::kProtocol, "the tag list is empty"});
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
  result_.asked = {tags_.size() + rejected_tags_, manifests_.size(), blobs_.size()};
  result_.unresolved.tags += rejected_tags_;
  result_.outcome = JudgeOutcome(result_);
  return std::move(result_);
}

}  // namespace registry_backend
