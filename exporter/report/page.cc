#include "exporter/report/page.h"

#include <fmt/format.h>

#include <algorithm>

namespace registry_backend::page {
namespace {

constexpr std::size_t kShownChanges = 5;
constexpr std::size_t kMoreChanges = 95;                // behind a fold
constexpr auto kRecently = std::chrono::hours(24 * 7);  // a change so old is marked

std::string_view StyleOf(ScanOutcome outcome) {
  switch (outcome) {
    case ScanOutcome::kComplete:
      return kGood;
    case ScanOutcome::kPartial:
      return kFair;
    case ScanOutcome::kFailed:
      return kBad;
  }
  return kNone;
}

// Nothing usable for two intervals.
bool IsStale(const Target& target) {
  const auto& usable = target.state->newest_usable;
  return target.now && usable && target.interval > Duration::zero() &&
         *target.now - usable->finished > 2 * target.interval;
}

std::string Asked(std::uint64_t asked, std::uint64_t unresolved, std::uint64_t unpullable) {
  std::string text = std::to_string(asked);
  if (unresolved > 0) text += fmt::format(", {} unresolved", unresolved);
  if (unpullable > 0) text += fmt::format(", {} unpullable", unpullable);
  return text;
}

std::string CountFacts(const ScanSummary& scan) {
  const auto fact = [&](std::string_view name, std::uint64_t ScanCounts::*count) {
    const std::uint64_t unresolved = scan.unresolved.*count;
    const std::uint64_t unpullable = scan.unpullable.*count;
    return Fact(name, Asked(scan.asked.*count, unresolved, unpullable),
                unresolved + unpullable > 0 ? kFair : "");
  };
  return Fact("Coverage", Percent(scan.coverage)) + fact("Tags", &ScanCounts::tags) +
         fact("Manifests", &ScanCounts::manifests) + fact("Blobs", &ScanCounts::blobs);
}

std::string ScanFacts(const Target& target) {
  const TargetState& state = *target.state;
  std::string facts;
  if (target.scanning) facts += Fact("Now", "scanning");
  if (state.newest) {
    facts +=
        Fact("Newest scan", OutcomeName(state.newest->outcome), StyleOf(state.newest->outcome));
    facts += Fact("Ended", WhenAndAgo(state.newest->finished, target.now));
    facts += Fact("Took", FormatDuration(state.newest->took));
  } else if (!target.scanning) {
    facts += Fact("Newest scan", "none yet");
  }
  if (state.newest_usable) {
    if (state.newest->outcome == ScanOutcome::kFailed) {
      facts += Fact("Newest result", WhenAndAgo(state.newest_usable->finished, target.now), kFair);
    }
    facts += CountFacts(*state.newest_usable);
  }
  if (state.last_change) facts += Fact("Last change", WhenAndAgo(*state.last_change, target.now));
  if (target.next_scan) facts += Fact("Next scan", WhenAndAgo(*target.next_scan, target.now));
  return Facts(facts);
}

// What went wrong in the newest scan.
std::string Trouble(const TargetState& state) {
  std::string notes;
  if (state.newest && !state.newest->error.empty()) {
    const bool failed = state.newest->outcome == ScanOutcome::kFailed;
    std::string words = failed ? "The newest scan failed" : "The newest scan is not complete";
    if (failed && state.consecutive_failures > 1) {
      words += fmt::format(" ({} in a row without a complete one)", state.consecutive_failures);
    }
    notes += fmt::format("<p class=\"note {}\"><strong>{}:</strong> {}</p>\n",
                         failed ? "bad" : "fair", words, Text(state.newest->error));
  }
  if (state.dropped > 0) {
    notes +=
        fmt::format("<p class=\"note bad\">{} did not fit max_endpoints and are not shown.</p>\n",
                    Count(state.dropped, "endpoint"));
  }
  return notes;
}

std::string PresenceOf(const Target& target, const EndpointRecord& record) {
  std::string text = record.present() ? Badge(kGood, "present") : Badge(kNone, "absent");
  if (target.now && record.changed && *target.now - *record.changed < kRecently) {
    text += fmt::format("<small>{} {}</small>", record.present() ? "came" : "went",
                        Distance(*record.changed, *target.now));
  }
  return text;
}

// `yes`, `no`, or empty where it is not asked.
std::string Verdict(const std::optional<bool>& verdict, const EndpointRecord& record) {
  if (!verdict) return "";
  return *verdict ? "yes" : Badge(record.present() ? kBad : kNone, "no");
}

// Which columns there are to fill.
struct Columns {
  bool approved;
  bool history;  // a page of one scan has none
};

std::vector<std::string_view> NamesOf(const Columns& columns) {
  std::vector<std::string_view> names = {"Host", "Serves"};
  if (columns.history) names.emplace_back("State");
  if (columns.approved) names.emplace_back("Approved");
  names.insert(names.end(), {"Provider", "Region", "Blobs"});
  if (columns.history) names.insert(names.end(), {"First seen", "Last seen"});
  return names;
}

std::string WithSmall(std::string text, std::string_view word, std::string_view small) {
  if (small.empty()) return text;
  return text + fmt::format("<small>{}{}</small>", word, Text(small));
}

std::vector<std::string> CellsOf(const Target& target, const Columns& columns,
                                 const EndpointKey& key, const EndpointRecord& record) {
  const Policy no_policy;
  const Policy& policy = target.policy != nullptr ? *target.policy : no_policy;
  const EndpointInfo& info = record.info;
  std::vector<std::string> cells = {
      Code(key.backend_host.text()),
      WithSmall(std::string(ServesName(key.serves)), "", info.delivery)};
  if (columns.history) cells.push_back(PresenceOf(target, record));
  if (columns.approved) {
    cells.push_back(Verdict(IsApproved(policy, key.backend_host, target.registry), record));
  }
  std::string region = Text(info.storage_region);
  if (IsRegionAllowed(policy, key.serves, info) == false) {
    region += " " + Badge(record.present() ? kBad : kNone,
                          region.empty() ? "unknown, not allowed" : "not allowed");
  }
  const bool told = key.backend_host.text().starts_with(info.bucket + ".");
  cells.push_back(WithSmall(Text(info.provider), "bucket ", told ? "" : info.bucket));
  cells.push_back(std::move(region));
  cells.push_back(record.blobs && key.serves == Serves::kBlobs ? std::to_string(*record.blobs)
                                                               : "");
  if (columns.history) {
    cells.push_back(When(record.first_seen));
    cells.push_back(When(record.last_seen));
  }
  return cells;
}

// Its beginning, which tells it from others; all of it is its title.
std::string CutDigest(std::string_view digest) {
  constexpr std::size_t kShown = 19;  // `sha256:` and twelve digits
  if (digest.size() <= kShown) return Code(digest);
  return fmt::format("<code title=\"{}\">{}…</code>", Escape(digest),
                     Escape(digest.substr(0, kShown)));
}

std::string SpacedList(std::string_view commas) {
  std::string text;
  for (const char c : commas) {
    text += c;
    if (c == ',') text += ' ';
  }
  return text;
}

}  // namespace

std::string Standing(const Target& target) {
  const TargetState& state = *target.state;
  if (!state.newest) return Badge(kNone, target.scanning ? "first scan" : "not scanned yet");
  const ScanOutcome outcome = state.newest->outcome;
  if (outcome != ScanOutcome::kFailed && IsStale(target)) return Badge(kFair, "stale");
  const bool fresh = outcome == ScanOutcome::kComplete && target.now;
  return Badge(StyleOf(outcome), fresh ? "up to date" : OutcomeName(outcome));
}

std::string Opening(const Target& target) {
  const std::string where = fmt::format("{}/{}", target.registry, target.repository);
  std::string html =
      fmt::format("<section id=\"target-{}\">\n<div class=\"title\"><h2>{}</h2>{}</div>\n",
                  target.number, Text(target.name.empty() ? where : target.name), Standing(target));
  if (!target.name.empty() && target.name != where) {
    html += fmt::format("<p class=\"soft\">{}</p>\n", Code(where));
  }
  return html + Trouble(*target.state) + ScanFacts(target);
}

std::string Timeline(const std::vector<ListedChange>& changes, const std::optional<WallTime>& now) {
  std::string items;
  for (const auto& [change, target] : changes) {
    const bool added = change->kind == ChangeKind::kAdded;
    std::string at = When(change->at);
    if (now) at.insert(0, Distance(change->at, *now) + " · ");
    items += fmt::format(
        "<li class=\"{}\"><span class=\"at\">{}</span> {} {} <span class=\"soft\">({})</span>{}"
        "</li>\n",
        ChangeName(change->kind), at, Badge(added ? kGood : kBad, ChangeName(change->kind)),
        Code(change->endpoint.backend_host.text()), ServesName(change->endpoint.serves), target);
  }
  return "<ol class=\"timeline\">\n" + items + "</ol>\n";
}

std::string Changes(const Target& target) {
  const auto& journal = target.state->journal;
  if (journal.empty()) {
    if (!target.state->baseline) return "";
    return "<h3>Changes</h3>\n<p class=\"soft\">None since " + When(*target.state->baseline) +
           ".</p>\n";
  }
  const auto list = [&](std::size_t from, std::size_t to) {
    std::vector<ListedChange> changes;
    for (std::size_t i = from; i < std::min(to, journal.size()); ++i) {
      changes.push_back({&journal[i], ""});
    }
    return Timeline(changes, target.now);
  };
  std::string html = "<h3>Changes</h3>\n" + list(0, kShownChanges);
  if (journal.size() > kShownChanges) {
    const std::size_t more = std::min(kMoreChanges, journal.size() - kShownChanges);
    html +=
        fmt::format("<details><summary>{}</summary>\n{}</details>\n", Count(more, "earlier change"),
                    list(kShownChanges, kShownChanges + kMoreChanges));
  }
  return html;
}

std::string Endpoints(const Target& target) {
  const auto& endpoints = target.state->endpoints;
  std::string html = "<h3>Hosts that a pull needs</h3>\n";
  if (endpoints.empty()) return html + "<p class=\"soft\">None are known yet.</p>\n";
  const Columns columns = {.approved = target.policy && !target.policy->approved_hosts.empty(),
                           .history = target.now.has_value()};
  Table table("Endpoints", NamesOf(columns));
  for (const bool present : {true, false}) {
    for (const auto& [key, record] : endpoints) {
      if (record.present() != present) continue;
      table.AddRow(CellsOf(target, columns, key, record), present ? "" : "absent");
    }
  }
  return html + std::move(table).Take();
}

std::string MediaTypeWords(std::string_view media_type) {
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"application/vnd.docker.distribution.manifest.list.v2+json", "Docker manifest list"},
      {"application/vnd.docker.distribution.manifest.v2+json", "Docker image"},
      {"application/vnd.docker.distribution.manifest.v1+json", "Docker schema 1"},
      {"application/vnd.docker.distribution.manifest.v1+prettyjws", "Docker schema 1"},
      {"application/vnd.oci.image.index.v1+json", "OCI index"},
      {"application/vnd.oci.image.manifest.v1+json", "OCI image"},
  };
  for (const auto& [known, words] : kWords) {
    if (known == media_type) return std::string(words);
  }
  return std::string(media_type);
}

