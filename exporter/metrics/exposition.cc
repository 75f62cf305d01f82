#include "exporter/metrics/exposition.h"

#include <charconv>
#include <cmath>

namespace registry_backend {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";
constexpr std::string_view kOpenMetricsType = "application/openmetrics-text";

std::string_view TypeName(MetricType type) {
  switch (type) {
    case MetricType::Counter:
      return "counter";
    case MetricType::Gauge:
      return "gauge";
    case MetricType::Histogram:
      return "histogram";
    case MetricType::Summary:
      return "summary";
    case MetricType::Untyped:
      return "untyped";
  }
  return "untyped";
}

class Writer {
 public:
  explicit Writer(ExpositionFormat format)
      : open_metrics_(format == ExpositionFormat::kOpenMetrics) {}

  void Write(const MetricFamily& family) {
    std::string_view name = family.name;
    if (open_metrics_ && family.type == MetricType::Counter && name.ends_with(kTotal)) {
      name.remove_suffix(kTotal.size());
    }
    Append("# HELP ", name, " ");
    AppendEscaped(family.help, open_metrics_);
    const bool unknown = open_metrics_ && family.type == MetricType::Untyped;
    Append("\n# TYPE ", name, " ", unknown ? "unknown" : TypeName(family.type), "\n");
    for (const ClientMetric& metric : family.metric) WriteMetric(family, metric);
  }

  std::string Take() && { return std::move(text_); }

 private:
  void WriteMetric(const MetricFamily& family, const ClientMetric& metric) {
    switch (family.type) {
      case MetricType::Counter:
        WriteSample(family.name, "", metric, {}, metric.counter.value);
        break;
      case MetricType::Gauge:
        WriteSample(family.name, "", metric, {}, metric.gauge.value);
        break;
      case MetricType::Untyped:
        WriteSample(family.name, "", metric, {}, metric.untyped.value);
        break;
      case MetricType::Histogram:
        WriteHistogram(family.name, metric);
        break;
      case MetricType::Summary:
        for (const ClientMetric::Quantile& quantile : metric.summary.quantile) {
          WriteSample(family.name, "", metric, {"quantile", Number(quantile.quantile)},
                      quantile.value);
        }
        WriteSample(family.name, "_sum", metric, {}, metric.summary.sample_sum);
        WriteSample(family.name, "_count", metric, {},
                    static_cast<double>(metric.summary.sample_count));
        break;
    }
  }

  void WriteHistogram(std::string_view name, const ClientMetric& metric) {
    const ClientMetric::Histogram& histogram = metric.histogram;
    bool has_infinity = false;
    for (const ClientMetric::Bucket& bucket : histogram.bucket) {
      has_infinity = has_infinity || std::isinf(bucket.upper_bound);
      WriteSample(name, "_bucket", metric, {"le", Bound(bucket.upper_bound)},
                  static_cast<double>(bucket.cumulative_count));
    }
    const auto count = static_cast<double>(histogram.sample_count);
    if (!has_infinity) WriteSample(name, "_bucket", metric, {"le", "+Inf"}, count);
    WriteSample(name, "_sum", metric, {}, histogram.sample_sum);
    WriteSample(name, "_count", metric, {}, count);
  }

  void WriteSample(std::string_view name, std::string_view suffix, const ClientMetric& metric,
                   const ClientMetric::Label& extra, double value) {
    Append(name, suffix);
    char separator = '{';
    for (const ClientMetric::Label& label : metric.label) WriteLabel(separator, label);
    if (!extra.name.empty()) WriteLabel(separator, extra);
    if (separator == ',') text_ += '}';
    Append(" ", Number(value), "\n");
  }

  void WriteLabel(char& separator, const ClientMetric::Label& label) {
    text_ += separator;
    separator = ',';
    Append(label.name, "=\"");
    AppendEscaped(label.value, true);
    text_ += '"';
  }

  static std::string Number(double value) {
    if (std::isnan(value)) return "NaN";
    if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
    char digits[32];
    // Whole numbers (timestamps, counts) are written out, as people read them.
    const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
    const auto end =
        whole ? std::to_chars(digits, digits + sizeof digits, static_cast<long long>(value)).ptr
              : std::to_chars(digits, digits + sizeof digits, value).ptr;
    return {digits, end};
  }

  // OpenMetrics wants bounds as floating-point numbers: `1.0`, not `1`.
  [[nodiscard]] std::string Bound(double value) const {
    std::string text = Number(value);
    if (open_metrics_ && text.find_first_not_of("-0123456789") == std::string::npos) text += ".0";
    return text;
  }

  template <typename... Pieces>
  void Append(const Pieces&... pieces) {
    (text_.append(pieces), ...);
  }

  void AppendEscaped(std::string_view value, bool quotes) {
    for (const char c : value) {
      if (c == '\\') {
        text_ += "\\\\";
      } else if (c == '\n') {
        text_ += "\\n";
      } else if (c == '"' && quotes) {
        text_ += "\\\"";
      } else {
        text_ += c;
      }
    }
  }

  const bool open_metrics_;
  std::string text_;
};

// The weight of a media range's parameters (RFC 9110 §12.4.2).
double Weight(std::string_view parameters) {
  const std::size_t q = parameters.find("q=");
  if (q == std::string_view::npos) return 1;
  double weight = 1;
  std::from_chars(parameters.data() + q + 2, parameters.data() + parameters.size(), weight);
  return weight;
}

}  // namespace

ExpositionFormat NegotiateFormat(std::string_view accept) {
  double open_metrics = 0;
  double text = 0;
  while (!accept.empty()) {
    const std::string_view range = accept.substr(0, accept.find(','));
    accept.remove_prefix(std::min(range.size() + 1, accept.size()));
    const std::size_t start = std::min(range.find_first_not_of(' '), range.size());
    const std::string_view type = range.substr(start, range.find_first_of("; ", start) - start);
    const std::string_view parameters = range.substr(start + type.size());
    if (type == kOpenMetricsType) open_metrics = std::max(open_metrics, Weight(parameters));
    if (type == "text/plain") text = std::max(text, Weight(parameters));
  }
  return open_metrics > 0 && open_metrics >= text ? ExpositionFormat::kOpenMetrics
                                                  : ExpositionFormat::kText;
}

std::string_view ContentType(ExpositionFormat format) {
  return format == ExpositionFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

std::string WriteExposition(const std::vector<MetricFamily>& families, ExpositionFormat format) {
  return WriteFamilies(families, format).append(EndOfExposition(format));
}

std::string_view EndOfExposition(ExpositionFormat format) {
  return format == ExpositionFormat::kOpenMetrics ? "# EOF\n" : "";
}

std::string WriteFamilies(const std::vector<MetricFamily>& families, ExpositionFormat format) {
  Writer writer(format);
  for (const MetricFamily& family : families) writer.Write(family);
  return std::move(writer).Take();
}

}  // namespace registry_backend
