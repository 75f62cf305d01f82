#include "exporter/report/diff_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "exporter/report/diff_advice.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;
using Endpoint = StoredReport::Endpoint;

struct Section {
  std::string_view title;
  const std::vector<DiffedEndpoint>& endpoints;
};

std::vector<Section> SectionsOf(const ReportDiff& diff) {
  return {{"Added", diff.added},
          {"Removed", diff.removed},
          {"Changed", diff.changed},
          {"Not seen", diff.not_seen},
          {"Unchanged", diff.unchanged}};
}

const Endpoint& Newest(const DiffedEndpoint& endpoint) {
  return endpoint.after ? *endpoint.after : *endpoint.before;
}

std::string Plain(std::string_view text) { return Printable(text, 256); }

// A code span (CommonMark §6.1), within which nothing is markup but backticks, and in a table `|`,
// which a backslash escapes there but not elsewhere: so neither it nor a backslash is left in. No
// host, tag or bucket has one.
std::string Code(std::string_view text) {
  std::string shown = Plain(text);
  std::ranges::replace_if(
      shown, [](char c) { return c == '`' || c == '|' || c == '\\'; }, '?');
  return shown.find_first_not_of(' ') == std::string::npos ? "–" : "`" + shown + "`";
}

std::string BlobsOf(const DiffedEndpoint& endpoint) {
  const std::optional<std::uint64_t>& blobs = Newest(endpoint).blobs;
  return endpoint.key.serves == Serves::kBlobs && blobs ? std::to_string(*blobs) : std::string();
}

std::string MarkdownRow(const DiffedEndpoint& endpoint) {
  const EndpointInfo& info = Newest(endpoint).info;
  const std::string blobs = BlobsOf(endpoint);
  const std::string tags = TagsOf(endpoint, Code);
  return fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n",
                     Code(endpoint.key.backend_host.text()), ServesName(endpoint.key.serves),
                     Code(info.provider), Code(info.bucket), Code(info.storage_region),
                     blobs.empty() ? "–" : blobs, tags.empty() ? "–" : tags);
}

std::string MarkdownList(std::string_view title, const std::vector<std::string>& sentences) {
  if (sentences.empty()) return {};
  std::string text = fmt::format("\n**{}**\n\n", title);
  for (const std::string& sentence : sentences) text += "- " + sentence + "\n";
  return text;
}

std::string Markdown(const ReportDiff& diff) {
  std::string text = fmt::format("### Hosts of {}: {}\n\n",
                                 Code(diff.registry + "/" + diff.repository), CountsOf(diff));
  text += "| | report | finished | outcome | coverage |\n|---|---|---|---|---|\n";
  for (const auto& [which, report] : {std::pair{"old", &diff.before}, {"new", &diff.after}}) {
    text += fmt::format("| {} | {} | {} | {} | {} |\n", which, Code(report->name), TimeOf(*report),
                        OutcomeOf(*report), CoverageOf(*report));
  }
  text += MarkdownList("Mind", NotesOn(diff));
  text += MarkdownList("To do", ActionsFor(diff, Code));
  for (const auto& [title, endpoints] : SectionsOf(diff)) {
    if (endpoints.empty()) continue;
    text += fmt::format(
        "\n**{}**\n\n| host | serves | provider | bucket | region | blobs | needed by |\n"
        "|---|---|---|---|---|---|---|\n",
        title);
    for (const DiffedEndpoint& endpoint : endpoints) text += MarkdownRow(endpoint);
  }
  return text;
}

std::string TextRow(const DiffedEndpoint& endpoint) {
  const EndpointInfo& info = Newest(endpoint).info;
  std::string text =
      fmt::format("  {:<9} {}", ServesName(endpoint.key.serves), endpoint.key.backend_host.text());
  for (const std::string* known : {&info.provider, &info.bucket, &info.storage_region}) {
    if (!known->empty()) text += "  " + Plain(*known);
  }
  const std::string blobs = BlobsOf(endpoint);
  if (!blobs.empty()) text += "  " + blobs + " blobs";
  const std::string tags = TagsOf(endpoint, Plain);
  if (!tags.empty()) text += "  " + tags;
  return text + "\n";
}

std::string Text(const ReportDiff& diff) {
  std::string text =
      fmt::format("{}/{}: {}\n", diff.registry, Plain(diff.repository), CountsOf(diff));
  for (const auto& [which, report] : {std::pair{"old", &diff.before}, {"new", &diff.after}}) {
    text += fmt::format("{}: {}, {}, {}, {}\n", which, Plain(report->name), TimeOf(*report),
                        OutcomeOf(*report), CoverageOf(*report));
  }
  for (const std::string& note : NotesOn(diff)) text += "mind: " + note + "\n";
  for (const std::string& action : ActionsFor(diff, Plain)) text += "to do: " + action + "\n";
  for (const auto& [title, endpoints] : SectionsOf(diff)) {
    if (endpoints.empty()) continue;
    text += LowerAscii(title) + "\n";
    for (const DiffedEndpoint& endpoint : endpoints) text += TextRow(endpoint);
  }
  return text;
}

Json JsonHead(const DiffedReport& report) {
  Json json = {{"report", report.name},
               {"original_tool", report.is_sample},
               {"finished_at", report.finished ? Json(FormatRfc3339(*report.finished)) : Json()},
               {"outcome", report.is_sample ? Json() : Json(OutcomeName(report.outcome))},
               {"coverage", nullptr}};
  if (report.coverage) {
    json["coverage"] = {{"tags", report.coverage->tags},
                        {"manifests", report.coverage->manifests},
                        {"blobs", report.coverage->blobs},
                        {"unresolved", report.coverage->unresolved}};
  }
  return json;
}

Json JsonSide(const std::optional<Endpoint>& side) {
  if (!side) return {};
  return {{"provider", side->info.provider},
          {"bucket", side->info.bucket},
          {"storage_region", side->info.storage_region},
          {"delivery", side->info.delivery},
          {"blobs", side->blobs ? Json(*side->blobs) : Json()}};
}

Json JsonList(const std::vector<DiffedEndpoint>& endpoints) {
  Json list = Json::array();
  for (const DiffedEndpoint& endpoint : endpoints) {
    list.push_back({{"serves", ServesName(endpoint.key.serves)},
                    {"backend_host", endpoint.key.backend_host.text()},
                    {"old", JsonSide(endpoint.before)},
                    {"new", JsonSide(endpoint.after)},
                    {"tag_count", endpoint.tag_count},
                    {"tags_not_in_other", endpoint.tags_only_there},
                    {"tags", endpoint.tags}});
  }
  return list;
}

std::string JsonText(const ReportDiff& diff) {
  Json json = {{"differs", diff.differs()},
               {"registry", diff.registry},
               {"repository", diff.repository},
               {"old", JsonHead(diff.before)},
               {"new", JsonHead(diff.after)},
               {"additions_certain", diff.additions_are_certain()},
               {"removals_certain", diff.removals_are_certain()}};
  json["notes"] = NotesOn(diff);
  json["actions"] = ActionsFor(diff, Plain);
  for (const auto& [title, endpoints] : SectionsOf(diff)) {
    std::string key = LowerAscii(title);
    std::ranges::replace(key, ' ', '_');
    json[key] = JsonList(endpoints);
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

std::string RenderDiff(const ReportDiff& diff, DiffFormat format) {
  switch (format) {
    case DiffFormat::kMarkdown:
      return Markdown(diff);
    case DiffFormat::kText:
      return Text(diff);
    case DiffFormat::kJson:
      return JsonText(diff);
  }
  return {};
}

}  // namespace registry_backend
