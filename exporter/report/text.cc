#include "exporter/report/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "exporter/report/tag_hosts.h"

namespace registry_backend {
namespace {

// `12 tags (1 unresolved, 2 unpullable)`
std::string CountLine(std::string_view what, std::uint64_t asked, std::uint64_t unresolved,
                      std::uint64_t unpullable) {
  std::string notes;
  if (unresolved > 0) notes += fmt::format("{} unresolved", unresolved);
  if (unpullable > 0)
    notes += fmt::format("{}{} unpullable", notes.empty() ? "" : ", ", unpullable);
  return fmt::format("{} {}{}", asked, what, notes.empty() ? notes : " (" + notes + ")");
}

// `1 layer`, `2 layers`
std::string Count(std::uint64_t number, std::string_view what) {
  return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s");
}

std::string PlatformLines(const std::vector<ScannedImage>& images) {
  std::size_t width = 0;
  for (const ScannedImage& image : images) width = std::max(width, image.platform.size());
  std::string text;
  for (const ScannedImage& image : images) {
    text += fmt::format("    {:<{}}  {:>10}  {}{}\n", image.platform, width,
                        Count(image.manifest->layers.size(), "layer"), image.digest,
                        image.is_artifact() ? "  (an artifact)" : "");
  }
  return text;
}

std::string TagLines(const ScanResult& result, const ScannedTag& tag, std::size_t& rows_left) {
  const auto manifest = result.manifests.find(tag.digest);
  if (manifest == result.manifests.end()) return fmt::format("  {}: not found\n", tag.name);
  std::string text = fmt::format("  {}: {}, {}, {}\n", tag.name, tag.digest,
                                 manifest->second.media_type, Count(manifest->second.size, "byte"));
  const auto images = result.ImagesBelow(tag.digest, rows_left);
  if (!images) return text + "    left out: the report would be too long\n";
  text += PlatformLines(*images);
  for (const auto& [host, blobs] : BlobsByHost(result, *images)) {
    text += fmt::format("    needs {}  {}\n", host.text(), Count(blobs, "blob"));
  }
  return text;
}

void WriteThings(std::string_view title, const std::vector<ScanError>& things,
                 const TextSink& sink) {
  if (things.empty()) return;
  sink(fmt::format("\n  {}:\n", title));
  for (const ScanError& thing : things) {
    const std::string& name = thing.tag.empty() ? thing.digest : thing.tag;
    sink(fmt::format("    {}{}{}: {}\n", ScopeName(thing.scope), name.empty() ? "" : " ", name,
                     thing.error.message));
  }
}

}  // namespace

std::string MakeSummary(const ReportSubject& subject, const ScanResult& result) {
  std::string text =
      fmt::format("{}/{}: {} in {}\n", subject.registry.host().text(), subject.repository,
                  OutcomeName(result.outcome), FormatDuration(result.took));
  if (const Error* error = result.main_error()) text += fmt::format("  {}\n", error->message);
  if (result.outcome == ScanOutcome::kFailed) return text;
  const ScanCounts& asked = result.asked;
  const ScanCounts& unresolved = result.unresolved;
  const ScanCounts& unpullable = result.unpullable;
  text += fmt::format(
      "  {}, {}, {}\n", CountLine("tags", asked.tags, unresolved.tags, unpullable.tags),
      CountLine("manifests", asked.manifests, unresolved.manifests, unpullable.manifests),
      CountLine("blobs", asked.blobs, unresolved.blobs, unpullable.blobs));
  for (const auto& [key, seen] : result.endpoints) {
    text += fmt::format("  {:<9} {}", ServesName(key.serves), key.backend_host.text());
    if (key.serves == Serves::kBlobs) text += fmt::format("  {} blobs", seen.blobs);
    for (const std::string& known : {seen.info.provider, seen.info.storage_region}) {
      if (!known.empty()) text += "  " + known;
    }
    text += '\n';
  }
  if (std::ranges::any_of(result.routes, [](const auto& route) { return route.size() > 1; })) {
    text += "  (a blob that comes by way of several hosts counts at each of them)\n";
  }
  return text;
}

void WriteDetailed(const ReportSubject& subject, const ScanResult& result, const TextSink& sink) {
  sink(MakeSummary(subject, result));
  if (result.outcome != ScanOutcome::kFailed) {
    std::size_t rows_left = kMaxReportRows;
    for (const ScannedTag& tag : result.tags) sink("\n" + TagLines(result, tag, rows_left));
  }
  WriteThings("unresolved", result.errors, sink);
  WriteThings("unpullable", result.unpullable_things, sink);
}

}  // namespace registry_backend
