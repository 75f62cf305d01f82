#include "exporter/discovery/classify.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using Labels = std::vector<std::string_view>;

constexpr std::string_view kS3 = "s3";

std::string Join(const Labels& labels) {
  std::string text;
  for (const std::string_view label : labels) {
    if (!text.empty()) text += '.';
    text += label;
  }
  return text;
}

// Takes the last label if it is `label`.
bool TakeLast(Labels& labels, std::string_view label) {
  if (labels.empty() || labels.back() != label) return false;
  labels.pop_back();
  return true;
}

// `us-east-1`, `us-gov-west-1`: two letters, words, a number.
bool IsRegion(std::string_view label) {
  const std::size_t first = label.find('-');
  const std::size_t last = label.rfind('-');
  if (first != 2 || last == first || last + 1 == label.size()) return false;
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return std::ranges::all_of(label.substr(0, first), is_lower) &&
         std::ranges::all_of(label.substr(first, last - first),
                             [&](char c) { return is_lower(c) || c == '-'; }) &&
         std::ranges::all_of(label.substr(last + 1), is_digit);
}

// The bucket that a path-style URL names; empty where it is none that S3 would allow.
std::string BucketOfPath(const Url& url) {
  const std::string_view path = std::string_view(url.path()).substr(1);
  const std::string_view bucket = path.substr(0, path.find('/'));
  const bool valid = bucket.size() <= 63 && std::ranges::all_of(bucket, [](char c) {
                       return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                              (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
                     });
  return std::string(valid ? bucket : std::string_view());
}

// What stands where S3's name stands.
struct Service {
  std::string_view region;      // empty: the name does not say
  bool has_path_style = false;  // whether the bucket may be in the path
};

// Takes S3's part of the name, region included, from the right of `labels`.
std::optional<Service> TakeService(Labels& labels) {
  if (labels.empty()) return std::nullopt;
  const std::string_view last = labels.back();
  if (IsRegion(last)) {  // <service>[.dualstack].<region>
    labels.pop_back();
    TakeLast(labels, "dualstack");
    if (TakeLast(labels, kS3) || TakeLast(labels, "s3-fips")) return Service{last, true};
    if (TakeLast(labels, "s3-accesspoint") || TakeLast(labels, "s3-accesspoint-fips") ||
        TakeLast(labels, "s3-website")) {
      return Service{last};
    }
    if (!labels.empty() && labels.back().starts_with("s3express-")) {
      labels.pop_back();
      return Service{last};
    }
    return std::nullopt;
  }
  if (TakeLast(labels, kS3)) return Service{"", true};
  if (TakeLast(labels, "dualstack")) {
    return TakeLast(labels, "s3-accelerate") ? std::optional(Service{}) : std::nullopt;
  }
  if (TakeLast(labels, "s3-accelerate")) return Service{};
  for (const std::string_view prefix : {"s3-website-", "s3-fips-", "s3-"}) {
    if (last.starts_with(prefix) && IsRegion(last.substr(prefix.size()))) {
      labels.pop_back();
      return Service{last.substr(prefix.size()), prefix != "s3-website-"};
    }
  }
  return std::nullopt;
}

}  // namespace

EndpointInfo Classify(const Url& url) {
  EndpointInfo info;
  Labels labels = Split(url.host().name(), '.');
  TakeLast(labels, "cn");
  if (!TakeLast(labels, "com") || !TakeLast(labels, "amazonaws")) return info;
  const std::optional<Service> service = TakeService(labels);
  if (!service || (labels.empty() && !service->has_path_style)) return info;
  info.provider = kS3;
  info.storage_region = service->region;
  info.bucket = labels.empty() ? BucketOfPath(url) : Join(labels);
  return info;
}

}  // namespace registry_backend
