#include "exporter/discovery/classify.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "exporter/discovery/signed_region.h"

namespace registry_backend {
namespace {

constexpr std::string_view kS3 = "s3";
constexpr std::string_view kEcr = "ecr";
constexpr std::string_view kCloudFront = "cloudfront";
constexpr std::string_view kGcs = "gcs";
constexpr std::string_view kArtifactRegistry = "artifact-registry";
constexpr std::string_view kAzureBlob = "azure-blob";
constexpr std::string_view kMcr = "mcr";
constexpr std::string_view kAcr = "acr";
constexpr std::string_view kR2 = "r2";
constexpr std::string_view kBackblaze = "backblaze-b2";
constexpr std::string_view kWasabi = "wasabi";
constexpr std::string_view kSpaces = "digitalocean-spaces";
constexpr std::string_view kAkamai = "akamai";
constexpr std::string_view kFastly = "fastly";

// Where a region that the name does not tell may be read.
enum class Region { kInNameOnly, kInSignature };

// Of a pattern like `s3.{aws}.amazonaws.com/{bucket}`. The labels before the slash are those of the
// whole name; each is literal but for what is in braces, see kCaptures. What follows the slash is
// the path's beginning: its literal part has to be there, and `{bucket}` is the segment after that,
// left empty where it is no bucket's name. `{bucket}/` is one only where more follows.
struct Row {
  std::string_view pattern;
  std::string_view provider;
  Region region = Region::kInNameOnly;
};

// The first that matches holds. Amazon's other partitions are folded into amazonaws.com before.
constexpr Row kRows[] = {
    {"{bucket}.s3.dualstack.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3.amazonaws.com", kS3, Region::kInSignature},
    {"{bucket}.s3-fips.dualstack.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-fips.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-fips-{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-accelerate.dualstack.amazonaws.com", kS3, Region::kInSignature},
    {"{bucket}.s3-accelerate.amazonaws.com", kS3, Region::kInSignature},
    {"{bucket}.s3-website-{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-website.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-accesspoint.dualstack.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-accesspoint.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-accesspoint-fips.dualstack.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3-accesspoint-fips.{aws}.amazonaws.com", kS3},
    {"{bucket}.accesspoint.s3-global.amazonaws.com", kS3},  // of several regions
    {"{bucket}.s3express-{zone}.dualstack.{aws}.amazonaws.com", kS3},
    {"{bucket}.s3express-{zone}.{aws}.amazonaws.com", kS3},
    {"s3.dualstack.{aws}.amazonaws.com/{bucket}", kS3},
    {"s3.{aws}.amazonaws.com/{bucket}", kS3},
    {"s3.amazonaws.com/{bucket}", kS3, Region::kInSignature},
    {"s3-fips.dualstack.{aws}.amazonaws.com/{bucket}", kS3},
    {"s3-fips.{aws}.amazonaws.com/{bucket}", kS3},
    {"s3-fips-{aws}.amazonaws.com/{bucket}", kS3},
    {"s3-{aws}.amazonaws.com/{bucket}", kS3},

    {"{account}.dkr.ecr.{aws}.amazonaws.com", kEcr},
    {"{account}.dkr.ecr-fips.{aws}.amazonaws.com", kEcr},
    {"{account}.dkr-ecr.{aws}.on.aws", kEcr},
    {"{account}.dkr-ecr-fips.{aws}.on.aws", kEcr},
    {"public.ecr.aws", kEcr},

    {"d{alphanumeric}.cloudfront.net", kCloudFront},
    {"d{alphanumeric}.cloudfront.cn", kCloudFront},

    {"storage.googleapis.com/download/storage/v1/b/{bucket}/", kGcs},  // the JSON API's
    {"storage.googleapis.com/storage/v1/b/{bucket}/", kGcs},
    {"storage.googleapis.com/{bucket}", kGcs},
    {"{bucket}.storage.googleapis.com", kGcs},
    {"storage.{region}.rep.googleapis.com/{bucket}", kGcs},
    {"{region}-docker.pkg.dev", kArtifactRegistry},

    // The one segment of a path may be a blob in the account's root container.
    {"{name}.blob.core.windows.net/{bucket}/", kAzureBlob},
    {"{name}.blob.core.chinacloudapi.cn/{bucket}/", kAzureBlob},
    {"{name}.blob.core.usgovcloudapi.net/{bucket}/", kAzureBlob},
    {"{name}.z{number}.blob.storage.azure.net/{bucket}/", kAzureBlob},
    {"mcr.microsoft.com", kMcr},
    {"{region}.data.mcr.microsoft.com", kMcr},
    {"{name}.azurecr.io", kAcr},
    {"{name}.{region}.data.azurecr.io", kAcr},
    {"{name}.azurecr.cn", kAcr},
    {"{name}.{region}.data.azurecr.cn", kAcr},
    {"{name}.azurecr.us", kAcr},
    {"{name}.{region}.data.azurecr.us", kAcr},

    {"{hex}.r2.cloudflarestorage.com/{bucket}", kR2},
    {"{bucket}.{hex}.r2.cloudflarestorage.com", kR2},
    {"{hex}.{jurisdiction}.r2.cloudflarestorage.com/{bucket}", kR2},
    {"{bucket}.{hex}.{jurisdiction}.r2.cloudflarestorage.com", kR2},
    {"pub-{hex}.r2.dev", kR2},

    {"s3.{region}.backblazeb2.com/{bucket}", kBackblaze},
    {"{bucket}.s3.{region}.backblazeb2.com", kBackblaze},
    {"f{number}.backblazeb2.com/file/{bucket}", kBackblaze},
    {"f{number}.backblazeb2.com", kBackblaze},

    {"s3.wasabisys.com/{bucket}", kWasabi},
    {"{bucket}.s3.wasabisys.com", kWasabi},
    {"s3.{region}.wasabisys.com/{bucket}", kWasabi},
    {"{bucket}.s3.{region}.wasabisys.com", kWasabi},

    {"{site}.digitaloceanspaces.com/{bucket}", kSpaces},
    {"{bucket}.{site}.digitaloceanspaces.com", kSpaces},
    {"{names}.cdn.digitaloceanspaces.com", kSpaces},  // edges: no residency

    {"{names}.akamaized.net", kAkamai},
    {"{names}.akamaiedge.net", kAkamai},
    {"{names}.akamaihd.net", kAkamai},
    {"{names}.akamai.net", kAkamai},
    {"{names}.edgesuite.net", kAkamai},
    {"{names}.edgekey.net", kAkamai},
    {"{names}.fastly.net", kFastly},
    {"{names}.fastlylb.net", kFastly},
};

constexpr bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr bool IsLowerOrDigit(char c) { return IsLower(c) || IsDigit(c); }

bool IsAnything(std::string_view /*text*/) { return true; }
bool IsNumber(std::string_view text) { return std::ranges::all_of(text, IsDigit); }
bool IsAlphanumeric(std::string_view text) { return std::ranges::all_of(text, IsLowerOrDigit); }
bool IsAwsAccount(std::string_view text) { return text.size() == 12 && IsNumber(text); }

bool IsRegion(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return IsLowerOrDigit(c) || c == '-'; });
}

