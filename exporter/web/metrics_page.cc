#include "exporter/web/metrics_page.h"

namespace registry_backend {

std::shared_ptr<const std::string> MetricsPage::Text(ExpositionFormat format) {
  const Time asked = Clock::now();
  const std::lock_guard lock(mutex_);
  Written& written = format == ExpositionFormat::kText ? plain_ : open_metrics_;
  auto text = written.text.lock();
  if (text != nullptr && written.begun > asked) return text;
  written.begun = Clock::now();
  text = std::make_shared<const std::string>(WriteExposition(collect_(), format));
  written.text = text;
  return text;
}

}  // namespace registry_backend
