#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "exporter/report/report_diff.h"

// What a comparison means, in sentences.
namespace registry_backend {

// Shows a name within a sentence as the form that is written wants it.
using Quote = std::function<std::string(std::string_view)>;

// `1 added, 1 removed`; `nothing`.
std::string CountsOf(const ReportDiff& diff);

// How far the two reports can be trusted, and held against each other.
std::vector<std::string> NotesOn(const ReportDiff& diff);

// What to do about it, one host at a time.
std::vector<std::string> ActionsFor(const ReportDiff& diff, const Quote& quote);

// `3 tags: v3, v2, v1`; empty where no tag is known to need it.
std::string TagsOf(const DiffedEndpoint& endpoint, const Quote& quote);

struct ChangedField {
  std::string_view name;
  std::string before;
  std::string after;
};
std::vector<ChangedField> ChangedFields(const DiffedEndpoint& endpoint);

// `2026-11-26 06:00:00 UTC`; `unknown`.
std::string TimeOf(const DiffedReport& report);
// `complete`, `partial`; of a sample `not told`.
std::string OutcomeOf(const DiffedReport& report);
// `12 tags, 30 manifests, 400 blobs, 3 of them unresolved`; of a sample that it is one.
std::string CoverageOf(const DiffedReport& report);

}  // namespace registry_backend
