#include "exporter/discovery/signed_region.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "exporter/url/text.h"
#include "exporter/url/url.h"

namespace registry_backend {
namespace {

constexpr std::string_view kParameter = "X-Amz-Credential";
constexpr std::size_t kDateLength = 8;  // 20260131
constexpr std::size_t kMinRegionLength = 2;
constexpr std::size_t kMaxRegionLength = 32;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsRegion(std::string_view text) {
  return text.size() >= kMinRegionLength && text.size() <= kMaxRegionLength && text != "auto" &&
         std::ranges::all_of(
             text, [](char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-'; });
}

std::string RegionOfCredential(std::string_view credential) {
  const std::vector<std::string_view> parts = Split(credential, '/');
  if (parts.size() != 5) return {};
  const std::string_view date = parts[1];
  const bool is_signature = !parts[0].empty() && date.size() == kDateLength &&
                            std::ranges::all_of(date, IsDigit) && parts[3] == "s3" &&
                            parts[4] == "aws4_request";
  return std::string(is_signature && IsRegion(parts[2]) ? parts[2] : std::string_view());
}

}  // namespace

std::string SignedRegion(std::string_view query) {
  std::optional<std::string> credential;
  for (const std::string_view pair : Split(query, '&')) {
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) != kParameter) continue;
    std::optional<std::string> value =
        PercentDecode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!value || (credential && *credential != *value)) return {};
    credential = std::move(value);
  }
  return credential ? RegionOfCredential(*credential) : std::string();
}

}  // namespace registry_backend
