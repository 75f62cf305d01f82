#include "exporter/report/diff_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace registry_backend {
namespace {

// Roll-outs are rolled back, and old images are pulled once more.
constexpr int kDaysToKeep = 30;

// What each of these hosts serves, as one reads it: `manifests and blobs`.
using Serving = std::map<Host, std::vector<const DiffedEndpoint*>>;

// Hosts that are in one report only: those in both have been allowed all the time.
Serving OnlyInOne(const std::vector<DiffedEndpoint>& endpoints) {
  Serving serving;
  for (const DiffedEndpoint& endpoint : endpoints) {
    if (!endpoint.host_in_both) serving[endpoint.key.backend_host].push_back(&endpoint);
  }
  return serving;
}

std::string ServesOf(const std::vector<const DiffedEndpoint*>& endpoints, const Quote& quote) {
  std::string text;
  for (const DiffedEndpoint* endpoint : endpoints) {
    if (!text.empty()) text += " and ";
    text += ServesName(endpoint->key.serves);
    const std::string tags = TagsOf(*endpoint, quote);
    if (!tags.empty()) text += " of " + tags;
  }
  return text;
}

// Whether no tag that is known to need the host is in the other report too. Of fewer tags it may
// just not have seen it.
bool IsOfOtherTags(const std::vector<const DiffedEndpoint*>& endpoints) {
  return std::ranges::any_of(endpoints, [](const DiffedEndpoint* endpoint) {
    return endpoint->tag_count > 0 && endpoint->tags_only_there == endpoint->tag_count;
  });
}

std::string AddedSentence(const ReportDiff& diff, const std::string& host,
                          const std::vector<const DiffedEndpoint*>& endpoints, const Quote& quote) {
  const std::string why =
      fmt::format("{} before the next pull: it serves {}.", host, ServesOf(endpoints, quote));
  if (!diff.additions_are_certain()) return "Make sure to have allowed " + why;
  if (IsOfOtherTags(endpoints)) {
    return fmt::format(
        "Allow {} No tag that needs it is in the old report: the host may have been needed before.",
        why);
  }
  if (!diff.before.finished || !diff.after.finished) return "Allow " + why;
  return fmt::format("Allow {} Seen at {}, not yet at {}.", why, TimeOf(diff.after),
                     TimeOf(diff.before));
}

std::string RemovedSentence(const std::vector<const DiffedEndpoint*>& endpoints,
                            const std::string& host) {
  std::string text = fmt::format(
      "Keep {} allowed for now, and remove it after {} days without use.", host, kDaysToKeep);
  if (IsOfOtherTags(endpoints)) {
    text +=
        " No tag that needed it is in the new report: if those images are still pulled, so is "
        "the host.";
  }
  return text;
}

std::string ChangedSentence(const DiffedEndpoint& endpoint, const Quote& quote) {
  std::string fields;
  for (const ChangedField& field : ChangedFields(endpoint)) {
    fields += fmt::format("{}{} {} became {}", fields.empty() ? "" : ", ", field.name,
                          field.before.empty() ? "unknown or mixed" : quote(field.before),
                          field.after.empty() ? "unknown or mixed" : quote(field.after));
  }
  return fmt::format("Check that {} may still serve {}: {}.",
                     quote(endpoint.key.backend_host.text()), ServesName(endpoint.key.serves),
                     fields);
}

}  // namespace

std::string CountsOf(const ReportDiff& diff) {
  const std::pair<std::size_t, std::string_view> counts[] = {{diff.added.size(), "added"},
                                                             {diff.removed.size(), "removed"},
                                                             {diff.changed.size(), "changed"},
                                                             {diff.not_seen.size(), "not seen"}};
  std::string text;
  for (const auto& [count, what] : counts) {
    if (count > 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, what);
  }
  return text.empty() ? "no change" : text;
}

