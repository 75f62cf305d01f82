#include "tests/dashboards/history.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <memory>
#include <numeric>
#include <ostream>
#include <set>

#include "exporter/metrics/exposition.h"
#include "exporter/metrics/families.h"
#include "exporter/metrics/process.h"
#include "tests/dashboards/samples.h"
#include "tests/dashboards/watched.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr hours kWeek{24 * 7};
constexpr hours kBefore{24 * 24};  // watched before the week begins
constexpr Day kUpgrade = 3.25;
constexpr minutes kDown{6};

struct Process {
  explicit Process(WallTime began) : started(began) {}
  WallTime started;
  HttpMetrics http;
  std::size_t requests_before = 0;
};

// What the exporter's process would use, in the form of /proc.
class ProcFiles {
 public:
  void Write(const Process& process, WallTime now, std::size_t requests, std::size_t scans) {
    const double age = UnixSeconds(now) - UnixSeconds(process.started);
    const double cpu = 0.08 + age * 0.00021 + static_cast<double>(requests) * 0.00018;
    const double bytes =
        (17.5 + 3.2 * static_cast<double>(scans) + std::fmin(age / 86400, 4)) * 1024 * 1024;
    const auto ticks = [](double seconds) {
      return std::llround(seconds * static_cast<double>(sysconf(_SC_CLK_TCK)));
    };
    constexpr double kBoot = 1.7e9;
    WriteFile(proc_ / "stat", fmt::format("btime {:.0f}\n", kBoot));
    WriteFile(proc_ / "self/stat",
              fmt::format("7 (exporter) S 0 0 0 0 0 0 0 0 0 0 {} 0 0 0 0 0 0 0 {} {:.0f} {:.0f}\n",
                          ticks(cpu), ticks(UnixSeconds(process.started) - kBoot), 118e6 + bytes,
                          bytes / static_cast<double>(sysconf(_SC_PAGESIZE))));
    OpenFiles(15 + 9 * scans);
  }
  [[nodiscard]] std::string path() const { return proc_.path().string(); }

 private:
  void OpenFiles(std::size_t count) {
    for (; open_ < count; ++open_) WriteFile(proc_ / "self/fd" / std::to_string(open_), "");
    for (; open_ > count; --open_) {
      std::filesystem::remove(proc_ / "self/fd" / std::to_string(open_ - 1));
    }
  }

  const TempDir proc_{"dashboard-proc"};
  std::size_t open_ = 0;
};

class Week {
 public:
  Week(WallTime end, std::ostream& out)
      : begin_(end - kWeek), out_(out), process_(std::make_unique<Process>(begin_ - kBefore)) {
    unsigned seed = 1;
    for (WatchedRepository& repository : Story()) targets_.emplace_back(repository, seed++);
  }

  void Pass(WallTime now) {
    const Day day = DayOf(now);
    if (day >= kUpgrade && process_->started < AtDay(kUpgrade)) Upgrade();
    if (IsDown(now)) return;
    for (Watched& target : targets_) target.Pass(now, day, process_->http);
  }

  void Scrape(WallTime now) {
    ScrapeExporter(now);
    std::set<std::string> hosts;
    for (const Watched& target : targets_) {
      for (const auto& [key, record] : target.state().endpoints) {
        if (record.present()) hosts.insert(key.backend_host.text());
      }
    }
    std::size_t number = 0;
    for (const std::string& host : hosts) Probe(host, ++number % 2 == 0, now);
  }

 private:
  [[nodiscard]] Day DayOf(WallTime now) const {
    return (UnixSeconds(now) - UnixSeconds(begin_)) / 86400;
  }
  [[nodiscard]] WallTime AtDay(Day day) const {
    return begin_ + milliseconds(std::llround(day * 86'400'000));
  }
  [[nodiscard]] bool IsDown(WallTime now) const { return now < process_->started; }
  [[nodiscard]] std::size_t Requests() const {
    return std::accumulate(
        targets_.begin(), targets_.end(), std::size_t{0},
        [](std::size_t sum, const Watched& target) { return sum + target.requests(); });
  }

  void Upgrade() {
    process_ = std::make_unique<Process>(AtDay(kUpgrade) + kDown);
    process_->requests_before = Requests();
    for (Watched& target : targets_) target.Restart();
  }

  void ScrapeExporter(WallTime now) {
    ScrapedTarget scraped({{"job", "registry-backend-exporter"}, {"instance", "localhost:9877"}},
                          now, out_);
    if (IsDown(now)) {
      scraped.End(false, milliseconds(1));
      return;
    }
    const Time begun = Clock::now();
    scraped.Answer(WriteExposition(Families(now), ExpositionFormat::kText));
    scraped.End(true, Clock::now() - begun);
  }

