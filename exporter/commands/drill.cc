#include "exporter/commands/drill.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "exporter/commands/build.h"
#include "exporter/commands/exit_code.h"
#include "exporter/commands/interruption.h"
#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "exporter/monitor/drill.h"
#include "exporter/report/page_parts.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kDeadline{10};
constexpr std::string_view kPath = "/-/drill";

void PrintError(const std::string& message) {
  std::fprintf(stderr, "registry_backend_exporter: %s\n", message.c_str());
}

bool Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
}

// What the exporter says of a drill. Whoever answers may not be one.
struct ShownDrill {
  bool present = false;
  std::string serves;
  std::string appeared;
  std::string vanishes;
  std::string ends;
};

std::string TextIn(const json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

// An instant of an answer, for people: `2026-11-23 09:00:00 UTC`.
std::string TimeIn(const json& object, const char* name) {
  const std::string text = TextIn(object, name);
  if (text.size() < 20) return Printable(text);
  return Printable(text.substr(0, 10) + " " + text.substr(11, 8) + " UTC");
}

// Between two instants as TimeIn gives them; 0 where one cannot be read.
std::chrono::seconds Between(const std::string& from, const std::string& to) {
  const auto read = [](const std::string& text) -> std::optional<std::time_t> {
    std::tm time{};
    if (strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &time) == nullptr) return std::nullopt;
    return timegm(&time);
  };
  const auto first = read(from);
  const auto last = read(to);
  return std::chrono::seconds(first && last ? *last - *first : 0);
}

// Empty: it shows none.
std::optional<ShownDrill> DrillIn(const json& object) {
  if (!object.is_object() || !object.contains("drill")) return std::nullopt;
  const json& drill = object["drill"];
  if (!drill.is_object()) return std::nullopt;
  const auto present = drill.find("present");
  return ShownDrill{.present = present != drill.end() && *present == true,
                    .serves = Printable(TextIn(drill, "serves")),
                    .appeared = TimeIn(drill, "appeared"),
                    .vanishes = TimeIn(drill, "vanishes"),
                    .ends = TimeIn(drill, "ends")};
}

// `data` of a good answer, else null.
json DataOf(const Response& answer) {
  const json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  if (!body.is_object() || TextIn(body, "status") != "success") return nullptr;
  return body.value("data", json());
}

// ` (…)`, such as that a port speaks HTTPS, or nothing.
std::string SaidInPlainText(const Response& answer) {
  if (!answer.headers.Get("content-type").starts_with("text/plain")) return "";
  const std::string line = Printable(Trim(answer.body.substr(0, answer.body.find('\n'))), 200);
  return line.empty() ? "" : " (" + line + ")";
}

// Why an exporter did not do as it was told.
std::string WhatIsWrong(const Response& answer, const DrillCommand& command) {
  const json body = json::parse(answer.body, nullptr, /*allow_exceptions=*/false);
  std::string error = body.is_object() ? Printable(TextIn(body, "error"), 512) : "";
  if (answer.status == 401) {
    return command.access.username.empty() ? "it wants a password: --username and --password-file"
                                           : "it does not take this user name and password";
  }
  if (error.empty()) {
    return fmt::format("status {}{}: is it a registry_backend_exporter that knows drills?",
                       answer.status, SaidInPlainText(answer));
  }
  // The exporter speaks of its parameters.
  if (answer.status == 400 && command.target.empty()) return error + " (--target NAME)";
  if (answer.status == 409 && !command.stop) return error + " (drill --stop)";
  return error;
}

std::string Schedule(const json& data, const ShownDrill& drill) {
  return fmt::format(
      "Drill of '{}' ({}/{}): {} is shown as if it served {}.\n\n"
      "  {}  it appears     RegistryBackendEndpointAdded fires\n"
      "  {}  it vanishes    that resolves, RegistryBackendEndpointRemoved fires\n"
      "  {}  its series end that resolves 15 minutes later\n\n"
      "Each with the next scrape and the next evaluation of the rules, and Alertmanager's waiting\n"
      "times. Every message names the host. No pull needs it, and nothing of it is stored. To end "
      "it\n"
      "before its time: drill --stop, with the same options.\n",
      Printable(TextIn(data, "target")), Printable(TextIn(data, "registry")),
      Printable(TextIn(data, "repository")), Drill::kHost, drill.serves, drill.appeared,
      drill.vanishes, drill.ends);
}

std::string AfterStop(const std::optional<ShownDrill>& drill) {
  if (!drill)
    return "The drill has ended. RegistryBackendEndpointRemoved resolves in 15 minutes.\n";
  return fmt::format(
      "The host has vanished: RegistryBackendEndpointAdded resolves, "
      "RegistryBackendEndpointRemoved "
      "fires.\nIts series end at {}. Once Prometheus has seen this, another drill --stop ends "
      "them.\n",
      drill->ends);
}

// One run of the command, on the network thread.
class Run {
 public:
  Run(const DrillCommand& command, const RunningExporter& exporter)
      : command_(command), exporter_(exporter) {
    if (command_.wait) interruption_.emplace(loop_, [this](std::string_view) { Interrupted(); });
  }

