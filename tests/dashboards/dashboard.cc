#include "tests/dashboards/dashboard.h"

#include <algorithm>
#include <regex>

#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

// The position after the string that begins at `at`.
std::size_t AfterString(const std::string& text, std::size_t at) {
  return std::min(text.find('"', at + 1), text.size() - 1) + 1;
}

// The position of the parenthesis that closes the one before `at`, or the end.
std::size_t Closing(const std::string& text, std::size_t at) {
  for (int depth = 1; at < text.size();) {
    if (text[at] == '"') {
      at = AfterString(text, at);
      continue;
    }
    if (text[at] == '(') ++depth;
    if (text[at] == ')' && --depth == 0) return at;
    ++at;
  }
  return text.size();
}

// A word's end: `or (` is one, `order` is none.
bool IsOr(const std::string& text, std::size_t at) { return text.compare(at, 4, " or ") == 0; }

}  // namespace

void PrintTo(const Dashboard& dashboard, std::ostream* out) { *out << dashboard.file; }

std::vector<Dashboard> ReadDashboards(const std::filesystem::path& folder) {
  std::vector<Dashboard> dashboards;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    const std::string text = ReadFile(entry.path());
    dashboards.push_back({entry.path().filename(), text, Json::parse(text)});
  }
  std::ranges::sort(dashboards, {}, &Dashboard::file);
  return dashboards;
}

std::vector<Json> Panels(const Json& dashboard) {
  std::vector<Json> panels;
  for (const Json& panel : dashboard.at("panels")) {
    if (panel.at("type") != "row") panels.push_back(panel);
  }
  return panels;
}

std::vector<Json> QueryVariables(const Json& dashboard) {
  std::vector<Json> variables;
  for (const Json& variable : dashboard.at("templating").at("list")) {
    if (variable.at("type") == "query") variables.push_back(variable);
  }
  return variables;
}

std::vector<Json> Annotations(const Json& dashboard) {
  std::vector<Json> annotations;
  for (const Json& annotation : dashboard.at("annotations").at("list")) {
    if (!annotation.contains("builtIn")) annotations.push_back(annotation);
  }
  return annotations;
}

std::vector<Query> Queries(const Dashboard& dashboard) {
  std::vector<Query> queries;
  for (const Json& panel : Panels(dashboard.json)) {
    for (const Json& target : panel.at("targets")) {
      queries.push_back({dashboard.file + ", " + panel.at("title").get<std::string>() + ", " +
                             target.at("refId").get<std::string>(),
                         target.at("expr")});
    }
  }
  for (const Json& annotation : Annotations(dashboard.json)) {
    queries.push_back({dashboard.file + ", annotation " + annotation.at("name").get<std::string>(),
                       annotation.at("expr")});
  }
  return queries;
}

std::string Substitute(std::string_view text, const Values& values) {
  static const std::regex variable(R"(\$(?:\{(\w+)\}|(\w+)))");
  std::string result;
  std::string rest(text);
  for (std::smatch match; std::regex_search(rest, match, variable); rest = match.suffix()) {
    const auto value = values.find(match[1].matched ? match[1].str() : match[2].str());
    result += match.prefix().str() + (value == values.end() ? match.str() : value->second);
  }
  return result + rest;
}

std::vector<Selector> Selectors(const std::string& expression) {
  static const std::regex pattern(R"((?:(\w+)\()?([a-zA-Z_:][\w:]*)\{([^{}]*)\}(?:\[([^\]]*)\])?)");
  std::vector<Selector> selectors;
  for (std::sregex_iterator at(expression.begin(), expression.end(), pattern), end; at != end;
       ++at) {
    selectors.push_back({(*at)[2], (*at)[3], (*at)[4], (*at)[1]});
  }
  return selectors;
}

std::vector<std::string> MetricNames(const std::string& expression) {
  static const std::regex text("\"[^\"]*\"");
  static const std::regex pattern(R"(\b((?:registry_backend|probe|process|scrape)_\w+|up)\b)");
  const std::string bare = std::regex_replace(expression, text, "\"\"");
  std::vector<std::string> names;
  for (std::sregex_iterator at(bare.begin(), bare.end(), pattern), end; at != end; ++at) {
    names.push_back((*at)[1]);
  }
  return names;
}

std::vector<std::string> OrOperands(const std::string& expression) {
  std::vector<std::string> found;
  std::vector<std::string> operands;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < expression.size();) {
    if (expression[at] == '"') {
      at = AfterString(expression, at);
    } else if (expression[at] == '(') {
      const std::size_t close = Closing(expression, at + 1);
      const auto inner = OrOperands(expression.substr(at + 1, close - at - 1));
      found.insert(found.end(), inner.begin(), inner.end());
      at = close + 1;
    } else if (IsOr(expression, at)) {
      operands.push_back(expression.substr(begin, at - begin));
      at += 4;
      begin = at;
    } else {
      ++at;
    }
  }
  if (operands.empty()) return found;
  operands.push_back(expression.substr(begin));
  found.insert(found.end(), operands.begin(), operands.end());
  return found;
}

}  // namespace registry_backend::testing