// `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`: two to four letters, one word or two, a number.
bool IsAwsRegion(std::string_view text) {
  int words = 0;
  for (std::size_t dash = text.find('-'); dash != std::string_view::npos; dash = text.find('-')) {
    const std::string_view word = text.substr(0, dash);
    if (word.size() < 2 || !std::ranges::all_of(word, IsLower)) return false;
    if (++words == 1 && word.size() > 4) return false;
    text.remove_prefix(dash + 1);
  }
  return (words == 2 || words == 3) && !text.empty() && text.size() <= 2 && IsNumber(text);
}

// `use1-az4`, `fips-use1-az4`
bool IsAwsZone(std::string_view text) {
  const std::size_t az = text.rfind("-az");
  if (az == std::string_view::npos || az == 0) return false;
  const std::string_view number = text.substr(az + 3);
  return !number.empty() && IsNumber(number);
}

bool IsR2Account(std::string_view text) {
  return text.size() == 32 &&
         std::ranges::all_of(text, [](char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); });
}

bool IsR2Jurisdiction(std::string_view text) {
  return text == "eu" || text == "us" || text == "fedramp";
}

// `nyc3`
bool IsSpacesSite(std::string_view text) {
  return text.size() == 4 && std::ranges::all_of(text.substr(0, 3), IsLower) && IsDigit(text[3]);
}