std::string Tags(const TargetState& state) {
  if (state.tags.empty()) return "";
  Table table("Tags", {"Tag", "Digest", "Type", "Platforms", "Layers", "Blobs"});
  for (const TagSummary& tag : state.tags) {
    table.AddRow({Code(tag.name), CutDigest(tag.digest), Text(MediaTypeWords(tag.media_type)),
                  Text(SpacedList(tag.platforms)),
                  tag.digest.empty() ? "" : std::to_string(tag.layers), std::to_string(tag.blobs)});
  }
  const std::size_t shown = state.tags.size();
  const std::uint64_t all = state.newest_usable ? state.newest_usable->asked.tags : shown;
  const std::string count =
      all > shown ? fmt::format("{} newest of {} tags", shown, all) : Count(shown, "tag");
  return fmt::format("<h3>Tags</h3>\n<details{}><summary>{}</summary>\n{}</details>\n",
                     shown <= 5 ? " open" : "", count, std::move(table).Take());
}

std::string Allowlist(const Target& target, std::string_view links) {
  const auto list =
      MakeAllowlist({AllowlistTargetOf(std::string(target.registry), std::string(target.repository),
                                       *target.state)},
                    AllowlistFormat::kPlain);
  std::string html = "<h3>Hosts to allow</h3>\n";
  if (!list) {
    return html +
           fmt::format("<p class=\"soft\">No list yet: {}</p>\n", Text(list.error().message));
  }
  const auto lines = std::min<std::ptrdiff_t>(std::ranges::count(*list, '\n') + 1, 14);
  return html + fmt::format(
                    "<details><summary>The list, for a firewall</summary>\n"
                    "<p class=\"copy\"><button type=\"button\" data-copy=\"allow-{0}\" "
                    "aria-live=\"polite\" "
                    "hidden>Copy</button>{1}</p>\n"
                    "<textarea id=\"allow-{0}\" readonly spellcheck=\"false\" rows=\"{2}\" "
                    "aria-label=\"Hosts to allow\">{3}</textarea>\n</details>\n",
                    target.number, links, lines, "\n" + Escape(*list));
}

}  // namespace registry_backend::page
