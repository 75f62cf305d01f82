#include "exporter/report/html.h"

#include <fmt/format.h>

#include <limits>
#include <string>
#include <string_view>

#include "exporter/inventory/apply.h"
#include "exporter/report/page.h"
#include "exporter/report/page_frame.h"
#include "exporter/report/page_parts.h"
#include "exporter/report/tag_hosts.h"

namespace registry_backend {
namespace {

using page::Code;
using page::Text;

// What is known of a target after this one scan.
TargetState StateAfter(const ScanResult& result) {
  TargetState state;
  Apply(result, {.max_endpoints = std::numeric_limits<std::size_t>::max(), .max_tags = 0}, state);
  // A scan that failed has not seen what there is, and its few hosts must not be taken for all.
  if (result.outcome == ScanOutcome::kFailed) state.endpoints.clear();
  for (auto& [key, record] : state.endpoints) record.blobs = result.endpoints.at(key).blobs;
  return state;
}

std::string PlatformTable(const std::vector<ScannedImage>& images) {
  page::Table table("Platforms", {"Platform", "Layers", "Manifest bytes", "Manifest"});
  for (const ScannedImage& image : images) {
    table.AddRow({Text(image.platform) + (image.is_artifact() ? " (an artifact)" : ""),
                  std::to_string(image.manifest->layers.size()),
                  std::to_string(image.manifest->size), Code(image.digest)});
  }
  return std::move(table).Take();
}

std::string TagDetails(const ScanResult& result, const ScannedTag& tag, std::size_t& rows_left) {
  const auto manifest = result.manifests.find(tag.digest);
  if (manifest == result.manifests.end()) {
    return fmt::format("<p class=\"tag\">{} {}</p>\n", Code(tag.name),
                       page::Badge(page::kFair, "not found"));
  }
  const auto images = result.ImagesBelow(tag.digest, rows_left);
  std::string details = fmt::format(
      "<details class=\"tag\"><summary>{} <span class=\"soft small\">{}</span></summary>\n"
      "<p>{}</p>\n",
      Code(tag.name), Text(page::MediaTypeWords(manifest->second.media_type)), Code(tag.digest));
  if (!images) return details + "<p>Left out: the report would be too long.</p>\n</details>\n";
  details += "<ul>\n";
  for (const auto& [host, blobs] : BlobsByHost(result, *images)) {
    details += fmt::format("<li>{} {}</li>\n", Code(host.text()), page::Count(blobs, "blob"));
  }
  return details + "</ul>\n" + PlatformTable(*images) + "</details>\n";
}

void WriteThings(std::string_view title, const std::vector<ScanError>& things,
                 const TextSink& sink) {
  if (things.empty()) return;
  sink(fmt::format("<h3>{}</h3>\n<ul>\n", title));
  for (const ScanError& thing : things) {
    const std::string& name = thing.tag.empty() ? thing.digest : thing.tag;
    sink(fmt::format("<li>{}{}: {}</li>\n", ScopeName(thing.scope),
                     name.empty() ? "" : " " + Code(name), Text(thing.error.message)));
  }
  sink("</ul>\n");
}

void WriteSection(const ReportedScan& scan, std::size_t number, const TextSink& sink) {
  const ScanResult& result = *scan.result;
  const TargetState state = StateAfter(result);
  const page::Target target = {.registry = scan.subject.registry.host().text(),
                               .repository = scan.subject.repository,
                               .state = &state,
                               .number = number};
  sink(page::Opening(target));
  if (result.outcome != ScanOutcome::kFailed) {
    sink(page::Endpoints(target) + page::Allowlist(target, "") + "<h3>Tags</h3>\n");
    std::size_t rows_left = kMaxReportRows;
    for (const ScannedTag& tag : result.tags) sink(TagDetails(result, tag, rows_left));
  }
  WriteThings("Unresolved", result.errors, sink);
  WriteThings("Unpullable", result.unpullable_things, sink);
  sink("</section>\n");
}

}  // namespace

void WriteHtml(const std::vector<ReportedScan>& scans, const TextSink& sink) {
  constexpr std::string_view kTitle = "Hosts behind a container registry";
  sink(page::Head(kTitle, /*policy_within=*/true));
  sink(fmt::format("<header>\n<h1>{}</h1>\n</header>\n<main>\n", kTitle));
  std::size_t number = 0;
  for (const ReportedScan& scan : scans) WriteSection(scan, ++number, sink);
  sink("</main>\n" + page::Foot());
}

}  // namespace registry_backend