// What a pattern took from a name.
struct Captured {
  std::string_view bucket;
  std::string_view region;
};

// What may stand in braces: never empty, within one label, unless it begins a pattern as `bucket`
// or `names`, which take all labels that are left.
struct Capture {
  std::string_view name;
  bool (*is_like)(std::string_view);
  std::string_view Captured::*as = nullptr;
};

constexpr Capture kCaptures[] = {
    {"bucket", IsAnything, &Captured::bucket},
    {"names", IsAnything},
    {"name", IsAnything},
    {"alphanumeric", IsAlphanumeric},
    {"number", IsNumber},
    {"region", IsRegion, &Captured::region},
    {"aws", IsAwsRegion, &Captured::region},
    {"account", IsAwsAccount},
    {"zone", IsAwsZone},
    {"hex", IsR2Account},
    {"jurisdiction", IsR2Jurisdiction, &Captured::region},
    {"site", IsSpacesSite, &Captured::region},
};

constexpr const Capture* FindCapture(std::string_view name) {
  for (const Capture& capture : kCaptures) {
    if (capture.name == name) return &capture;
  }
  return nullptr;
}

// What a provider's buckets may be called: letters and digits at both ends, no IPv4 address.
struct BucketNames {
  std::string_view provider;
  std::size_t min_size;
  std::size_t max_size;
  std::string_view punctuation;  // allowed between lower-case letters and digits
  bool upper_case = false;       // is allowed too
};

// S3's old buckets have upper case and `_`.
constexpr BucketNames kBucketNames[] = {
    {kS3, 3, 63, "-._", true}, {kGcs, 3, 222, "-._"},          {kAzureBlob, 3, 63, "-"},
    {kR2, 3, 63, "-"},         {kBackblaze, 6, 63, "-", true}, {kWasabi, 3, 63, "-."},
    {kSpaces, 3, 63, "-."},
};

constexpr const BucketNames* FindBucketNames(std::string_view provider) {
  for (const BucketNames& names : kBucketNames) {
    if (names.provider == provider) return &names;
  }
  return nullptr;
}

constexpr bool IsWellFormed(const Row& row) {
  std::string_view rest = row.pattern;
  for (std::size_t open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    const std::size_t close = rest.find('}');
    if (FindCapture(rest.substr(open + 1, close - open - 1)) == nullptr) return false;
    rest.remove_prefix(close + 1);
  }
  const std::size_t slash = row.pattern.find('/');
  if (slash == std::string_view::npos) return true;
  return row.pattern.find("{bucket}", slash) != std::string_view::npos &&
         FindBucketNames(row.provider) != nullptr;
}

static_assert(std::ranges::all_of(kRows, IsWellFormed));

bool MatchLabel(std::string_view pattern, std::string_view label, Captured& captured) {
  const std::size_t open = pattern.find('{');
  if (open == std::string_view::npos) return pattern == label;
  const std::size_t close = pattern.find('}');
  const std::string_view before = pattern.substr(0, open);
  const std::string_view after = pattern.substr(close + 1);
  if (label.size() <= before.size() + after.size()) return false;
  if (!label.starts_with(before) || !label.ends_with(after)) return false;
  const std::string_view text =
      label.substr(before.size(), label.size() - before.size() - after.size());
  const Capture& capture = *FindCapture(pattern.substr(open + 1, close - open - 1));
  if (!capture.is_like(text)) return false;
  if (capture.as != nullptr) captured.*capture.as = text;
  return true;
}

