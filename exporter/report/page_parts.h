#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/common/time.h"

// What the pages for people are made of, the one that is served and the one that is a file: pieces
// of HTML. Pure.
namespace registry_backend::page {

// Fit for text and for a quoted attribute.
std::string Escape(std::string_view text);
// What others wrote: escaped, and kept apart from what stands around it, whichever way it runs.
std::string Text(std::string_view text);
// The same of a name, a digest or the like.
std::string Code(std::string_view text);
// Fit for a value in a URL's query (RFC 3986 §2.3), and so for an attribute.
std::string PercentEncode(std::string_view text);

// The instant, for people and programs.
std::string When(WallTime time);
// How far off it is: `5 min ago`, `in 3 h`.
std::string Distance(WallTime time, WallTime now);
// The instant; where it is known when the page is read, how far off that is as well.
std::string WhenAndAgo(WallTime time, const std::optional<WallTime>& now);

// `3 blobs`, `1 blob`.
std::string Count(std::uint64_t number, std::string_view one);

// `95.9 %`; never more than it is.
std::string Percent(double ratio);

// How good news is: the class of an element that says so.
inline constexpr std::string_view kGood = "good";
inline constexpr std::string_view kFair = "fair";
inline constexpr std::string_view kBad = "bad";
inline constexpr std::string_view kNone = "none";

// A word that is seen at a glance. `text` is HTML.
std::string Badge(std::string_view style, std::string_view text);

// One pair of a list of facts. `value` is HTML.
std::string Fact(std::string_view name, std::string_view value, std::string_view style = "");
std::string Facts(std::string_view pairs);

// Rows under named columns; where there is no room for columns, each cell stands below its name.
class Table {
 public:
  // `label` says what it is a table of, to those who do not see it.
  Table(std::string_view label, std::vector<std::string_view> columns);

  // `cells` are HTML, one a column; the first is what the row is about.
  void AddRow(const std::vector<std::string>& cells, std::string_view style = "");
  [[nodiscard]] std::string Take() &&;

 private:
  const std::vector<std::string_view> columns_;
  std::string html_;
};

}  // namespace registry_backend::page
