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
constexpr std::size_t kMaxBlobs = 1'000'000;
// Manifests may name the same blobs again and again: so many times in all, fewer where there is
// little that they name.
constexpr std::size_t kMaxReferences = 4'000'000;
constexpr std::size_t kFreeReferences = 1'000'000;
constexpr std::size_t kReferencesOfEach = 20;
constexpr std::size_t kMaxNames = 1'000;

constexpr std::string_view kRedirect = "redirect";
constexpr std::string_view kDirect = "direct";

// Takes the front element, if there is one.
std::optional<std::string_view> TakeFront(std::deque<std::string_view>& queue) {
  if (queue.empty()) return std::nullopt;
  const std::string_view front = queue.front();
  queue.pop_front();
  return front;
}

ScanError::Scope ScopeOf(const Operation& operation) {
  if (operation.kind == Operation::Kind::kBlob) return ScanError::Scope::kBlob;
  return IsDigest(operation.reference) ? ScanError::Scope::kManifest : ScanError::Scope::kTag;
}

Error RedirectError(const std::string& what, const Url& where) {
  return {ErrorKind::kProtocol,
          what + " is redirected to " + where.host().text() +
              ", which is not asked: it is no registry's API, or may not be reached that way"};
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
    return Operation{Operation::Kind::kBlob, std::string(*digest)};
  }
  while (const auto reference = TakeFront(manifest_queue_)) {
    if (!IsFound(*reference)) return Operation{Operation::Kind::kManifest, std::string(*reference)};
  }
  if (auto page = std::exchange(next_page_, std::nullopt)) {
    return Operation{Operation::Kind::kTags, *std::move(page)};
  }
  // In rounds: what becomes doubtful in one is asked for in the next, when all else is done.
  if (under_way_ == 0 && confirm_now_ == 0) confirm_now_ = confirm_queue_.size();
  while (confirm_now_ > 0) {
    --confirm_now_;
    const Doubt again = confirm_queue_.front();
    confirm_queue_.pop_front();
    const bool is_manifest = again.kind == Operation::Kind::kManifest;
    if (!is_manifest || !IsFound(again.reference)) {
      return Operation{again.kind, std::string(again.reference)};
    }
  }
  return std::nullopt;
}

// A manifest that is to be asked for by its digest may have been brought by a tag meanwhile.
bool ScanPlan::IsFound(std::string_view digest) const { return result_.manifests.contains(digest); }

