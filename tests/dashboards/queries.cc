#include "tests/dashboards/queries.h"

#include <algorithm>
#include <exception>
#include <regex>
#include <set>

#include "tests/support/http_get.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

// One of several values of a variable, as Grafana's Prometheus plugin writes it into a string.
std::string Escape(const std::string& value) {
  std::string escaped;
  for (const char c : value) {
    if (std::string_view("$^*{}[]+?.()|\\").find(c) != std::string_view::npos) escaped += "\\\\";
    escaped += c;
  }
  return escaped;
}

std::string AnyOf(const std::vector<std::string>& values) {
  if (values.empty()) return "";
  std::string any;
  for (const std::string& value : values) any += (any.empty() ? "(" : "|") + Escape(value);
  return any + ")";
}

// What `label_values(SELECTOR, LABEL)` is answered.
std::vector<std::string> LabelValues(const PrometheusServer& prometheus, const std::string& query) {
  static const std::regex pattern(R"(label_values\((.*), (\w+)\))");
  std::smatch match;
  if (!std::regex_match(query, match, pattern)) return {};
  return prometheus.Api("label/" + match[2].str() +
                        "/values?match[]=" + PercentEncode(match[1].str()));
}

// Of a graph's values, in seconds.
std::int64_t Step(Span span) {
  constexpr std::int64_t kPixels = 500;
  return std::max<std::int64_t>(1, (span.to - span.from) / kPixels);
}

// What a query shows, and how it is asked.
class Asked {
 public:
  Asked(const PrometheusServer& prometheus, bool instant, Span span, std::string where)
      : prometheus_(prometheus), instant_(instant), span_(span), where_(std::move(where)) {}

  // The series that have a value; says what is wrong where there are none.
  std::vector<json> Ask(const std::string& expression, std::vector<std::string>& faults) const {
    try {
      std::vector<json> series;
      for (const json& one : Answer(expression)) {
        if (HasValue(one)) series.push_back(one.at("metric"));
      }
      if (series.empty()) faults.push_back(where_ + " shows nothing: " + expression);
      return series;
    } catch (const std::exception& error) {
      faults.push_back(where_ + ": " + error.what());
      return {};
    }
  }

 private:
  [[nodiscard]] json Answer(const std::string& expression) const {
    const std::string query = "query=" + PercentEncode(expression);
    const std::string to = std::to_string(span_.to);
    if (instant_) return prometheus_.Api("query?" + query + "&time=" + to).at("result");
    return prometheus_
        .Api("query_range?" + query + "&step=" + std::to_string(Step(span_)) +
             "&start=" + std::to_string(span_.from) + "&end=" + to)
        .at("result");
  }

  [[nodiscard]] bool HasValue(const json& series) const {
    if (instant_) return series.at("value").at(1) != "NaN";
    return std::ranges::any_of(series.at("values"),
                               [](const json& value) { return value.at(1) != "NaN"; });
  }

  const PrometheusServer& prometheus_;
  const bool instant_;
  const Span span_;
  const std::string where_;
};

// The labels that a legend is made of.
std::vector<std::string> LegendLabels(const std::string& legend) {
  static const std::regex pattern(R"(\{\{\s*(\w+)\s*\}\})");
  std::vector<std::string> labels;
  for (std::sregex_iterator at(legend.begin(), legend.end(), pattern), end; at != end; ++at) {
    labels.push_back((*at)[1]);
  }
  return labels;
}

// The labels that a table has columns for.
std::set<std::string> ColumnLabels(const Json& panel) {
  std::set<std::string> labels;
  for (const Json& transformation : panel.value("transformations", Json::array())) {
    if (transformation.at("id") != "organize") continue;
    for (const auto& [name, title] : transformation.at("options").at("renameByName").items()) {
      if (!name.starts_with("Value")) labels.insert(name);
    }
  }
  return labels;
}

void AskPanel(const PrometheusServer& prometheus, const std::string& file, const Json& panel,
              const Values& values, Span span, Operands operands,
              std::vector<std::string>& faults) {
  const std::string title = file + ", " + panel.at("title").get<std::string>();
  std::set<std::string> missing = ColumnLabels(panel);
  for (const Json& target : panel.at("targets")) {
    const std::string where = title + ", " + target.at("refId").get<std::string>();
    const Asked asked(prometheus, target.at("instant"), span, where);
    const std::string expression = Substitute(target.at("expr").get<std::string>(), values);
    const std::vector<std::string> legend = LegendLabels(target.at("legendFormat"));
    for (const json& series : asked.Ask(expression, faults)) {
      for (const auto& [label, value] : series.items()) missing.erase(label);
      for (const std::string& label : legend) {
        if (!series.contains(label)) faults.push_back(where + " has no label " + label);
      }
    }
    if (operands == Operands::kOne) continue;
    for (const std::string& operand : OrOperands(expression)) (void)asked.Ask(operand, faults);
  }
  for (const std::string& label : missing) faults.push_back(title + " has no column " + label);
}

}  // namespace

std::vector<Values> VariableValues(const PrometheusServer& prometheus, const Dashboard& dashboard,
                                   Span span, std::vector<std::string>& faults) {
  const std::string range = std::to_string(span.to - span.from);
  // Grafana's for a step of a minute or more, and scrapes that are a minute apart; longer than the
  // scrapes of a test where it is over within a minute.
  const std::int64_t rate = Step(span) < 60 ? 10 : std::max<std::int64_t>(Step(span) + 60, 240);
  Values all = {{"__rate_interval", std::to_string(rate) + "s"},
                {"__range", range + "s"},
                {"__range_s", range}};
  Values each = all;
  for (const Json& variable : QueryVariables(dashboard.json)) {
    const std::string name = variable.at("name");
    const std::string query = variable.at("query");
    all[name] = variable.at("allValue");
    const std::vector<std::string> values = LabelValues(prometheus, Substitute(query, all));
    if (values.empty()) faults.push_back(dashboard.file + ", variable " + name + " has no value");
    if (LabelValues(prometheus, Substitute(query, each)) != values) {
      faults.push_back(dashboard.file + ", variable " + name + " has other values by name");
    }
    each[name] = AnyOf(values);
  }
  return {all, each};
}

std::vector<std::string> Faults(const PrometheusServer& prometheus, const Dashboard& dashboard,
                                Span span, Operands operands) {
  std::vector<std::string> faults;
  for (const Values& values : VariableValues(prometheus, dashboard, span, faults)) {
    for (const Json& panel : Panels(dashboard.json)) {
      AskPanel(prometheus, dashboard.file, panel, values, span, operands, faults);
    }
    for (const Json& annotation : Annotations(dashboard.json)) {
      const std::string where =
          dashboard.file + ", annotation " + annotation.at("name").get<std::string>();
      const Asked asked(prometheus, false, span, where);
      const auto series =
          asked.Ask(Substitute(annotation.at("expr").get<std::string>(), values), faults);
      const std::string text = annotation.at("textFormat");
      for (const std::string& label : LegendLabels(text)) {
        if (!series.empty() && !series.front().contains(label)) {
          faults.push_back(where + " has no label " + label);
        }
      }
    }
  }
  return faults;
}

}  // namespace registry_backend::testing