std::string_view TakeLastLabel(std::string_view& name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view label = dot == std::string_view::npos ? name : name.substr(dot + 1);
  name = dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
  return label;
}

std::optional<Captured> MatchName(std::string_view pattern, std::string_view name) {
  Captured captured;
  while (!pattern.empty() && !name.empty()) {
    const bool takes_the_rest = pattern == "{bucket}" || pattern == "{names}";
    const std::string_view wanted = TakeLastLabel(pattern);
    const std::string_view label = takes_the_rest ? std::exchange(name, {}) : TakeLastLabel(name);
    if (!MatchLabel(wanted, label, captured)) return std::nullopt;
  }
  if (!pattern.empty() || !name.empty()) return std::nullopt;
  return captured;
}

bool MayBeBucket(std::string_view text, std::string_view provider) {
  const BucketNames& rule = *FindBucketNames(provider);
  if (text.size() < rule.min_size || text.size() > rule.max_size) return false;
  const auto is_alphanumeric = [&](char c) {
    return IsLowerOrDigit(c) || (rule.upper_case && c >= 'A' && c <= 'Z');
  };
  const auto is_allowed = [&](char c) {
    return is_alphanumeric(c) || rule.punctuation.find(c) != std::string_view::npos;
  };
  const bool is_address = text.find_first_not_of("0123456789.") == std::string_view::npos &&
                          text.find('.') != std::string_view::npos;
  return is_alphanumeric(text.front()) && is_alphanumeric(text.back()) && !is_address &&
         std::ranges::all_of(text, is_allowed) && text.find("..") == std::string_view::npos;
}

// The segment of `path` where `pattern`, of which the literal part is there, has its `{bucket}`.
std::string_view BucketInPath(std::string_view pattern, std::string_view path,
                              std::string_view provider) {
  path.remove_prefix(pattern.find('{'));
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos && pattern.ends_with('/')) return {};
  const std::string_view segment = path.substr(0, slash);
  return MayBeBucket(segment, provider) ? segment : std::string_view();
}

// What `row` tells of the host and the path, which has lost its first slash; none if it is not
// about them.
std::optional<Captured> MatchRow(const Row& row, std::string_view name, std::string_view path) {
  const std::size_t slash = row.pattern.find('/');
  std::optional<Captured> captured = MatchName(row.pattern.substr(0, slash), name);
  if (!captured || slash == std::string_view::npos) return captured;
  const std::string_view in_path = row.pattern.substr(slash + 1);
  if (!path.starts_with(in_path.substr(0, in_path.find('{')))) return std::nullopt;
  captured->bucket = BucketInPath(in_path, path, row.provider);
  return captured;
}

// The same names below amazonaws.com in every partition: China's amazonaws.com.cn, the European
// Sovereign Cloud's amazonaws.eu.
std::string FoldPartition(std::string_view name) {
  std::string folded(name);
  for (const std::string_view other : {".amazonaws.com.cn", ".amazonaws.eu"}) {
    if (!name.ends_with(other)) continue;
    folded.replace(name.size() - other.size(), other.size(), ".amazonaws.com");
  }
  return folded;
}

EndpointInfo ClassifyParts(const Host& host, std::string_view path, std::string_view query) {
  const std::string name = FoldPartition(host.name());
  for (const Row& row : kRows) {
    const std::optional<Captured> captured = MatchRow(row, name, path);
    if (!captured) continue;
    EndpointInfo info;
    info.provider = row.provider;
    info.bucket = captured->bucket;
    info.storage_region =
        row.region == Region::kInSignature ? SignedRegion(query) : std::string(captured->region);
    return info;
  }
  EndpointInfo unknown;
  unknown.storage_region = SignedRegion(query);
  return unknown;
}

}  // namespace

EndpointInfo Classify(const Url& url) {
  return ClassifyParts(url.host(), std::string_view(url.path()).substr(1), url.query());
}

EndpointInfo ClassifyHost(const Host& host) { return ClassifyParts(host, "", ""); }

}  // namespace registry_backend
