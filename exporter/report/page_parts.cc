#include "exporter/report/page_parts.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <utility>

namespace registry_backend::page {
namespace {

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// One unit, rounded down: `5 min`.
std::string Coarsely(std::chrono::seconds time) {
  using Days = std::chrono::duration<std::int64_t, std::ratio<86400>>;
  const auto days = std::chrono::duration_cast<Days>(time).count();
  if (days >= 2) return fmt::format("{} days", days);
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(time).count();
  if (hours >= 1) return fmt::format("{} h", hours);
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(time).count();
  if (minutes >= 1) return fmt::format("{} min", minutes);
  return fmt::format("{} s", time.count());
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string Text(std::string_view text) {
  return text.empty() ? "" : "<bdi>" + Escape(text) + "</bdi>";
}

std::string Code(std::string_view text) { return "<code>" + Escape(text) + "</code>"; }

std::string PercentEncode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    if (IsUnreserved(c)) {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return encoded;
}

std::string When(WallTime time) {
  return fmt::format("<time datetime=\"{}\">{}</time>", FormatRfc3339(time),
                     FormatUtcSeconds(time));
}

std::string Distance(WallTime time, WallTime now) {
  const auto ahead = std::chrono::duration_cast<std::chrono::seconds>(time - now);
  return ahead.count() > 0 ? "in " + Coarsely(ahead) : Coarsely(-ahead) + " ago";
}

std::string WhenAndAgo(WallTime time, const std::optional<WallTime>& now) {
  if (!now) return When(time);
  return fmt::format("{} <span class=\"soft\">{}</span>", Distance(time, *now), When(time));
}

std::string Count(std::uint64_t number, std::string_view one) {
  return fmt::format("{} {}{}", number, one, number == 1 ? "" : "s");
}

std::string Percent(double ratio) { return fmt::format("{:.1f} %", std::floor(ratio * 1000) / 10); }

std::string Badge(std::string_view style, std::string_view text) {
  return fmt::format("<span class=\"badge {}\">{}</span>", style, text);
}

std::string Fact(std::string_view name, std::string_view value, std::string_view style) {
  return fmt::format("<div><dt>{}</dt><dd class=\"{}\">{}</dd></div>\n", name, style, value);
}

std::string Facts(std::string_view pairs) {
  return pairs.empty() ? "" : fmt::format("<dl>\n{}</dl>\n", pairs);
}

Table::Table(std::string_view label, std::vector<std::string_view> columns)
    : columns_(std::move(columns)) {
  html_ = fmt::format("<table aria-label=\"{}\">\n<thead><tr>", label);
  for (const std::string_view column : columns_) {
    html_ += fmt::format("<th scope=\"col\">{}</th>", column);
  }
  html_ += "</tr></thead>\n<tbody>\n";
}

void Table::AddRow(const std::vector<std::string>& cells, std::string_view style) {
  html_ += style.empty() ? "<tr>" : fmt::format("<tr class=\"{}\">", style);
  for (std::size_t i = 0; i < cells.size() && i < columns_.size(); ++i) {
    html_ += i == 0 ? fmt::format("<th scope=\"row\">{}</th>", cells[i])
                    : fmt::format("<td data-label=\"{}\">{}</td>", columns_[i], cells[i]);
  }
  html_ += "</tr>\n";
}

std::string Table::Take() && { return std::move(html_) + "</tbody>\n</table>\n"; }

}  // namespace registry_backend::page
