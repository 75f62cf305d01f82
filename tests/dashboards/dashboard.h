#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

// What the tests read of dashboards/*.json and of the queries in them. Pure functions over values.
namespace registry_backend::testing {

// Keeps the order of keys, as the files do.
using Json = nlohmann::ordered_json;

struct Dashboard {
  std::string file;  // its name, e.g. `reachability.json`
  std::string text;  // as it is on the disk
  Json json;

  [[nodiscard]] std::string uid() const { return json.at("uid"); }
};

// Its name, for messages.
void PrintTo(const Dashboard& dashboard, std::ostream* out);

// All *.json of that folder, in order. Throws for what is no JSON.
std::vector<Dashboard> ReadDashboards(const std::filesystem::path& folder);

// The panels that show something: all but the rows.
std::vector<Json> Panels(const Json& dashboard);
// The variables that a query finds the values of, in order.
std::vector<Json> QueryVariables(const Json& dashboard);
// The annotations that are the dashboard's own.
std::vector<Json> Annotations(const Json& dashboard);

// An expression, and where it stands: `reachability.json, Reached or not, A`.
struct Query {
  std::string where;
  std::string expression;
};
// Of all panels and annotations.
std::vector<Query> Queries(const Dashboard& dashboard);

// What a variable stands for in a regular expression, by its name.
using Values = std::map<std::string, std::string>;
// Puts values in the place of `$name` and `${name}`; what has none stays.
std::string Substitute(std::string_view text, const Values& values);

struct Selector {
  std::string metric;
  std::string matchers;  // between the braces
  std::string range;     // `5m` of `[5m]`, or empty
  std::string function;  // what stands right before it: `rate` of `rate(x{}[5m])`, or empty
};
// What an expression selects, where it is written as metric{matchers}.
std::vector<Selector> Selectors(const std::string& expression);
// Names of metrics, as we know them by their beginnings, whether or not braces follow.
std::vector<std::string> MetricNames(const std::string& expression);

// The operands of each `or` in an expression, at any depth: each is an expression, too.
std::vector<std::string> OrOperands(const std::string& expression);

}  // namespace registry_backend::testing