void ScanPlan::Finish(const Operation& operation, Result<Answer> answer) {
  --under_way_;
  ++finished_;
  if (answer) Observe(Serves::kApi, registry_, kDirect);
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
  pages_asked_.insert(Sha256Of(operation.reference));
  for (const std::string& name : page.rejected) {
    if (!options_.tags.Matches(name)) continue;
    ++rejected_tags_;
    const Error why{ErrorKind::kProtocol, "'" + name + "' is no valid tag"};
    result_.AddUnpullable({ScanError::Scope::kTag, name, "", why});
  }
  tags_seen_ += page.tags.size() + page.rejected.size();
  for (const std::string& tag : page.tags) {
    if (options_.tags.Matches(tag) && !tags_.contains(tag)) listed_.push_back(texts_->Keep(tag));
  }
  const bool endless = pages_asked_.size() >= kMaxTagPages || tags_seen_ > kMaxTags ||
                       (page.next && pages_asked_.contains(Sha256Of(page.next->text())));
  if (endless) {
    Fail(ScanError::Scope::kTarget, "",
         {ErrorKind::kProtocol, "the tag list has no end, or its pages form a loop"});
    listed_.resize(std::min(listed_.size(), kMaxTags - std::min(kMaxTags, tags_.size())));
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
  std::ranges::stable_sort(listed_, {}, [this](std::string_view tag) {
    const auto hint = hinted_.find(std::string(tag));
    return hint == hinted_.end() ? hinted_.size() : hint->second;
  });
  for (const std::string_view tag : listed_) {
    if (tags_.try_emplace(tag).second) manifest_queue_.push_back(tag);
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
    Site site = SiteAt(elsewhere->url);
    site.info.delivery = kRedirect;
    AddEndpoint({Serves::kManifests, site.host}, std::move(site.info));
    OnFailure(operation, RedirectError("manifest " + reference, elsewhere->url));
    return;
  }
  StandingOf(operation) = Standing::kOpen;
  const auto& fetched = std::get<FetchedManifest>(*answer);
  const bool is_digest = IsDigest(reference);
  const std::string_view digest = Learn(fetched, is_digest ? manifests_.at(reference).depth : 0);
  if (!is_digest) {
    tags_.at(reference).digest = digest;
    ++found_tags_;
    last_tag_ = reference;
  }
}

ScanPlan::Standing& ScanPlan::StandingOf(const Operation& operation) {
  const std::string& reference = operation.reference;
  if (operation.kind == Operation::Kind::kBlob) return blobs_.at(reference);
  return IsDigest(reference) ? manifests_.at(reference).standing : tags_.at(reference).standing;
}

std::string_view ScanPlan::Kept(const Operation& operation) const {
  const std::string& reference = operation.reference;
  if (operation.kind == Operation::Kind::kBlob) return blobs_.find(reference)->first;
  return IsDigest(reference) ? manifests_.find(reference)->first : tags_.find(reference)->first;
}

// Said once it may be the registry's bad moment: asked again at the end.
void ScanPlan::OnUnpullable(const Operation& operation, const Error& why) {
  Standing& standing = StandingOf(operation);
  if (standing == Standing::kOpen) {
    standing = Standing::kDoubtful;
    confirm_queue_.push_back({operation.kind, Kept(operation)});
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
  CountFailure(ScopeOf(operation));
  Fail(ScopeOf(operation), operation.reference, error);
}

// A platform's or a media type's name, kept once. There are few of them, or somebody is at play.
std::string_view ScanPlan::Name(std::string_view name) {
  const auto known = names_.find(name);
  if (known != names_.end()) return *known;
  if (names_.size() >= kMaxNames) return kUnnamedPlatform;
  return *names_.insert(texts_->Keep(name)).first;
}

// The manifest's digest is returned as it is kept.
std::string_view ScanPlan::Learn(const FetchedManifest& fetched, int depth) {
  auto state = manifests_.find(fetched.digest);
  if (state == manifests_.end()) {
    state = manifests_.emplace(texts_->Keep(fetched.digest), ManifestState{depth}).first;
  }
  const std::string_view digest = state->first;
  if (IsFound(digest)) return digest;
  // By its digest it had failed, and now a tag has brought it.
  if (state->second.standing == Standing::kFailed) --failed_.manifests;
  state->second = {depth, Standing::kOpen};
  const Manifest& manifest = *fetched.manifest;
  ScannedManifest scanned{.media_type = Name(manifest.media_type),
                          .size = fetched.size,
                          .is_index = manifest.is_index,
                          .is_artifact = manifest.is_artifact};
  references_ += manifest.manifests.size() + manifest.blobs.size();
  if (references_ > MostReferences()) {
    FailOverflow("layers");
  } else {
    WantAll(manifest, depth, scanned);
  }
  result_.manifests.emplace(digest, std::move(scanned));
  return digest;
}

std::size_t ScanPlan::MostReferences() const {
  const std::size_t known = tags_.size() + manifests_.size() + blobs_.size();
  return std::min(kMaxReferences, kFreeReferences + kReferencesOfEach * known);
}

void ScanPlan::WantAll(const Manifest& manifest, int depth, ScannedManifest& scanned) {
  scanned.manifests.reserve(manifest.manifests.size());
  if (!manifest.blobs.empty()) scanned.layers.reserve(manifest.blobs.size() - 1);
  for (const Descriptor& child : manifest.manifests) {
    if (!IsSelected(child)) {
      left_out_any_ = true;
      continue;
    }
    const std::string_view digest = WantManifest(child.digest, depth + 1);
    if (!digest.empty()) scanned.manifests.push_back({Name(child.platform), digest});
  }
  for (const Descriptor& blob : manifest.blobs) {
    const std::string_view digest = WantBlob(blob);
    if (&blob == &manifest.blobs.front()) {
      scanned.config = digest;
    } else if (!digest.empty()) {
      scanned.layers.push_back(digest);
    }
  }
}

// One whose platform is not named may be for any: a nested index, for instance.
bool ScanPlan::IsSelected(const Descriptor& child) const {
  if (options_.platforms.empty() || child.platform == kUnnamedPlatform) return true;
  return std::ranges::any_of(options_.platforms, [&child](const std::string& platform) {
    return child.platform == platform || child.platform.starts_with(platform + "/");
  });
}

// What an earlier scan had no answer for goes first.
void ScanPlan::Queue(std::deque<std::string_view>& queue, std::string_view reference) const {
  if (!hinted_.empty() && hinted_.contains(std::string(reference))) {
    queue.push_front(reference);
  } else {
    queue.push_back(reference);
  }
}

// Both return the digest as it is kept, empty where it is one too many.
std::string_view ScanPlan::WantManifest(const std::string& digest, int depth) {
  if (const auto known = manifests_.find(digest); known != manifests_.end()) return known->first;
  if (manifests_.size() >= kMaxManifests) {
    FailOverflow("manifests");
    return {};
  }
  const std::string_view kept =
      manifests_.emplace(texts_->Keep(digest), ManifestState{depth}).first->first;
  if (depth <= kMaxIndexDepth) {
    Queue(manifest_queue_, kept);
  } else {
    OnFailure(
        {Operation::Kind::kManifest, digest},
        {ErrorKind::kProtocol, "indexes are nested more than " + std::to_string(kMaxIndexDepth) +
                                   " deep at manifest " + digest});
  }
  return kept;
}

std::string_view ScanPlan::WantBlob(const Descriptor& blob) {
  if (const auto known = blobs_.find(blob.digest); known != blobs_.end()) return known->first;
  if (blobs_.size() >= kMaxBlobs) {
    FailOverflow("blobs");
    return {};
  }
  const std::string_view kept =
      blobs_.emplace(texts_->Keep(blob.digest), Standing::kOpen).first->first;
  if (blob.urls.empty()) {
    Queue(blob_queue_, kept);
    return kept;
  }
  // A foreign layer: clients ask each of these hosts until one has it, and the registry never.
  std::vector<Site> sites;
  for (const Url& url : blob.urls) sites.push_back(SiteAt(url));
  CountBlob(kept, sites);
  return kept;
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
  const auto blob = blobs_.find(digest);
  if (CountBlob(blob->first, SitesOf(std::get<BlobSource>(*answer)))) {
    blob->second = Standing::kOpen;
  }
}

bool ScanPlan::IsResolved(std::string_view digest) const { return result_.blobs.contains(digest); }

void ScanPlan::Fail(ScanError::Scope scope, std::string_view name, const Error& error) {
  const bool by_tag = scope == ScanError::Scope::kTag;
  const std::string text(name);
  result_.AddError({scope, by_tag ? text : "", by_tag ? "" : text, error});
}

}  // namespace registry_backend
