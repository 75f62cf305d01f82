#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

// What the tests that hold docs/ against the code read of them.
namespace registry_backend::testing {

// The whole file; empty where there is none.
std::string ReadDocument(const std::filesystem::path& path);

// README.md and all below docs/, of the source tree at `root`, in order.
std::vector<std::filesystem::path> AllDocuments(const std::filesystem::path& root);

// What stands between backquotes, in order, without the blocks of code that are indented or fenced.
std::vector<std::string> CodeSpans(std::string_view text);

// The lines of code in blocks, indented or fenced, without their indentation.
std::vector<std::string> CodeLines(std::string_view text);

// The scripts in blocks of code, from the line `#!/bin/sh` to the end of the block, which an empty
// line is too.
std::vector<std::string> Scripts(std::string_view text);

// The cells of the rows of all tables that have this line as their head.
std::vector<std::vector<std::string>> TableRows(std::string_view text, std::string_view head);

// What links lead to, `[…](…)` without a title, outside of code.
std::vector<std::string> LinkTargets(std::string_view text);

// The anchors that GitHub gives the headings.
std::vector<std::string> Anchors(std::string_view text);

}  // namespace registry_backend::testing
