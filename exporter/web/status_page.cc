#include "exporter/web/status_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace registry_backend {
namespace {

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --line: #8884; --good: #1a7f37; --bad: #c62828; --fair: #8a5a00; --soft: #8882; }
@media (prefers-color-scheme: dark) { :root { --good: #5fd38a; --bad: #ff8a80; --fair: #f0b429; } }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 76rem; padding: 1rem; }
h1 { font-size: 1.4rem; margin: .5rem 0 1.5rem; }
h2 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
section { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 1rem; padding: 1rem; }
dl { display: flex; flex-wrap: wrap; gap: .25rem 2rem; margin: .5rem 0 1rem; }
dt { font-size: .8rem; opacity: .75; }
dd { margin: 0; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
.fair { color: var(--fair); font-weight: 600; }
.soft { opacity: .75; }
.error { background: var(--soft); border-left: 4px solid var(--bad); overflow-wrap: anywhere;
         padding: .5rem .75rem; }
p.host { margin: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .75rem .3rem 0; text-align: left;
         vertical-align: top; white-space: nowrap; }
td.host { min-width: 16rem; white-space: normal; }
th { font-size: .8rem; font-weight: 600; opacity: .75; vertical-align: bottom; white-space: normal; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
ul { margin: 0; padding-left: 1.25rem; }
.host { font-family: ui-monospace, monospace; overflow-wrap: anywhere; }
footer { font-size: .85rem; opacity: .75; }
)css";

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

std::string Fact(std::string_view name, std::string_view value, std::string_view style = "") {
  return fmt::format("<div><dt>{}</dt><dd class=\"{}\">{}</dd></div>\n", name, style,
                     Escape(value));
}

std::string When(WallTime time) { return FormatUtcSeconds(time); }

std::string_view StyleOf(ScanOutcome outcome) {
  switch (outcome) {
    case ScanOutcome::kComplete:
      return "good";
    case ScanOutcome::kPartial:
      return "fair";
    case ScanOutcome::kFailed:
      return "bad";
  }
  return "";
}

std::string ScanFacts(const TargetSnapshot& target) {
  std::string facts;
  if (target.scanning) facts += Fact("Now", "scanning");
  if (const auto& newest = target.state.newest) {
    facts += Fact("Newest scan", OutcomeName(newest->outcome), StyleOf(newest->outcome));
    facts += Fact("Ended", When(newest->finished));
    facts += Fact("Took", FormatDuration(newest->took));
  } else if (!target.scanning) {
    facts += Fact("Newest scan", "none yet");
  }
  if (const auto& usable = target.state.newest_usable) {
    if (target.state.newest->outcome == ScanOutcome::kFailed) {
      facts += Fact("Newest result", When(usable->finished));
    }
    facts += Fact("Coverage", fmt::format("{:.1f} %", usable->coverage * 100));
    facts += Fact("Tags", std::to_string(usable->asked.tags));
    facts += Fact("Manifests", std::to_string(usable->asked.manifests));
    facts += Fact("Blobs", std::to_string(usable->asked.blobs));
    if (const auto left = usable->unresolved.total(); left > 0) {
      facts += Fact("Unresolved", std::to_string(left), "fair");
    }
    if (const auto lost = usable->unpullable.total(); lost > 0) {
      facts += Fact("Unpullable", std::to_string(lost), "fair");
    }
  }
  if (target.next_scan) facts += Fact("Next scan", When(*target.next_scan));
  return "<dl>\n" + facts + "</dl>\n";
}

std::string EndpointTable(const TargetState& state) {
  if (state.endpoints.empty()) return "<p>No endpoints are known yet.</p>\n";
  std::string rows;
  for (const auto& [key, record] : state.endpoints) {
    rows += fmt::format(
        "<tr><td class=\"host\">{}</td><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td></tr>\n",
        Escape(key.backend_host.text()), ServesName(key.serves), record.present() ? "good" : "soft",
        record.present() ? "present" : "absent", Escape(record.info.provider),
        Escape(record.info.storage_region),
        record.blobs && key.serves == Serves::kBlobs ? std::to_string(*record.blobs) : "",
        When(record.first_seen), When(record.last_seen));
  }
  return "<div class=\"scroll\"><table>\n<thead><tr><th>Host</th><th>Serves</th><th>State</th>"
         "<th>Provider</th><th>Region</th><th>Blobs (last complete scan)</th><th>First "
         "seen</th><th>Last seen</th></tr>"
         "</thead>\n<tbody>\n" +
         rows + "</tbody>\n</table></div>\n";
}

// The newest changes, newest first.
std::string ChangeList(const TargetState& state) {
  constexpr std::size_t kShown = 10;
  if (state.journal.empty()) return "";
  std::string items;
  for (std::size_t i = 0; i < std::min(kShown, state.journal.size()); ++i) {
    const Change& change = state.journal[i];
    items += fmt::format("<li>{} {} <span class=\"host\">{}</span> ({})</li>\n", When(change.at),
                         ChangeName(change.kind), Escape(change.endpoint.backend_host.text()),
                         ServesName(change.endpoint.serves));
  }
  return "<h3>Changes</h3>\n<ul>\n" + items + "</ul>\n";
}

std::string TargetSection(const TargetSnapshot& target) {
  std::string section = fmt::format("<section>\n<h2>{}</h2>\n<p class=\"host soft\">{}/{}</p>\n{}",
                                    Escape(target.name), Escape(target.registry),
                                    Escape(target.repository), ScanFacts(target));
  if (target.state.newest && !target.state.newest->error.empty()) {
    section += fmt::format("<p class=\"error\">{}</p>\n", Escape(target.state.newest->error));
  }
  return section + EndpointTable(target.state) + ChangeList(target.state) + "</section>\n";
}

}  // namespace

server::Response StatusPage(const Snapshot& snapshot, const BuildInfo& build,
                            const WebOptions& options) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>Registry Backend Exporter</title>\n<style>{}</style>\n</head>\n<body>\n"
      "<h1>Registry Backend Exporter</h1>\n<main>\n",
      kStyle);
  for (const auto& target : snapshot.targets) html += TargetSection(*target);
  html += fmt::format(
      "</main>\n<footer><a href=\"{}\">Metrics</a> · version {}, revision {}</footer>\n"
      "</body>\n</html>\n",
      Escape(options.telemetry_path), Escape(build.version), Escape(build.revision));

  server::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = std::make_shared<const std::string>(std::move(html));
  response.fields = {{"Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"},
                     {"X-Content-Type-Options", "nosniff"},
                     {"Referrer-Policy", "no-referrer"}};
  return response;
}

}  // namespace registry_backend
