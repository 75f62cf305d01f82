#include "tests/simulator/control.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "tests/simulator/simulator.h"

namespace registry_backend::simulator {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::int64_t kMostNumber = 1'000'000'000;  // of milliseconds, bytes and counts

// A JSON object with the path that leads to it, so that errors can name the key.
class Object {
 public:
  Object(const json& value, std::string path, std::initializer_list<std::string_view> keys)
      : value_(value), path_(std::move(path)) {
    if (!value.is_object())
      throw ControlError((path_.empty() ? "body" : path_) + ": must be an object");
    for (const auto& [key, unused] : value.items()) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) Fail(key, "unknown key");
    }
  }

  bool Has(const char* key) const { return value_.contains(key); }
  std::string Path(const std::string& key) const { return path_.empty() ? key : path_ + "." + key; }
  [[noreturn]] void Fail(const std::string& key, const std::string& what) const {
    throw ControlError(Path(key) + ": " + what);
  }

  const json& Member(const char* key) const {
    if (!Has(key)) Fail(key, "is missing");
    return value_[key];
  }
  std::string String(const char* key) const {
    if (!Member(key).is_string()) Fail(key, "must be a string");
    return Member(key).get<std::string>();
  }
  std::string String(const char* key, const std::string& absent) const {
    return Has(key) ? String(key) : absent;
  }
  int Number(const char* key, int least = 0) const {
    const json& member = Member(key);
    if (!member.is_number_integer() || member.get<std::int64_t>() < least ||
        member.get<std::int64_t>() > kMostNumber) {
      Fail(key, "must be an integer from " + std::to_string(least) + " to " +
                    std::to_string(kMostNumber));
    }
    return member.get<int>();
  }
  int NumberOr(const char* key, int absent, int least = 0) const {
    return Has(key) ? Number(key, least) : absent;
  }
  // From 0 to 1.
  double ShareOr(const char* key, double absent) const {
    if (!Has(key)) return absent;
    const json& member = Member(key);
    if (!member.is_number() || member.get<double>() < 0 || member.get<double>() > 1) {
      Fail(key, "must be a number from 0 to 1");
    }
    return member.get<double>();
  }
  bool Bool(const char* key) const {
    if (!Has(key)) return false;
    if (!Member(key).is_boolean()) Fail(key, "must be true or false");
    return Member(key).get<bool>();
  }
  // The list's elements with their paths.
  std::vector<std::pair<const json*, std::string>> List(const char* key) const {
    const json& member = Member(key);
    if (!member.is_array()) Fail(key, "must be a list");
    std::vector<std::pair<const json*, std::string>> elements;
    for (std::size_t i = 0; i < member.size(); ++i) {
      elements.emplace_back(&member[i], Path(key) + "[" + std::to_string(i) + "]");
    }
    return elements;
  }

 private:
  const json& value_;
  const std::string path_;
};

BackendRule ParseRule(const json& value, const std::string& path) {
  const Object object(value, path, {"host", "digest", "every", "tag", "repository", "from_layer"});
  BackendRule rule;
  rule.host = object.String("host");
  int selectors = 0;
  for (const char* key : {"digest", "every", "tag", "from_layer"}) selectors += object.Has(key);
  if (selectors != 1) object.Fail("host", "needs one of digest, every, tag, from_layer beside it");
  if (object.Has("digest")) {
    rule.blobs = ByDigest{object.String("digest")};
  } else if (object.Has("every")) {
    rule.blobs = EveryNth{static_cast<std::size_t>(object.Number("every", 1))};
  } else if (object.Has("tag")) {
    rule.blobs = OwnOfTag{object.String("repository", ""), object.String("tag")};
  } else {
    rule.blobs = FromLayer{static_cast<std::size_t>(object.Number("from_layer", 1))};
  }
  return rule;
}

Operation ParseOperation(const Object& object) {
  const std::string name = object.String("operation");
  for (const Operation operation : {Operation::kVersion, Operation::kTags, Operation::kManifest,
                                    Operation::kBlob, Operation::kToken}) {
    if (name == OperationName(operation)) return operation;
  }
  object.Fail("operation", "must be version, tags, manifest, blob or token");
}

StatusFault ParseStatusFault(const Object& object) {
  StatusFault fault;
  fault.status = object.Number("status", 200);
  if (fault.status > 599) object.Fail("status", "must be at most 599");
  fault.body = object.String("body", "");
  if (!object.Has("headers")) return fault;
  const json& headers = object.Member("headers");
  if (!headers.is_object()) object.Fail("headers", "must be an object");
  for (const auto& [name, value] : headers.items()) {
    if (!value.is_string()) object.Fail("headers." + name, "must be a string");
    fault.headers.emplace_back(name, value.get<std::string>());
  }
  return fault;
}

FaultAction ParseAction(const Object& object) {
  const std::string action = object.String("action");
  if (action == "status") return ParseStatusFault(object);
  if (action == "close") return CloseFault{};
  if (action == "stall") return StallFault{milliseconds(object.NumberOr("duration_ms", 0))};
  if (action == "truncate") return TruncateFault{};
  if (action == "drip") return DripFault{milliseconds(object.NumberOr("interval_ms", 10, 1))};
  if (action == "oversize") {
    return OversizeFault{static_cast<std::size_t>(object.Number("bytes", 1)),
                         object.Bool("chunked")};
  }
  if (action == "wrong_body") return WrongBodyFault{};
  object.Fail("action", "must be status, close, stall, truncate, drip, oversize or wrong_body");
}

