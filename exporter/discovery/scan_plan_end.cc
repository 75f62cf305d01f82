#include <algorithm>
#include <iterator>
#include <utility>

#include "exporter/discovery/scan_plan.h"
#include "exporter/discovery/tag_order.h"

// The end of a ScanPlan: hosts not met are looked for, and what was found is put together.
namespace registry_backend {

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
    const bool is_on_the_way = std::ranges::find(source->others, host) != source->others.end();
    if (is_on_the_way || source->url.host() == host) result_.witnessed.insert(host);
  }
}

void ScanPlan::FailLeftOver(const Error& why) {
  Fail(ScanError::Scope::kTarget, "", why);
  const auto is_left = [](Standing standing) {
    return standing == Standing::kOpen || standing == Standing::kDoubtful;
  };
  for (const auto& [name, tag] : tags_) {
    if (tag.digest.empty() && is_left(tag.standing)) Fail(ScanError::Scope::kTag, name, why);
  }
  for (const auto& [digest, manifest] : manifests_) {
    if (!IsFound(digest) && is_left(manifest.standing)) {
      Fail(ScanError::Scope::kManifest, digest, why);
    }
  }
  for (const auto& [digest, standing] : blobs_) {
    if (!IsResolved(digest) && is_left(standing)) Fail(ScanError::Scope::kBlob, digest, why);
  }
}

ScanOutcome ScanPlan::JudgeOutcome() const {
  const std::uint64_t tags_without = result_.unresolved.tags + result_.unpullable.tags;
  if (!first_page_seen_ || tags_without == result_.asked.tags) return ScanOutcome::kFailed;
  const bool complete =
      all_pages_seen_ && result_.unresolved.total() == 0 && result_.reasons.empty();
  return complete ? ScanOutcome::kComplete : ScanOutcome::kPartial;
}

void ScanPlan::TakeTags() {
  std::vector<std::string_view> names;
  names.reserve(tags_.size());
  result_.tags.reserve(tags_.size());
  for (const auto& [name, tag] : tags_) names.push_back(name);
  SortNewestFirst(names);
  for (const std::string_view name : names) {
    const TagState& tag = tags_.at(name);
    result_.tags.push_back({name, tag.digest});
    if (tag.digest.empty() && tag.standing != Standing::kUnpullable) ++result_.unresolved.tags;
  }
  result_.asked.tags = tags_.size() + rejected_tags_;
  if (result_.asked.tags > 0 && result_.unpullable.tags == result_.asked.tags) {
    const Error& first = result_.unpullable_things.front().error;
    Fail(ScanError::Scope::kTarget, "",
         {first.kind, "none of the " + std::to_string(result_.asked.tags) +
                          " tags can be pulled; of the first: " + first.message});
  }
}

void ScanPlan::TakeManifests() {
  for (const auto& [digest, manifest] : manifests_) {
    if (IsOpenManifest(digest)) ++result_.unresolved.manifests;
  }
  result_.asked.manifests = manifests_.size();
}

void ScanPlan::TakeBlobs() {
  for (const auto& [digest, standing] : blobs_) {
    if (IsOpenBlob(digest)) ++result_.unresolved.blobs;
  }
  result_.asked.blobs = blobs_.size();
  if (result_.blobs.empty() && result_.reasons.empty()) FailWithoutBlobs();
}

// Not one blob can be pulled, and nothing has failed. A store that has lost everything looks like
// this, and so does one that is not there just now: nothing follows from it about the hosts.
void ScanPlan::FailWithoutBlobs() {
  Error why{ErrorKind::kHttp, "the registry has none of the " + std::to_string(blobs_.size()) +
                                  " blobs that its manifests name"};
  if (blobs_.empty()) {
    why = {ErrorKind::kProtocol,
           left_out_any_  // rather a platform misspelt
               ? "the repository has nothing for the platforms that are selected"
               : "not one blob can be pulled: the registry has no manifest "
                 "that names any"};
  }
  Fail(ScanError::Scope::kTarget, "", why);
}

