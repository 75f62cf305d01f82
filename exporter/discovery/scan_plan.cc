#include "exporter/discovery/scan_plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "exporter/discovery/classify.h"
#include "exporter/discovery/tag_order.h"
#include "exporter/registry/digest.h"

namespace registry_backend {
namespace {

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

ScanError::Scope ScopeOf(const Operation& operation) {
  if (operation.kind == Operation::Kind::kBlob) return ScanError::Scope::kBlob;
  return IsDigest(operation.reference) ? ScanError::Scope::kManifest : ScanError::Scope::kTag;
}

Error RedirectError(const std::string& what, const Url& where) {
  return {ErrorKind::kProtocol,
          what + " is redirected to " + where.host().text() + ", which is followed for blobs only"};
}

}  // namespace

ScanPlan::ScanPlan(ScanOptions options, ScanHints hints, Host registry)
    : options_(std::move(options)), hints_(std::move(hints)), registry_(std::move(registry)) {
  for (const std::string& reference : hints_.unresolved) {
    hinted_.emplace(reference, hinted_.size());
  }
}

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
    if (!IsFound(*reference)) return Operation{Operation::Kind::kManifest, *std::move(reference)};
  }
  if (auto page = std::exchange(next_page_, std::nullopt)) {
    return Operation{Operation::Kind::kTags, *std::move(page)};
  }
  // In rounds: what becomes doubtful in one is asked for in the next, when all else is done.
  if (under_way_ == 0 && confirm_now_ == 0) confirm_now_ = confirm_queue_.size();
  while (confirm_now_ > 0) {
    --confirm_now_;
    Operation again = std::move(confirm_queue_.front());
    confirm_queue_.pop_front();
    const bool is_manifest = again.kind == Operation::Kind::kManifest;
    if (!is_manifest || !IsFound(again.reference)) return again;
  }
  return std::nullopt;
}

// A manifest that is to be asked for by its digest may have been brought by a tag meanwhile.
bool ScanPlan::IsFound(const std::string& digest) const {
  const auto known = manifests_.find(digest);
  return known != manifests_.end() && known->second.found;
}

void ScanPlan::Finish(const Operation& operation, Result<Answer> answer) {
  --under_way_;
  ++finished_;
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

ScanPlan::Progress ScanPlan::progress() const {
  const std::size_t waiting =
      blob_queue_.size() + manifest_queue_.size() + confirm_queue_.size() + (next_page_ ? 1 : 0);
  return {finished_, finished_ + under_way_ + waiting};
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
    if (!options_.tags.Matches(name)) continue;
    ++rejected_tags_;
    const Error why{ErrorKind::kProtocol, "'" + name + "' is no valid tag"};
    result_.AddUnpullable({ScanError::Scope::kTag, name, "", why});
  }
  tags_seen_ += page.tags.size() + page.rejected.size();
  std::ranges::copy_if(page.tags, std::back_inserter(listed_),
                       [this](const std::string& tag) { return options_.tags.Matches(tag); });
  const bool endless = pages_asked_.size() >= kMaxTagPages || tags_seen_ > kMaxTags ||
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
  // Which tags are the newest, and which were unresolved, is known at the end of the list only.
  const bool any_order = options_.newest_tags == 0 && hinted_.empty();
  if (any_order || !next_page_) SelectTags();
}

void ScanPlan::SelectTags() {
  SortNewestFirst(listed_);
  listed_.erase(std::unique(listed_.begin(), listed_.end()), listed_.end());
  if (options_.newest_tags != 0 && listed_.size() > options_.newest_tags) {
    listed_.resize(options_.newest_tags);
  }
  std::ranges::stable_sort(listed_, {}, [this](const std::string& tag) {
    const auto hint = hinted_.find(tag);
    return hint == hinted_.end() ? hinted_.size() : hint->second;
  });
  for (std::string& tag : listed_) {
    if (tags_.try_emplace(tag).second) manifest_queue_.push_back(std::move(tag));
  }
  listed_.clear();
}

void ScanPlan::OnManifest(const std::string& reference, Result<Answer> answer) {
  const Operation operation{Operation::Kind::kManifest, reference};
  if (!answer) {
    OnFailure(operation, answer.error());
    return;
  }
  if (const auto* unpullable = std::get_if<Unpullable>(&*answer)) {
    OnUnpullable(operation, unpullable->why);
    return;
  }
  if (const auto* elsewhere = std::get_if<Elsewhere>(&*answer)) {
    Observe(Serves::kManifests, elsewhere->url.host(), std::string(kRedirect));
    OnFailure(operation, RedirectError("manifest " + reference, elsewhere->url));
    return;
  }
  StandingOf(operation) = Standing::kOpen;
  const auto& fetched = std::get<FetchedManifest>(*answer);
  const bool is_digest = IsDigest(reference);
  if (!is_digest) {
    tags_[reference].digest = fetched.digest;
    last_tag_ = reference;
  }
  Learn(fetched, is_digest ? manifests_[reference].depth : 0);
}

ScanPlan::Standing& ScanPlan::StandingOf(const Operation& operation) {
  const std::string& reference = operation.reference;
  if (operation.kind == Operation::Kind::kBlob) return blobs_[reference].standing;
  return IsDigest(reference) ? manifests_[reference].standing : tags_[reference].standing;
}

