#include "exporter/web/metrics_page.h"

namespace registry_backend {

std::shared_ptr<const std::string> MetricsPage::Text(ExpositionFormat format) {
  const Time asked = Clock::now();
  const std::lock_guard lock(mutex_);
  Written& written = format == ExpositionFormat::kText ? plain_ : open_metrics_;
  auto text = written.text.lock();
  if (text != nullptr && written.begun > asked) return text;
  written.begun = Clock::now();
  text = std::make_shared<const std::string>(Write(written, format));
  written.text = text;
  return text;
}

std::string MetricsPage::Write(Written& written, ExpositionFormat format) const {
  const std::shared_ptr<const Snapshot> snapshot = sources_.current();
  if (written.snapshot.lock() != snapshot) {
    written.of_snapshot = WriteFamilies(sources_.describe(*snapshot), format);
    written.snapshot = snapshot;
  }
  const std::string rest = WriteFamilies(sources_.collect(), format);
  const std::string_view end = EndOfExposition(format);
  std::string text;
  text.reserve(written.of_snapshot.size() + rest.size() + end.size());
  return text.append(written.of_snapshot).append(rest).append(end);
}

}  // namespace registry_backend
