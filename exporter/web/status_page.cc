#include "exporter/web/status_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/report/page.h"
#include "exporter/report/page_frame.h"
#include "exporter/report/page_parts.h"

namespace registry_backend {
namespace {

using page::Text;

constexpr std::size_t kShownChanges = 5;  // of all targets

page::Target Shown(const TargetSnapshot& target, std::size_t number, WallTime now) {
  return {.name = target.name,
          .registry = target.registry,
          .repository = target.repository,
          .state = &target.state,
          .policy = target.policy.get(),
          .number = number,
          .scanning = target.scanning,
          .interval = target.interval,
          .next_scan = target.next_scan,
          .now = now};
}

// Links to what the exporter serves.
class Links {
 public:
  explicit Links(const WebOptions& options) : prefix_(options.path_prefix) {}

  [[nodiscard]] std::string To(std::string_view path, std::string_view text) const {
    return fmt::format("<a href=\"{}{}\">{}</a>\n", page::Escape(prefix_), page::Escape(path),
                       text);
  }

 private:
  std::string_view prefix_;
};

std::string ToTarget(const page::Target& target) {
  return fmt::format("<a href=\"#target-{}\">{}</a>", target.number, Text(target.name));
}

// The newest changes of all targets: the first thing to look at where there are several.
std::string LatestChanges(const std::vector<page::Target>& targets, WallTime now) {
  std::vector<page::ListedChange> changes;
  for (const page::Target& target : targets) {
    const auto& journal = target.state->journal;
    for (std::size_t i = 0; i < std::min(kShownChanges, journal.size()); ++i) {
      changes.push_back({&journal[i], " · " + ToTarget(target)});
    }
  }
  if (changes.empty()) return "";
  std::ranges::stable_sort(
      changes, [](const auto& a, const auto& b) { return a.change->at > b.change->at; });
  changes.resize(std::min(kShownChanges, changes.size()));
  return "<section>\n<h2>Latest changes</h2>\n" + page::Timeline(changes, now) + "</section>\n";
}

std::string Overview(const Snapshot& snapshot, const std::vector<page::Target>& targets,
                     WallTime now) {
  page::Table table("Targets", {"Target", "State", "Newest scan", "Coverage", "Hosts",
                                "Last change", "Next scan"});
  const auto distance = [now](const std::optional<WallTime>& time) {
    return time ? page::Distance(*time, now) : std::string();
  };
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const page::Target& target = targets[i];
    const TargetState& state = *target.state;
    const auto present = std::ranges::count_if(
        state.endpoints, [](const auto& endpoint) { return endpoint.second.present(); });
    table.AddRow({ToTarget(target),
                  page::Standing(target) +
                      (snapshot.targets[i]->drill ? " " + page::Badge(page::kFair, "drill") : ""),
                  state.newest ? distance(state.newest->finished) : "",
                  state.newest_usable ? page::Percent(state.newest_usable->coverage) : "",
                  std::to_string(present), distance(state.last_change),
                  target.scanning ? "scanning" : distance(target.next_scan)});
  }
  return "<section>\n<h2>Targets</h2>\n" + std::move(table).Take() + "</section>\n";
}

// Such a host looks like others to whoever sees it elsewhere.
std::string DrillNote(const TargetSnapshot& target, WallTime now) {
  if (!target.drill) return "";
  const Drill& drill = *target.drill;
  return fmt::format(
      "<p class=\"note fair\"><strong>A drill is under way:</strong> {} ({}) is shown to "
      "Prometheus "
      "as if pulls needed it, and none does. It {} {}; its series end {}.</p>\n",
      page::Code(Drill::kHost), ServesName(drill.serves), drill.present ? "vanishes" : "vanished",
      page::WhenAndAgo(drill.vanishes, now), page::WhenAndAgo(drill.ends, now));
}

std::string OnDisk(const TargetSnapshot& target) {
  std::string notes;
  if (!target.saved) {
    notes +=
        "<p class=\"note bad\">What is known could not be written to disk: a restart would lose "
        "it.</p>\n";
  }
  if (!target.loaded) {
    notes +=
        "<p class=\"note fair\">What was on disk could not be read at the start: what is known "
        "begins there.</p>\n";
  }
  return notes;
}

// The allowlist in its other forms.
std::string AllowlistLinks(const std::string& query, const Links& to) {
  std::string links;
  for (const auto& [name, format] : kAllowlistFormats) {
    links += to.To(fmt::format("/api/v1/allowlist?format={}&{}", name, query), name);
  }
  return links;
}

std::string TargetSection(const TargetSnapshot& snapshot, const page::Target& target,
                          const Links& to, WallTime now) {
  const std::string query = "target=" + page::PercentEncode(target.name);
  std::string links;
  if (!snapshot.report_file.empty()) links += to.To("/api/v1/report?" + query, "Report");
  links += to.To("/api/v1/endpoints?" + query, "Endpoints as JSON") +
           to.To("/api/v1/changes?" + query, "Changes as JSON");
  return page::Opening(target) + DrillNote(snapshot, now) + OnDisk(snapshot) +
         page::Changes(target) + page::Endpoints(target) + page::Tags(*target.state) +
         page::Allowlist(target, AllowlistLinks(query, to)) + "<p class=\"copy small\">" + links +
         "</p>\n</section>\n";
}

std::string Header(std::size_t targets, const WebOptions& options, const Links& to, WallTime now) {
  return fmt::format(
      "<header>\n<h1>Registry Backend Exporter</h1>\n"
      "<p>{}, as of {}</p>\n<nav aria-label=\"Pages\">\n{}</nav>\n</header>\n",
      page::Count(targets, "target"), page::When(now),
      to.To(options.telemetry_path, "Metrics") + to.To("/api/v1/targets", "Targets as JSON") +
          to.To("/api/v1/allowlist", "Allowlist") + to.To("/config", "Configuration"));
}

}  // namespace

server::Response StatusPage(const Snapshot& snapshot, const BuildInfo& build,
                            const WebOptions& options, WallTime now) {
  const Links to(options);
  std::vector<page::Target> targets;
  for (const auto& target : snapshot.targets) {
    targets.push_back(Shown(*target, targets.size() + 1, now));
  }
  std::string html = page::Head("Registry Backend Exporter", /*policy_within=*/false) +
                     Header(targets.size(), options, to, now) + "<main>\n";
  if (targets.size() > 1) html += LatestChanges(targets, now) + Overview(snapshot, targets, now);
  for (const page::Target& target : targets) {
    html += TargetSection(*snapshot.targets[target.number - 1], target, to, now);
  }
  html += fmt::format("</main>\n<footer>Version {}, revision {}</footer>\n",
                      page::Escape(build.version), page::Escape(build.revision)) +
          page::Foot();

  server::Response response;
  response.content_type = "text/html; charset=utf-8";
  response.body = std::make_shared<const std::string>(std::move(html));
  response.fields = {
      {"Content-Security-Policy", page::ContentSecurityPolicy() + "; frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"}};
  return response;
}

}  // namespace registry_backend
