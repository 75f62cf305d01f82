#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/inventory/policy.h"
#include "exporter/inventory/target_state.h"
#include "exporter/report/allowlist.h"
#include "exporter/report/page_parts.h"

// What a page says of one target: the parts of its section. Pure.
namespace registry_backend::page {

// A target as a page shows it. What it points to outlives it.
struct Target {
  std::string_view name;  // empty: registry and repository are its name
  std::string_view registry;
  std::string_view repository;
  const TargetState* state = nullptr;
  const Policy* policy = nullptr;  // null: none
  std::size_t number = 0;          // among those of the page, for the names of its elements

  // Of a target that is watched; a page that is kept as a file knows nothing of them.
  bool scanning = false;
  Duration interval{};
  std::optional<WallTime> next_scan;
  std::optional<WallTime> now;  // when the page is read
};

// How the target stands, in a word that is seen at a glance.
std::string Standing(const Target& target);

// The section's beginning: name, standing, what went wrong in words, the facts of its scans.
std::string Opening(const Target& target);

// A change, and whose it is where a list is of several targets.
struct ListedChange {
  const Change* change;
  std::string target;  // HTML
};
// In the order given.
std::string Timeline(const std::vector<ListedChange>& changes, const std::optional<WallTime>& now);
// The target's newest changes, newest first.
std::string Changes(const Target& target);

std::string Endpoints(const Target& target);

// What is kept of the newest tags.
std::string Tags(const TargetState& state);
// A media type in the words of those who know it: `OCI index`. Else as it is.
std::string MediaTypeWords(std::string_view media_type);

// The list, to be copied. `links` are HTML that leads to it in other forms.
std::string Allowlist(const Target& target, std::string_view links);

}  // namespace registry_backend::page