  int ToTheEnd() {
    if (command_.stop) {
      Stop();
    } else {
      Begin();
    }
    loop_.Run();
    return code_;
  }

 private:
  using Then = std::function<void(const Response&)>;

  // Where there is no answer, or a bad one, `otherwise` is told why.
  void Ask(Method method, const std::string& path, int expected, Then then,
           std::function<void(const std::string&)> otherwise) {
    const std::string shown = exporter_.Shown(path.substr(0, path.find('?')));
    transport_.Start(exporter_.MakeRequest(method, path), loop_.Now() + kDeadline,
                     [=, this, then = std::move(then),
                      otherwise = std::move(otherwise)](const Result<Response>& answer) {
                       if (answer && answer->status == expected) return then(*answer);
                       otherwise(answer ? shown + ": " + WhatIsWrong(*answer, command_)
                                        : answer.error().message);
                     });
  }

  void Begin() {
    std::string query = "?serves=" + std::string(ServesName(command_.serves));
    if (!command_.duration.empty()) query += "&duration=" + command_.duration;
    if (!command_.target.empty()) query += "&target=" + page::PercentEncode(command_.target);
    Ask(
        Method::kPost, std::string(kPath) + query, 202,
        [this](const Response& answer) { Begun(DataOf(answer)); },
        [this](const std::string& why) { Fail(why); });
  }

  void Begun(const json& data) {
    drill_ = DrillIn(data);
    if (!drill_) return Fail(exporter_.Shown(kPath) + ": the answer shows no drill");
    target_ = TextIn(data, "target");
    ends_ = loop_.Now() + Between(drill_->appeared, drill_->ends);
    if (!Print(Schedule(data, *drill_))) return Fail("cannot write");
    if (is_interrupted_) return Stop();
    if (!command_.wait) return End(kExitComplete);
    LookLater();
  }

  void Stop() {
    const std::string& target = target_.empty() ? command_.target : target_;
    Ask(
        Method::kPost,
        std::string(kPath) + "?stop=true" +
            (target.empty() ? "" : "&target=" + page::PercentEncode(target)),
        202,
        [this](const Response& answer) {
          if (!Print(AfterStop(DrillIn(DataOf(answer))))) return Fail("cannot write");
          // It was to run to its end.
          End(is_interrupted_ ? kExitFailed : kExitComplete);
        },
        [this](const std::string& why) { Fail(why); });
  }

  void Interrupted() {
    is_interrupted_ = true;
    if (drill_) Stop();  // else when the exporter has answered
  }

  void LookLater() {
    loop_.At(loop_.Now() + kBetweenLooks, [this] {
      if (!is_interrupted_) Look();
    });
  }

  void Look() {
    Ask(
        Method::kGet, "/api/v1/targets?target=" + page::PercentEncode(target_), 200,
        [this](const Response& answer) {
          const json data = DataOf(answer);
          Seen(data.is_array() && !data.empty() ? DrillIn(data[0]) : std::nullopt);
        },
        [this](const std::string& why) {
          if (++failures_ == kMostFailures) return Fail(why + "; where it restarts a drill ends");
          LookLater();
        });
  }

  void Seen(const std::optional<ShownDrill>& now) {
    if (is_interrupted_) return;
    failures_ = 0;
    const bool is_ours = now && now->appeared == drill_->appeared;
    if (is_ours && now->present == drill_->present) return LookLater();
    if (is_ours) {
      drill_ = now;
      if (!Print(drill_->vanishes + "  it has vanished\n")) return Fail("cannot write");
      return LookLater();
    }
    if (loop_.Now() < ends_ - kTolerance) {
      return Fail(
          "the drill ended before its time: it was stopped, the exporter restarted, or the target "
          "is gone");
    }
    End(Print(drill_->ends + "  its series have ended\n") ? kExitComplete : kExitFailed);
  }

  void Fail(const std::string& why) {
    PrintError(why);
    End(kExitFailed);
  }

  void End(int code) {
    code_ = code;
    loop_.Stop();
  }

  static constexpr std::chrono::milliseconds kBetweenLooks{500};
  static constexpr int kMostFailures = 20;              // in a row
  static constexpr std::chrono::seconds kTolerance{2};  // answers show whole seconds

  const DrillCommand& command_;
  const RunningExporter& exporter_;
  CurlTransport transport_{{"registry_backend_exporter/" + ThisBuild().version}, nullptr};
  NetworkLoop loop_{transport_};
  std::optional<Interruption> interruption_;
  bool is_interrupted_ = false;
  std::string target_;               // its name
  Time ends_;                        // what it was promised at its beginning
  std::optional<ShownDrill> drill_;  // as it was seen last; empty: it has not begun
  int failures_ = 0;
  int code_ = kExitFailed;
};

}  // namespace

int RunDrill(const DrillCommand& command) {
  const Result<RunningExporter> exporter = RunningExporter::Make(command.access);
  if (!exporter) {
    PrintError(exporter.error().message);
    return kExitUsage;
  }
  return Run(command, *exporter).ToTheEnd();
}

}  // namespace registry_backend
