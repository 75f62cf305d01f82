#include "exporter/commands/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <utility>

#include "exporter/commands/environment.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::chrono::milliseconds kBetweenDrawings{200};
constexpr std::string_view kErase = "\r\x1b[K";

// Without a TERM nothing is known of what redraws a line, and a dumb terminal cannot.
bool CanRedraw() {
  const std::string terminal = EnvironmentVariable("TERM");
  return isatty(STDERR_FILENO) == 1 && !terminal.empty() && terminal != "dumb";
}

// A line that is longer would wrap, and only its end be redrawn.
std::size_t Columns() {
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? std::size_t{size.ws_col} : 80;
}

void WriteToTerminal(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

// Whole seconds: tenths of them would flicker.
std::string Elapsed(Duration elapsed) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(elapsed);
  return seconds < std::chrono::minutes(1) ? fmt::format("{}s", seconds.count())
                                           : FormatDuration(seconds);
}

}  // namespace

std::string ProgressText(const ScanProgress& progress, std::size_t columns) {
  std::string who = progress.target;
  if (progress.targets > 1) {
    who = fmt::format("{} of {} targets, {}", progress.ended, progress.targets, who);
  }
  const ScanCounts& answered = progress.answered;
  const ScanCounts& asked = progress.asked;
  const std::string counts =
      fmt::format(": {}/{} tags, {}/{} manifests, {}/{} blobs, {} requests, {}", answered.tags,
                  asked.tags, answered.manifests, asked.manifests, answered.blobs, asked.blobs,
                  progress.requests, Elapsed(progress.elapsed));
  // Where not all fits, the numbers are what is looked at.
  const std::size_t left = columns > counts.size() ? columns - counts.size() : 0;
  return (Printable(who, left) + counts).substr(0, columns);
}

ProgressLine::ProgressLine(Loop& loop, std::function<ScanProgress()> progress)
    : loop_(loop), progress_(std::move(progress)) {
  if (CanRedraw()) DrawLater();
}

ProgressLine::~ProgressLine() {
  if (next_draw_) loop_.Cancel(*next_draw_);
  if (is_drawn_) WriteToTerminal(kErase);
}

void ProgressLine::DrawLater() {
  next_draw_ = loop_.At(loop_.Now() + kBetweenDrawings, [this] { Draw(); });
}

void ProgressLine::Draw() {
  const std::string text = ProgressText(progress_(), Columns() - 1);
  // In one go, so that the line is never seen half drawn.
  WriteToTerminal("\r" + text + "\x1b[K");
  is_drawn_ = true;
  DrawLater();
}

}  // namespace registry_backend
