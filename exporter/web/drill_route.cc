#include "exporter/web/drill_route.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/web/answers.h"
#include "exporter/web/one_target.h"

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;

std::optional<Serves> ParseServes(std::string_view name) {
  const auto serves = std::ranges::find(kAllServes, name, ServesName);
  return serves == std::end(kAllServes) ? std::nullopt : std::optional(*serves);
}

constexpr std::string_view kParameters[] = {"target", "duration", "serves", "stop"};

// What is under way at the target after the request.
server::Response Accepted(const TargetSnapshot& target, const std::optional<Drill>& drill) {
  return JsonSuccess(202, {{"target", target.name},
                           {"registry", target.registry},
                           {"repository", target.repository},
                           {"drill", drill ? FromDrill(*drill) : Json()}});
}

server::Response Begin(const server::Request& request, const TargetSnapshot& target,
                       Monitor& monitor) {
  const std::string_view length = request.Parameter("duration");
  const Result<Duration> duration =
      ParseDrillDuration(length.empty() ? kDefaultDrillDuration : length);
  if (!duration) return JsonError(400, "duration: " + duration.error().message);
  const std::string_view name = request.Parameter("serves");
  const std::optional<Serves> serves = ParseServes(name.empty() ? "blobs" : name);
  if (!serves) {
    return JsonError(400, "serves: '" + std::string(name.substr(0, 40)) +
                              "' is not one of api, tokens, manifests, blobs");
  }
  const Drills::Answer answer = monitor.BeginDrill(target, *serves, *duration);
  if (answer.accepted) return Accepted(target, answer.drill);
  return JsonError(409, "a drill of '" + target.name + "' is under way until " +
                            FormatRfc3339(answer.drill->ends) + "; stop=true ends it sooner");
}

}  // namespace

Json FromDrill(const Drill& drill) {
  return {{"serves", ServesName(drill.serves)},
          {"backend_host", Drill::kHost},
          {"present", drill.present},
          {"appeared", FormatRfc3339(drill.appeared)},
          {"vanishes", FormatRfc3339(drill.vanishes)},
          {"ends", FormatRfc3339(drill.ends)}};
}

server::Response AnswerDrill(const server::Request& request, Monitor& monitor) {
  // A parameter that is misspelt, or in the body, must not begin a drill that pages somebody.
  if (!request.Field("content-length").empty() && request.Field("content-length") != "0") {
    return JsonError(400, "parameters belong into the URL, not into the body");
  }
  for (const auto& [name, value] : request.query) {
    if (std::ranges::find(kParameters, name) == std::end(kParameters)) {
      return JsonError(400, "unknown parameter '" + name.substr(0, 40) +
                                "': there are target, duration, serves and stop");
    }
  }
  const auto [target, refusal] = FindOneTarget(*monitor.Current(), request);
  if (target == nullptr) return refusal;
  const std::string_view stop = request.Parameter("stop");
  if (stop.empty() || stop == "false") return Begin(request, *target, monitor);
  if (stop != "true") return JsonError(400, "stop: expected true or false");
  if (request.query.contains("duration") || request.query.contains("serves")) {
    return JsonError(400, "stop=true goes with neither duration nor serves");
  }
  const Drills::Answer answer = monitor.StopDrill(*target);
  if (answer.accepted) return Accepted(*target, answer.drill);
  return JsonError(409, "no drill of '" + target->name + "' is under way");
}

}  // namespace registry_backend