Fault ParseFault(const json& value, const std::string& path) {
  const Object object(value, path,
                      {"operation", "reference", "method", "times", "chance", "action", "status",
                       "headers", "body", "duration_ms", "interval_ms", "bytes", "chunked"});
  Fault fault;
  fault.operation = ParseOperation(object);
  fault.reference = object.String("reference", "");
  fault.method = object.String("method", "");
  fault.times = object.NumberOr("times", -1, -1);
  if (fault.times == 0) object.Fail("times", "must be -1 or at least 1");
  fault.chance = object.ShareOr("chance", 1);
  fault.action = ParseAction(object);
  return fault;
}

// The repository a tag's edit is about; the catalog's only one if none is named.
std::string RepositoryIn(const Catalog& catalog, const std::string& named) {
  if (!named.empty()) return named;
  const auto& repositories = catalog.repositories();
  return repositories.empty() ? std::string() : repositories.begin()->first;
}

Command ParseTag(const json& value) {
  const Object object(value, "tag", {"repository", "tag", "digest"});
  return [repository = object.String("repository", ""), tag = object.String("tag"),
          digest = object.String("digest")](Simulator& simulator) {
    simulator.EditCatalog([&](Catalog& catalog) {
      const std::string name = RepositoryIn(catalog, repository);
      const StoredManifest* const manifest = catalog.FindManifest(name, digest);
      catalog.Tag(name, tag, manifest == nullptr ? digest : manifest->digest);
    });
  };
}

Command ParseRemoveTag(const json& value) {
  const Object object(value, "remove_tag", {"repository", "tag"});
  return [repository = object.String("repository", ""),
          tag = object.String("tag")](Simulator& simulator) {
    simulator.EditCatalog(
        [&](Catalog& catalog) { catalog.RemoveTag(RepositoryIn(catalog, repository), tag); });
  };
}

void AddSwitches(const Object& object, std::vector<Command>& commands) {
  if (object.Bool("reset_stats")) commands.emplace_back(&Simulator::ResetStats);
  if (object.Bool("clear_faults")) commands.emplace_back(&Simulator::ClearFaults);
  if (object.Bool("revoke_tokens")) commands.emplace_back(&Simulator::RevokeTokens);
}

void AddSettings(const Object& object, std::vector<Command>& commands) {
  if (object.Has("backend")) {
    commands.emplace_back([host = object.String("backend")](Simulator& s) { s.SetBackend(host); });
  }
  if (object.Has("backend_rules")) {
    std::vector<BackendRule> rules;
    for (const auto& [value, path] : object.List("backend_rules")) {
      rules.push_back(ParseRule(*value, path));
    }
    commands.emplace_back([rules](Simulator& s) { s.SetBackendRules(rules); });
  }
  if (object.Has("latency_ms")) {
    const milliseconds latency(object.Number("latency_ms"));
    commands.emplace_back([latency](Simulator& s) { s.SetLatency(latency); });
  }
  if (object.Has("password")) {
    commands.emplace_back(
        [password = object.String("password")](Simulator& s) { s.SetPassword(password); });
  }
  if (object.Has("page_size")) {
    const auto size = static_cast<std::size_t>(object.Number("page_size"));
    commands.emplace_back([size](Simulator& s) { s.SetPageSize(size); });
  }
  if (object.Has("own_host_hops")) {
    const int hops = object.Number("own_host_hops");
    commands.emplace_back([hops](Simulator& s) { s.SetOwnHostHops(hops); });
  }
}

}  // namespace

std::vector<Command> ParseControl(const std::string& body) {
  const json parsed = json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (parsed.is_discarded()) throw ControlError("body: is no JSON");
  const Object object(
      parsed, "",
      {"reset_stats", "clear_faults", "revoke_tokens", "backend", "backend_rules", "latency_ms",
       "password", "page_size", "own_host_hops", "tag", "remove_tag", "faults"});
  std::vector<Command> commands;
  AddSwitches(object, commands);
  AddSettings(object, commands);
  if (object.Has("tag")) commands.push_back(ParseTag(object.Member("tag")));
  if (object.Has("remove_tag")) commands.push_back(ParseRemoveTag(object.Member("remove_tag")));
  if (object.Has("faults")) {
    for (const auto& [value, path] : object.List("faults")) {
      commands.emplace_back(
          [fault = ParseFault(*value, path)](Simulator& s) { s.AddFault(fault); });
    }
  }
  return commands;
}

std::string ControlErrorJson(const std::string& message) {
  return json{{"error", message}}.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string StatsJson(const Stats& stats) {
  nlohmann::ordered_json requests = nlohmann::ordered_json::array();
  for (const auto& [request, count] : stats.counts) {
    requests.push_back({{"operation", OperationName(request.operation)},
                        {"method", request.method},
                        {"repository", request.repository},
                        {"reference", request.reference},
                        {"status", request.status},
                        {"authorization", request.authorization},
                        {"count", count}});
  }
  const nlohmann::ordered_json body = {{"total", stats.total},
                                       {"in_flight", stats.in_flight},
                                       {"max_in_flight", stats.max_in_flight},
                                       {"connections", stats.connections},
                                       {"open_connections", stats.open_connections},
                                       {"requests", std::move(requests)}};
  return body.dump(1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace registry_backend::simulator