bool ScanPlan::IsOpenManifest(std::string_view digest) const {
  const auto manifest = manifests_.find(digest);
  return manifest != manifests_.end() && !IsFound(digest) &&
         manifest->second.standing != Standing::kUnpullable;
}

bool ScanPlan::IsOpenBlob(std::string_view digest) const {
  const auto blob = blobs_.find(digest);
  return blob != blobs_.end() && !IsResolved(digest) && blob->second != Standing::kUnpullable;
}

// Of those that were found.
std::unordered_set<std::string_view> ScanPlan::ManifestsThatLeadToOpenOnes() const {
  std::unordered_set<std::string_view> leading;
  const auto is_open_blob = [this](std::string_view digest) { return IsOpenBlob(digest); };
  for (const auto& [digest, manifest] : result_.manifests) {
    if (is_open_blob(manifest.config) || std::ranges::any_of(manifest.layers, is_open_blob)) {
      leading.insert(digest);
    }
  }
  const auto leads_on = [&](std::string_view digest) {
    return leading.contains(digest) || IsOpenManifest(digest);
  };
  for (int level = 0; level <= kMaxIndexDepth; ++level) {
    for (const auto& [digest, manifest] : result_.manifests) {
      if (std::ranges::any_of(manifest.manifests, leads_on, &ScannedPlatform::digest)) {
        leading.insert(digest);
      }
    }
  }
  return leading;
}

// Also names the tags below which something is unresolved: they lead there again.
void ScanPlan::NameUnresolved() {
  std::vector<std::string>& named = result_.unresolved_references;
  const auto name_open = [&named](const auto& things, const auto& is_open) {
    for (const auto& [digest, standing] : things) {
      if (named.size() >= ScanResult::kMaxErrors / 2) return;
      if (is_open(digest)) named.emplace_back(digest);
    }
  };
  name_open(manifests_, [this](std::string_view digest) { return IsOpenManifest(digest); });
  name_open(blobs_, [this](std::string_view digest) { return IsOpenBlob(digest); });
  NameTags(ManifestsThatLeadToOpenOnes());
}

// From where this scan came to, and round: what is named first is asked for first the next time,
// and no tag is left out for ever.
void ScanPlan::NameTags(const std::unordered_set<std::string_view>& leading) {
  std::vector<std::string_view> names;
  std::size_t reached = 0;
  for (const ScannedTag& tag : result_.tags) {
    if (tag.name == last_tag_) reached = names.size();
    const bool unanswered =
        tag.digest.empty() && tags_.at(tag.name).standing != Standing::kUnpullable;
    const bool leads_on = leading.contains(tag.digest) || IsOpenManifest(tag.digest);
    if (unanswered || leads_on) names.push_back(tag.name);
  }
  std::rotate(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(reached), names.end());
  std::vector<std::string>& named = result_.unresolved_references;
  names.resize(std::min(names.size(), ScanResult::kMaxErrors - named.size()));
  named.insert(named.end(), names.begin(), names.end());
}

ScanResult ScanPlan::Take(const std::optional<Error>& cut_short) && {
  if (cut_short) {
    SelectTags();
    FailLeftOver(*cut_short);
  }
  // Not what a repository that people pull from looks like: rather rights that were taken away.
  if (all_pages_seen_ && tags_.empty() && rejected_tags_ == 0) {
    Fail(ScanError::Scope::kTarget, "",
         {ErrorKind::kProtocol,
          tags_seen_ > 0 ? "the repository has no tag that is selected" : "the tag list is empty"});
  }
  TakeTags();
  TakeManifests();
  TakeBlobs();
  if (result_.unresolved.total() > 0) NameUnresolved();
  result_.outcome = JudgeOutcome();
  result_.texts = std::move(texts_);
  return std::move(result_);
}

}  // namespace registry_backend
