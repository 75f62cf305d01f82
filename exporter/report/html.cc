#include "exporter/report/html.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "exporter/report/tag_hosts.h"

namespace registry_backend {
namespace {

constexpr std::string_view kHead = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>Hosts behind a container registry</title>
<style>
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #c62828; --fair: #8a5a00; --soft: #8882; }
@media (prefers-color-scheme: dark) { :root { --good: #5fd38a; --bad: #ff8a80; --fair: #f0b429; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem; }
h1 { font-size: 1.4rem; margin: .5rem 0 1.5rem; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
section { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 1rem; padding: 1rem; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin: .5rem 0 1rem; }
dt { font-size: .8rem; opacity: .75; }
dd { margin: 0; }
.complete { color: var(--good); font-weight: 600; }
.partial { color: var(--fair); font-weight: 600; }
.failed { color: var(--bad); font-weight: 600; }
.error { background: var(--soft); border-left: 4px solid var(--bad); overflow-wrap: anywhere; padding: .5rem .75rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; }
th { font-size: .8rem; font-weight: 600; opacity: .75; vertical-align: bottom; }
code { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
details > ul, details > div, details > p { margin: .25rem 0 .75rem 1.25rem; }
</style>
</head>
<body>
<h1>Hosts behind a container registry</h1>
<main>
)html";

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Code(std::string_view text) { return "<code>" + Escape(text) + "</code>"; }

std::string Fact(std::string_view name, std::string_view value, std::string_view style = "") {
  return fmt::format("<div><dt>{}</dt><dd class=\"{}\">{}</dd></div>\n", name, style,
                     Escape(value));
}

std::string CountFact(std::string_view name, std::uint64_t asked, std::uint64_t unresolved,
                      std::uint64_t unpullable) {
  std::string value = std::to_string(asked);
  if (unresolved > 0) value += fmt::format(", {} unresolved", unresolved);
  if (unpullable > 0) value += fmt::format(", {} unpullable", unpullable);
  return Fact(name, value, unresolved > 0 ? "partial" : "");
}

std::string Facts(const ScanResult& result) {
  const std::string_view outcome = OutcomeName(result.outcome);
  std::string facts = Fact("Outcome", outcome, outcome);
  facts += Fact("Ended", FormatUtcSeconds(result.finished));
  facts += Fact("Took", FormatDuration(result.took));
  if (result.outcome != ScanOutcome::kFailed) {
    const ScanCounts& open = result.unresolved;
    const ScanCounts& lost = result.unpullable;
    facts += CountFact("Tags", result.asked.tags, open.tags, lost.tags);
    facts += CountFact("Manifests", result.asked.manifests, open.manifests, lost.manifests);
    facts += CountFact("Blobs", result.asked.blobs, open.blobs, lost.blobs);
  }
  return "<dl>\n" + facts + "</dl>\n";
}

std::string Table(std::string_view heads, const std::string& rows) {
  return fmt::format(
      "<div class=\"scroll\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody>\n"
      "</table></div>\n",
      heads, rows);
}

std::string EndpointTable(const ScanResult& result) {
  std::string rows;
  for (const auto& [key, seen] : result.endpoints) {
    rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        Code(key.backend_host.text()), ServesName(key.serves), Escape(seen.info.provider),
        Escape(seen.info.bucket), Escape(seen.info.storage_region), Escape(seen.info.delivery),
        key.serves == Serves::kBlobs ? std::to_string(seen.blobs) : "");
  }
  return "<h3>Hosts that a pull needs</h3>\n" +
         Table(
             "<th>Host</th><th>Serves</th><th>Provider</th><th>Bucket</th><th>Region</th>"
             "<th>Delivery</th><th>Blobs</th>",
             rows);
}

std::string PlatformTable(const std::vector<ScannedImage>& images) {
  std::string rows;
  for (const ScannedImage& image : images) {
    rows += fmt::format("<tr><td>{}{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                        Escape(image.platform), image.is_artifact() ? " (an artifact)" : "",
                        image.manifest->layers.size(), image.manifest->size, Code(image.digest));
  }
  return Table("<th>Platform</th><th>Layers</th><th>Manifest bytes</th><th>Manifest</th>", rows);
}

std::string TagDetails(const ScanResult& result, const ScannedTag& tag, std::size_t& rows_left) {
  const auto manifest = result.manifests.find(tag.digest);
  if (manifest == result.manifests.end()) {
    return fmt::format(
        "<details><summary>{} <span class=\"partial\">not found</span></summary>"
        "</details>\n",
        Escape(tag.name));
  }
  std::string details =
      fmt::format("<details><summary>{}</summary>\n<p>{}<br>{}</p>\n", Escape(tag.name),
                  Code(tag.digest), Escape(manifest->second.media_type));
  const auto images = result.ImagesBelow(tag.digest, rows_left);
  if (!images) return details + "<p>Left out: the report would be too long.</p>\n</details>\n";
  details += "<ul>\n";
  for (const auto& [host, blobs] : BlobsByHost(result, *images)) {
    details +=
        fmt::format("<li>{} {} {}</li>\n", Code(host.text()), blobs, blobs == 1 ? "blob" : "blobs");
  }
  return details + "</ul>\n" + PlatformTable(*images) + "</details>\n";
}

void WriteThings(std::string_view title, const std::vector<ScanError>& things,
                 const TextSink& sink) {
  if (things.empty()) return;
  sink(fmt::format("<h3>{}</h3>\n<ul>\n", title));
  for (const ScanError& thing : things) {
    sink(fmt::format("<li>{} {}: {}</li>\n", ScopeName(thing.scope),
                     Code(thing.tag.empty() ? thing.digest : thing.tag),
                     Escape(thing.error.message)));
  }
  sink("</ul>\n");
}

void WriteSection(const ReportSubject& subject, const ScanResult& result, const TextSink& sink) {
  sink(fmt::format("<section>\n<h2>{}/{}</h2>\n{}", Escape(subject.registry.host().text()),
                   Escape(subject.repository), Facts(result)));
  if (const Error* error = result.main_error()) {
    sink(fmt::format("<p class=\"error\">{}</p>\n", Escape(error->message)));
  }
  if (result.outcome != ScanOutcome::kFailed) {
    sink(EndpointTable(result) + "<h3>Tags</h3>\n");
    std::size_t rows_left = kMaxReportRows;
    for (const ScannedTag& tag : result.tags) sink(TagDetails(result, tag, rows_left));
  }
  WriteThings("Unresolved", result.errors, sink);
  WriteThings("Unpullable", result.unpullable_things, sink);
  sink("</section>\n");
}

}  // namespace

void WriteHtml(const std::vector<ReportedScan>& scans, const TextSink& sink) {
  sink(kHead);
  for (const ReportedScan& scan : scans) WriteSection(scan.subject, *scan.result, sink);
  sink("</main>\n</body>\n</html>\n");
}

}  // namespace registry_backend
