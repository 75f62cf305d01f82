#include "exporter/server/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>

#include "exporter/server/text.h"

namespace registry_backend::server {
namespace {

constexpr int kGzipWindow = 15 + 16;  // zlib's largest, in a gzip frame
constexpr int kMemoryLevel = 8;
constexpr std::size_t kMinBytes = 1024;

// The weight of one coding, in thousandths (RFC 9110 §12.4.2); what cannot be read refuses it.
int WeightOf(std::string_view parameters) {
  parameters = Trimmed(parameters);
  if (parameters.empty()) return 1000;
  const std::size_t equals = parameters.find('=');
  if (equals == std::string_view::npos || !SameText(Trimmed(parameters.substr(0, equals)), "q")) {
    return 0;
  }
  const std::string_view text = Trimmed(parameters.substr(equals + 1));
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return 0;
  if (text.size() > 1 && text[1] != '.') return 0;
  int weight = (text[0] - '0') * 1000;
  int unit = 100;
  for (const char digit : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (digit < '0' || digit > '9') return 0;
    weight += (digit - '0') * unit;
    unit /= 10;
  }
  return std::min(weight, 1000);
}

}  // namespace

bool AcceptsGzip(std::string_view accept_encoding) {
  std::optional<int> gzip;
  std::optional<int> identity;
  std::optional<int> any;
  while (!accept_encoding.empty()) {
    const std::size_t comma = std::min(accept_encoding.find(','), accept_encoding.size());
    const std::string_view item = accept_encoding.substr(0, comma);
    accept_encoding.remove_prefix(std::min(comma + 1, accept_encoding.size()));
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view coding = Trimmed(item.substr(0, semicolon));
    const int weight = WeightOf(item.substr(std::min(semicolon + 1, item.size())));
    if (SameText(coding, "gzip") || SameText(coding, "x-gzip")) {
      gzip = std::max(gzip.value_or(0), weight);
    } else if (SameText(coding, "identity")) {
      identity = weight;
    } else if (coding == "*") {
      any = weight;
    }
  }
  const int weight = gzip.value_or(any.value_or(0));
  return weight > 0 && weight >= identity.value_or(0);
}

bool IsWorthPacking(std::string_view content_type, std::size_t bytes) {
  return bytes >= kMinBytes &&
         (content_type.starts_with("text/") || content_type.starts_with("application/json") ||
          content_type.starts_with("application/openmetrics-text"));
}

std::string Gzip(std::string_view plain) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    return {};
  }
  std::string packed;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  std::array<char, 16'384> piece;
  int state = Z_OK;
  while (state == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(piece.data());
    stream.avail_out = piece.size();
    state = deflate(&stream, Z_FINISH);
    packed.append(piece.data(), piece.size() - stream.avail_out);
  }
  deflateEnd(&stream);
  return state == Z_STREAM_END ? packed : std::string();
}

std::shared_ptr<const std::string> BodyPacker::Pack(
    const std::shared_ptr<const std::string>& body) {
  const std::lock_guard lock(mutex_);
  std::erase_if(
      packed_, [](const Packed& entry) { return entry.plain.expired() || entry.packed.expired(); });
  for (const Packed& entry : packed_) {
    auto packed = entry.packed.lock();
    if (packed != nullptr && entry.plain.lock() == body) return packed;
  }
  auto packed = std::make_shared<const std::string>(Gzip(*body));
  packed_.push_back({body, packed});
  return packed;
}

}  // namespace registry_backend::server
