#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "exporter/common/time.h"
#include "exporter/discovery/scan_result.h"
#include "exporter/http/loop.h"

namespace registry_backend {

// How far scans are, all together.
struct ScanProgress {
  std::string target;     // the one that is scanned; of several the first that has not ended
  std::size_t ended = 0;  // of `targets`
  std::size_t targets = 1;
  ScanCounts answered;
  ScanCounts asked;
  std::uint64_t requests = 0;  // sent, with those for tokens and those repeated
  Duration elapsed{};
};

// One line of at most `columns` columns:
// `r.example/team/app: 3/12 tags, 40/57 manifests, 210/480 blobs, 290 requests, 12s`
std::string ProgressText(const ScanProgress& progress, std::size_t columns);

// Shows a line on standard error where that is a terminal that can redraw a line, and draws it anew
// five times a second; elsewhere nothing. The line is erased in the end. Network thread only.
class ProgressLine {
 public:
  // `progress` is asked while the line is shown.
  ProgressLine(Loop& loop, std::function<ScanProgress()> progress);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  void DrawLater();
  void Draw();

  Loop& loop_;
  const std::function<ScanProgress()> progress_;
  std::optional<TimerId> next_draw_;
  bool is_drawn_ = false;
};

}  // namespace registry_backend
