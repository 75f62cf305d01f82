#include "tests/support/markdown.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <utility>

namespace registry_backend::testing {
namespace {

struct Line {
  std::string text;
  bool is_code;  // of a block
};

// An indented line is code unless it goes on with a list's text.
std::vector<Line> LinesOf(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<Line> lines;
  bool in_fence = false;
  bool in_block = false;
  bool after_blank = true;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) {
      in_fence = !in_fence;
      continue;
    }
    const bool is_blank = line.empty();
    in_block = line.starts_with("    ") && (in_block || after_blank);
    if (in_block && !in_fence) line.erase(0, 4);
    lines.push_back({line, in_fence || in_block});
    after_blank = is_blank;
  }
  return lines;
}

std::string Prose(std::string_view text) {
  std::string prose;
  for (const Line& line : LinesOf(text)) {
    if (!line.is_code) prose += line.text + "\n";
  }
  return prose;
}

std::vector<std::string> FirstGroups(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> groups;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    groups.push_back((*at)[1]);
  }
  return groups;
}

std::vector<std::string> Cells(const std::string& row) {
  std::vector<std::string> cells;
  std::istringstream in(row.substr(1));
  for (std::string cell; std::getline(in, cell, '|');) {
    const std::size_t first = cell.find_first_not_of(' ');
    const std::size_t last = cell.find_last_not_of(' ');
    cells.push_back(first == cell.npos ? "" : cell.substr(first, last - first + 1));
  }
  return cells;
}

}  // namespace

std::string ReadDocument(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<std::filesystem::path> AllDocuments(const std::filesystem::path& root) {
  std::vector<std::filesystem::path> documents = {root / "README.md"};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root / "docs")) {
    if (entry.path().extension() == ".md") documents.push_back(entry.path());
  }
  std::ranges::sort(documents);
  return documents;
}

std::vector<std::string> CodeSpans(std::string_view text) {
  return FirstGroups(Prose(text), std::regex("`([^`]+)`"));
}

std::vector<std::string> CodeLines(std::string_view text) {
  std::vector<std::string> code;
  for (Line& line : LinesOf(text)) {
    if (line.is_code) code.push_back(std::move(line.text));
  }
  return code;
}

std::vector<std::string> Scripts(std::string_view text) {
  std::vector<std::string> scripts;
  bool in_script = false;
  for (const Line& line : LinesOf(text)) {
    const bool begins = line.is_code && line.text == "#!/bin/sh";
    if (begins) scripts.emplace_back();
    in_script = begins || (in_script && line.is_code);
    if (in_script) scripts.back() += line.text + "\n";
  }
  return scripts;
}

std::vector<std::vector<std::string>> TableRows(std::string_view text, std::string_view head) {
  std::vector<std::vector<std::string>> rows;
  bool in_table = false;
  for (const Line& line : LinesOf(text)) {
    if (line.text == head) {
      in_table = true;
    } else if (!line.text.starts_with("|")) {
      in_table = false;
    } else if (in_table && !line.text.starts_with("|-")) {
      rows.push_back(Cells(line.text));
    }
  }
  return rows;
}

std::vector<std::string> LinkTargets(std::string_view text) {
  const std::string prose = std::regex_replace(Prose(text), std::regex("`[^`\n]*`"), "");
  return FirstGroups(prose, std::regex(R"(\]\(([^)\s]+)\))"));
}

std::vector<std::string> Anchors(std::string_view text) {
  std::vector<std::string> anchors;
  for (const Line& line : LinesOf(text)) {
    const std::size_t title = line.text.find_first_not_of('#');
    if (line.is_code || title == 0 || title == std::string::npos || line.text[title] != ' ') {
      continue;
    }
    std::string anchor;
    for (const char c : line.text.substr(title + 1)) {
      const auto letter = static_cast<unsigned char>(c);
      if (c == ' ') {
        anchor += '-';
      } else if (std::isalnum(letter) != 0 || c == '-' || c == '_' || letter >= 0x80) {
        anchor += static_cast<char>(std::tolower(letter));
      }
    }
    anchors.push_back(anchor);
  }
  return anchors;
}

}  // namespace registry_backend::testing