// Said once it may be the registry's bad moment: asked again at the end.
void ScanPlan::OnUnpullable(const Operation& operation, const Error& why) {
  Standing& standing = StandingOf(operation);
  if (standing == Standing::kOpen) {
    standing = Standing::kDoubtful;
    confirm_queue_.push_back(operation);
    return;
  }
  standing = Standing::kUnpullable;
  const ScanError::Scope scope = ScopeOf(operation);
  const bool by_tag = scope == ScanError::Scope::kTag;
  result_.AddUnpullable(
      {scope, by_tag ? operation.reference : "", by_tag ? "" : operation.reference, why});
}

void ScanPlan::OnFailure(const Operation& operation, const Error& error) {
  StandingOf(operation) = Standing::kFailed;
  Fail(ScopeOf(operation), operation.reference, error);
}

void ScanPlan::Learn(const FetchedManifest& fetched, int depth) {
  ManifestState& state = manifests_[fetched.digest];
  if (state.found) return;
  const Manifest& manifest = *fetched.manifest;
  ScannedManifest scanned{.media_type = manifest.media_type,
                          .size = fetched.size,
                          .is_index = manifest.is_index,
                          .is_artifact = manifest.is_artifact};
  std::vector<const Descriptor*> selected;
  for (const Descriptor& child : manifest.manifests) {
    if (!IsSelected(child)) {
      left_out_any_ = true;
      continue;
    }
    selected.push_back(&child);
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
  state.standing = Standing::kOpen;
  state.found = std::move(scanned);
  for (const Descriptor* child : selected) WantManifest(child->digest, depth + 1);
  for (const Descriptor& blob : manifest.blobs) WantBlob(blob);
}

// One whose platform is not named may be for any: a nested index, for instance.
bool ScanPlan::IsSelected(const Descriptor& child) const {
  if (options_.platforms.empty() || child.platform == kUnnamedPlatform) return true;
  return std::ranges::any_of(options_.platforms, [&child](const std::string& platform) {
    return child.platform == platform || child.platform.starts_with(platform + "/");
  });
}

// What an earlier scan had no answer for goes first.
void ScanPlan::Queue(std::deque<std::string>& queue, const std::string& reference) const {
  if (hinted_.contains(reference)) {
    queue.push_front(reference);
  } else {
    queue.push_back(reference);
  }
}

void ScanPlan::WantManifest(const std::string& digest, int depth) {
  if (manifests_.size() >= kMaxManifests && !manifests_.contains(digest)) {
    FailOverflow("manifests");
    return;
  }
  if (!manifests_.try_emplace(digest, ManifestState{depth, std::nullopt}).second) return;
  if (depth <= kMaxIndexDepth) {
    Queue(manifest_queue_, digest);
    return;
  }
  OnFailure(
      {Operation::Kind::kManifest, digest},
      {ErrorKind::kProtocol, "indexes are nested more than " + std::to_string(kMaxIndexDepth) +
                                 " deep at manifest " + digest});
}

void ScanPlan::WantBlob(const Descriptor& blob) {
  if (blobs_.size() >= kMaxBlobs && !blobs_.contains(blob.digest)) {
    FailOverflow("blobs");
    return;
  }
  if (!blobs_.try_emplace(blob.digest).second) return;
  if (blob.urls.empty()) {
    Queue(blob_queue_, blob.digest);
    return;
  }
  // A foreign layer: clients ask each of these hosts until one has it, and the registry never.
  for (const Url& url : blob.urls) CountBlob(blob.digest, url, "");
}

void ScanPlan::FailOverflow(std::string_view what) {
  if (std::exchange(overflowed_, true)) return;
  Fail(ScanError::Scope::kTarget, "",
       {ErrorKind::kProtocol, "the repository names more " + std::string(what) + " than can be"});
}

void ScanPlan::OnBlob(const std::string& digest, const Result<Answer>& answer) {
  const Operation operation{Operation::Kind::kBlob, digest};
  if (!answer) {
    OnFailure(operation, answer.error());
    return;
  }
  if (const auto* unpullable = std::get_if<Unpullable>(&*answer)) {
    OnUnpullable(operation, unpullable->why);
    return;
  }
  const auto& source = std::get<BlobSource>(*answer);
  if (CountBlob(digest, source.url, source.redirected ? kRedirect : kDirect)) {
    StandingOf(operation) = Standing::kOpen;
  }
}

// Notes that the blob's bytes come from `source`; false, and the blob fails, where that is one host
// too many.
bool ScanPlan::CountBlob(const std::string& digest, const Url& source, std::string_view delivery) {
  const EndpointKey key{Serves::kBlobs, source.host()};
  if (result_.endpoints.size() >= kMaxHosts && !result_.endpoints.contains(key)) {
    OnFailure({Operation::Kind::kBlob, digest},
              {ErrorKind::kProtocol,
               "its blobs are at more than " + std::to_string(kMaxHosts) + " hosts"});
    return false;
  }
  EndpointInfo info = Classify(source);
  info.delivery = delivery;
  const auto [endpoint, added] = result_.endpoints.try_emplace(key);
  if (added) {
    endpoint->second.info = std::move(info);
  } else {
    KeepCommon(endpoint->second.info, info);
  }
  ++endpoint->second.blobs;
  blobs_[digest].host = source.host();
  return true;
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
  if (!answer) {
    result_.witnessed.insert(host);
  } else if (const auto* source = std::get_if<BlobSource>(&*answer)) {
    if (source->url.host() == host) result_.witnessed.insert(host);
  }
}

void ScanPlan::Fail(ScanError::Scope scope, const std::string& name, const Error& error) {
  const bool by_tag = scope == ScanError::Scope::kTag;
  result_.AddError({scope, by_tag ? name : "", by_tag ? "" : name, error});
}

}  // namespace registry_backend