std::vector<std::string> NotesOn(const ReportDiff& diff) {
  std::vector<std::string> notes;
  if (diff.after.outcome == ScanOutcome::kPartial) {
    notes.emplace_back(
        "The new scan is partial: what it did not see may be there all the same. Nothing counts as "
        "removed.");
  }
  if (diff.before.outcome == ScanOutcome::kPartial) {
    notes.emplace_back(
        "The old scan is partial: what is added may have been there before, unseen.");
  }
  if (diff.before.is_sample && diff.after.is_sample) {
    notes.emplace_back(
        "Both reports are the original tool's samples: Amazon S3's hosts of the first layers of "
        "the "
        "newest tags. Hosts that other layers need are in neither.");
  } else if (diff.before.is_sample) {
    notes.emplace_back(
        "The old report is the original tool's sample: Amazon S3's hosts of the first layers of "
        "the "
        "newest tags. What is added may have been there before, unseen.");
  } else if (diff.after.is_sample) {
    notes.emplace_back(
        "The new report is the original tool's sample: Amazon S3's hosts of the first layers of "
        "the "
        "newest tags. What it did not see may be there all the same. Nothing counts as removed.");
  }
  if (diff.blobs_only) notes.emplace_back("Only hosts of blobs are compared.");
  if (diff.before.finished && diff.after.finished && *diff.after.finished < *diff.before.finished) {
    notes.emplace_back("The new report is older than the old one. Were they meant the other way?");
  }
  return notes;
}

std::vector<std::string> ActionsFor(const ReportDiff& diff, const Quote& quote) {
  std::vector<std::string> actions;
  for (const auto& [host, endpoints] : OnlyInOne(diff.added)) {
    actions.push_back(AddedSentence(diff, quote(host.text()), endpoints, quote));
  }
  for (const DiffedEndpoint& endpoint : diff.changed) {
    actions.push_back(ChangedSentence(endpoint, quote));
  }
  for (const auto& [host, endpoints] : OnlyInOne(diff.removed)) {
    actions.push_back(RemovedSentence(endpoints, quote(host.text())));
  }
  for (const auto& [host, endpoints] : OnlyInOne(diff.not_seen)) {
    actions.push_back(
        fmt::format("Keep {} allowed, and scan again completely.", quote(host.text())));
  }
  return actions;
}

std::string TagsOf(const DiffedEndpoint& endpoint, const Quote& quote) {
  if (endpoint.tag_count == 0) return {};
  std::string text =
      fmt::format("{} tag{}: ", endpoint.tag_count, endpoint.tag_count == 1 ? "" : "s");
  for (std::size_t i = 0; i < endpoint.tags.size(); ++i) {
    if (i > 0) text += ", ";
    text += quote(endpoint.tags[i]);
  }
  return text + (endpoint.tags.size() < endpoint.tag_count ? ", …" : "");
}

std::vector<ChangedField> ChangedFields(const DiffedEndpoint& endpoint) {
  std::vector<ChangedField> changed;
  if (!endpoint.before || !endpoint.after) return changed;
  const EndpointInfo& before = endpoint.before->info;
  const EndpointInfo& after = endpoint.after->info;
  for (ChangedField field :
       {ChangedField{"provider", before.provider, after.provider},
        ChangedField{"bucket", before.bucket, after.bucket},
        ChangedField{"storage_region", before.storage_region, after.storage_region},
        ChangedField{"delivery", before.delivery, after.delivery}}) {
    if (field.before != field.after) changed.push_back(std::move(field));
  }
  return changed;
}

std::string TimeOf(const DiffedReport& report) {
  return report.finished ? FormatUtcSeconds(*report.finished) : "unknown";
}

std::string OutcomeOf(const DiffedReport& report) {
  return report.is_sample ? "not told" : std::string(OutcomeName(report.outcome));
}

std::string CoverageOf(const DiffedReport& report) {
  if (report.is_sample) return "a sample by the original tool";
  if (!report.coverage) return "unknown";
  const StoredReport::Coverage& coverage = *report.coverage;
  std::string text = fmt::format("{} tags, {} manifests, {} blobs", coverage.tags,
                                 coverage.manifests, coverage.blobs);
  if (coverage.unresolved > 0) text += fmt::format(", {} of them unresolved", coverage.unresolved);
  return text;
}

}  // namespace registry_backend