  // As /metrics puts them together.
  std::vector<prometheus::MetricFamily> Families(WallTime now) {
    const Day day = DayOf(now);
    Snapshot snapshot;
    std::size_t scans = 0;
    for (const Watched& target : targets_) {
      snapshot.targets.push_back(target.Picture(day));
      scans += target.scanning() ? 1 : 0;
    }
    proc_.Write(*process_, now, Requests() - process_->requests_before, scans);
    const bool upgraded = process_->started >= AtDay(kUpgrade);
    const BuildInfo build = upgraded ? BuildInfo{"0.2.0", "b3f1c9a", "g++ 12.2.0"}
                                     : BuildInfo{"0.1.0", "6e20d47", "g++ 12.2.0"};
    std::vector<prometheus::MetricFamily> families = TargetFamilies(snapshot);
    families.push_back(BuildInfoFamily(build));
    for (auto&& more : {ReloadFamilies(Reload(day)), StorageFamilies(snapshot),
                        process_->http.Collect(), ProcessFamilies(proc_.path())}) {
      families.insert(families.end(), more.begin(), more.end());
    }
    return families;
  }

  // The configuration is edited on day 2; and on day 4, at first with a mistake.
  [[nodiscard]] ReloadState Reload(Day day) const {
    ReloadState state{.last_success = process_->started};
    for (const Day edit : {2.65, 4.52}) {
      if (day >= edit && AtDay(edit) > state.last_success) state.last_success = AtDay(edit);
    }
    state.successful = day < 4.4 || day >= 4.52;
    return state;
  }

  // By a request or by TCP and TLS alone, as the two modules of blackbox.yml do it.
  void Probe(const std::string& host, bool by_request, WallTime now) {
    const Reachability seen = ReachabilityOf(host, DayOf(now));
    const std::string address = host.find(':') == std::string::npos ? host + ":443" : host;
    ScrapedTarget scraped({{"job", "registry-backend-reachability"},
                           {"instance", by_request ? "https://" + host : address},
                           {"backend_host", host}},
                          now, out_);
    const double jitter = std::lognormal_distribution<double>(0, 0.25)(random_);
    const double seconds = seen.reached ? seen.seconds * jitter : seen.seconds;
    const double lookup = 0.004 * jitter;
    scraped.Add("probe_success", seen.reached ? 1 : 0);
    scraped.Add("probe_duration_seconds", seconds + lookup);
    scraped.Add("probe_dns_lookup_time_seconds", lookup);
    scraped.Add("probe_ip_protocol", 4);
    scraped.Add("probe_failed_due_to_regex", 0);
    if (by_request) AddRequest(scraped, seen.reached, seconds, lookup);
    if (seen.reached) AddCertificate(scraped, seen);
    scraped.End(true, std::chrono::duration_cast<Duration>(
                          std::chrono::duration<double>(seconds + lookup + 0.001)));
  }

  static void AddRequest(ScrapedTarget& scraped, bool reached, double seconds, double lookup) {
    const std::pair<const char*, double> phases[] = {
        {"connect", 0.24}, {"processing", 0.3}, {"tls", 0.44}, {"transfer", 0.02}};
    scraped.Add("probe_http_duration_seconds", lookup, {{"phase", "resolve"}});
    for (const auto& [phase, share] : phases) {
      scraped.Add("probe_http_duration_seconds", reached ? seconds * share : 0, {{"phase", phase}});
    }
    scraped.Add("probe_http_status_code", reached ? 403 : 0);
    scraped.Add("probe_http_ssl", reached ? 1 : 0);
    scraped.Add("probe_http_version", reached ? 1.1 : 0);
    scraped.Add("probe_http_redirects", 0);
    scraped.Add("probe_http_content_length", reached ? 243 : 0);
  }

  void AddCertificate(ScrapedTarget& scraped, const Reachability& seen) const {
    const double ends = std::floor(UnixSeconds(AtDay(seen.certificate_ends)));
    scraped.Add("probe_ssl_earliest_cert_expiry", ends);
    scraped.Add("probe_ssl_last_chain_expiry_timestamp_seconds", ends);
    scraped.Add("probe_tls_version_info", 1, {{"version", "TLS 1.3"}});
  }

  const WallTime begin_;
  std::ostream& out_;
  std::vector<Watched> targets_;
  std::unique_ptr<Process> process_;
  ProcFiles proc_;
  std::mt19937 random_{42};
};

// Denser where people look closer.
int MinutesBetweenScrapes(minutes left) {
  if (left <= hours(1)) return 1;
  return left <= hours(26) ? 2 : 5;
}

}  // namespace

void WriteHistory(WallTime end, std::ostream& out) {
  end = std::chrono::floor<minutes>(end);
  Week week(end, out);
  for (WallTime now = end - kWeek - kBefore; now <= end; now += minutes(1)) {
    week.Pass(now);
    const auto left = std::chrono::duration_cast<minutes>(end - now);
    const bool scraped = left.count() % MinutesBetweenScrapes(left) == 0;
    if (scraped && left <= kWeek) week.Scrape(now);
  }
  out << "# EOF\n";
}

}  // namespace registry_backend::testing
