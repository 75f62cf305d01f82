#include "tests/simulator/registry.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "tests/simulator/answers.h"

namespace registry_backend::simulator {
namespace {

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

// Takes `/hop/N` from the front of `text`; N, or 0 if it is not there.
int TakeHop(std::string& text) {
  static constexpr std::string_view kPrefix = "/hop/";
  if (!text.starts_with(kPrefix)) return 0;
  const std::size_t slash = std::min(text.find('/', kPrefix.size()), text.size());
  const auto hop =
      ParseNumber<int>(std::string_view(text).substr(kPrefix.size(), slash - kPrefix.size()));
  if (!hop || *hop < 1) return 0;
  text.erase(0, slash);
  return *hop;
}

// Fills in what stands around the last `middle` of `/v2/NAME<middle>REFERENCE`.
bool SplitPath(const std::string& path, std::string_view middle, Query& query) {
  static constexpr std::string_view kPrefix = "/v2/";
  const std::size_t at = path.rfind(middle);
  if (!path.starts_with(kPrefix) || at == std::string::npos || at <= kPrefix.size()) return false;
  query.repository = path.substr(kPrefix.size(), at - kPrefix.size());
  query.reference = path.substr(at + middle.size());
  return true;
}

// Registries look for the exact type; `*/*` is not enough for those this registry holds.
bool Accepts(const HttpRequest& request, const std::string& media_type) {
  const auto [begin, end] = request.headers.equal_range("accept");
  return std::any_of(begin, end, [&](const auto& header) {
    const std::string& list = header.second;
    for (std::size_t at = 0; at < list.size();) {
      const std::size_t comma = std::min(list.find(',', at), list.size());
      std::string_view item = std::string_view(list).substr(at, comma - at);
      item = item.substr(0, item.find(';'));
      while (item.starts_with(' ')) item.remove_prefix(1);
      while (item.ends_with(' ')) item.remove_suffix(1);
      if (item == media_type) return true;
      at = comma + 1;
    }
    return false;
  });
}

HttpAnswer UnknownName(const Query& query) {
  return ErrorAnswer(404, "NAME_UNKNOWN", "repository name not known to registry",
                     query.repository);
}

struct ByteRange {
  std::size_t first = 0;
  std::size_t size = 0;  // 0: nothing of it is there
};

// One range `bytes=A-B` or `bytes=A-`; other forms are ignored, as RFC 9110 section 14.2 allows.
std::optional<ByteRange> ParseRange(const std::string& header, std::size_t size) {
  static constexpr std::string_view kUnit = "bytes=";
  const std::size_t dash = header.find('-');
  if (!header.starts_with(kUnit) || dash == std::string::npos) return std::nullopt;
  const std::string_view text = header;
  const auto first = ParseNumber<std::size_t>(text.substr(kUnit.size(), dash - kUnit.size()));
  const std::string_view last_text = text.substr(dash + 1);
  const auto last =
      last_text.empty() ? std::optional(SIZE_MAX) : ParseNumber<std::size_t>(last_text);
  if (!first || !last || *last < *first) return std::nullopt;
  if (*first >= size) return ByteRange{};
  return ByteRange{*first, std::min(*last, size - 1) - *first + 1};
}

HttpAnswer ServeBlob(const HttpRequest& request, const std::string& digest, const Bytes& bytes) {
  HttpAnswer answer;
  answer.content_type = "application/octet-stream";
  answer.headers = {{"Docker-Content-Digest", digest}, {"Accept-Ranges", "bytes"}};
  answer.body = bytes;
  if (request.method == "HEAD") return answer;
  const auto range = ParseRange(request.Header("range"), bytes->size());
  if (!range) return answer;
  const std::string total = std::to_string(bytes->size());
  if (range->size == 0) {
    answer = ErrorAnswer(416, "RANGE_INVALID", "no such range");
    answer.headers = {{"Content-Range", "bytes */" + total}};
    return answer;
  }
  answer.status = 206;
  answer.body = std::make_shared<const std::string>(*bytes, range->first, range->size);
  answer.headers.emplace_back("Content-Range", "bytes " + std::to_string(range->first) + "-" +
                                                   std::to_string(range->first + range->size - 1) +
                                                   "/" + total);
  return answer;
}

HttpAnswer Redirect(int status, std::string location) {
  HttpAnswer answer;
  answer.status = status;
  answer.headers = {{"Location", std::move(location)}};
  return answer;
}

bool NamesRepository(Operation operation) {
  return operation == Operation::kTags || operation == Operation::kManifest ||
         operation == Operation::kBlob;
}

}  // namespace

Query ParseQuery(const HttpRequest& request) {
  Query query;
  std::string path = request.path;
  query.plain_target = request.target;
  query.hop = TakeHop(path);
  TakeHop(query.plain_target);
  if (path == "/v2/" || path == "/v2") {
    query.operation = Operation::kVersion;
  } else if (path == "/token") {
    query.operation = Operation::kToken;
    query.reference = request.Parameter("scope");
  } else if (path.ends_with("/tags/list") && SplitPath(path, "/tags/list", query)) {
    query.operation = Operation::kTags;
    query.reference = request.Parameter("last");
  } else if (SplitPath(path, "/manifests/", query)) {
    query.operation = Operation::kManifest;
  } else if (SplitPath(path, "/blobs/", query)) {
    query.operation = Operation::kBlob;
  } else {
    query.reference = path;
  }
  return query;
}

Registry::Registry(const Options& options, Catalog catalog)
    : options_(options),
      catalog_(std::move(catalog)),
      authenticator_(options),
      backends_(options.backend, options.backend_rules),
      faults_(options.fault_seed) {}

HttpAnswer Registry::Answer(const HttpRequest& request) {
  Query query = ParseQuery(request);
  const std::lock_guard lock(mutex_);
  HttpAnswer answer = Decide(request, query);
  answer.delay = options_.latency;
  const bool silent = answer.delivery == Delivery::kClose || answer.delivery == Delivery::kStall;
  log_.Begin({query.operation, request.method, query.repository, query.reference,
              silent ? 0 : answer.status, AuthorizationScheme(request)});
  answer.before_sending = [this] { log_.End(); };
  return answer;
}

HttpAnswer Registry::Decide(const HttpRequest& request, Query& query) {
  if (query.operation == Operation::kOther) {
    return ErrorAnswer(404, "NOT_FOUND", "no such path", request.path);
  }
  if (NamesRepository(query.operation) && query.hop < options_.own_host_hops) {
    query.operation = Operation::kHop;
    query.reference = request.path;
    return Redirect(options_.redirect_status,
                    "/hop/" + std::to_string(query.hop + 1) + query.plain_target);
  }
  if (query.operation != Operation::kToken) {
    if (auto refused = authenticator_.Challenge(request, query.repository)) {
      refused->headers.emplace_back("Docker-Distribution-Api-Version", "registry/2.0");
      return *std::move(refused);
    }
  }
  const auto fault = faults_.Take(query.operation, query.reference, request.method);
  HttpAnswer answer = Serve(request, query);
  if (fault) ApplyFault(*fault, answer);
  return answer;
}

HttpAnswer Registry::Serve(const HttpRequest& request, const Query& query) {
  if (query.operation == Operation::kToken) return authenticator_.Token(request);
  HttpAnswer answer;
  if (request.method != "GET" && request.method != "HEAD") {
    answer = ErrorAnswer(405, "UNSUPPORTED", "this registry can only be read");
  } else if (query.operation == Operation::kTags) {
    answer = Tags(request, query);
  } else if (query.operation == Operation::kManifest) {
    answer = Manifest(request, query);
  } else if (query.operation == Operation::kBlob) {
    answer = Blob(request, query);
  } else {
    answer = JsonAnswer(200, "{}");
  }
  answer.headers.emplace_back("Docker-Distribution-Api-Version", "registry/2.0");
  return answer;
}

HttpAnswer Registry::Tags(const HttpRequest& request, const Query& query) const {
  const Repository* const repository = catalog_.Find(query.repository);
  if (repository == nullptr) return UnknownName(query);
  std::size_t limit = options_.page_size == 0 ? repository->tags.size() : options_.page_size;
  if (const std::string text = request.Parameter("n"); !text.empty()) {
    const auto number = ParseNumber<std::size_t>(text);
    if (!number) return ErrorAnswer(400, "PAGINATION_NUMBER_INVALID", "n is no number", text);
    limit = std::min(limit, *number);
  }
  const std::string last = request.Parameter("last");
  nlohmann::ordered_json body = {{"name", query.repository},
                                 {"tags", nlohmann::ordered_json::array()}};
  auto tag = last.empty() ? repository->tags.begin() : repository->tags.upper_bound(last);
  for (; tag != repository->tags.end() && body["tags"].size() < limit; ++tag) {
    body["tags"].push_back(tag->first);
  }
  HttpAnswer answer = JsonAnswer(200, body.dump());
  if (tag != repository->tags.end() && limit > 0) {
    const std::string next = "/v2/" + query.repository +
                             "/tags/list?last=" + body["tags"].back().get<std::string>() +
                             "&n=" + std::to_string(limit);
    answer.headers.emplace_back(
        "Link", "<" + (options_.absolute_links ? request.origin : "") + next + ">; rel=\"next\"");
  }
  return answer;
}

HttpAnswer Registry::Manifest(const HttpRequest& request, const Query& query) const {
  if (request.method == "HEAD" && !options_.head_manifests) {
    return ErrorAnswer(405, "UNSUPPORTED", "manifests are not for HEAD here");
  }
  if (catalog_.Find(query.repository) == nullptr) return UnknownName(query);
  const StoredManifest* const manifest = catalog_.FindManifest(query.repository, query.reference);
  if (manifest == nullptr) {
    return ErrorAnswer(404, "MANIFEST_UNKNOWN", "manifest unknown", query.reference);
  }
  // Schema 1 goes to whoever asks: the clients of its day sent no Accept header.
  if (manifest->media_type != kSchema1MediaType && !Accepts(request, manifest->media_type)) {
    return ErrorAnswer(404, "MANIFEST_UNKNOWN",
                       "the Accept header does not name the manifest's type", manifest->media_type);
  }
  const std::string etag = "\"" + manifest->digest + "\"";
  HttpAnswer answer;
  answer.content_type = manifest->media_type;
  answer.headers = {{"ETag", etag}};
  if (options_.manifest_digest_header) {
    answer.headers.emplace_back("Docker-Content-Digest", manifest->digest);
  }
  const std::string known = request.Header("if-none-match");
  if (known == "*" || known.find(etag) != std::string::npos) {
    answer.status = 304;
    return answer;
  }
  answer.body = manifest->bytes;
  return answer;
}

HttpAnswer Registry::Blob(const HttpRequest& request, const Query& query) {
  if (catalog_.Find(query.repository) == nullptr) return UnknownName(query);
  const StoredBlob* const blob = catalog_.FindBlob(query.repository, query.reference);
  if (blob == nullptr) {
    return ErrorAnswer(404, "BLOB_UNKNOWN", "blob unknown to registry", query.reference);
  }
  const std::string& host = backends_.HostOf(catalog_, query.repository, query.reference, *blob);
  if (request.method == "HEAD" || host == kDirect) {
    return ServeBlob(request, query.reference, blob->bytes);
  }
  return Redirect(options_.redirect_status, RedirectLocation(host, query.reference));
}

void Registry::SetBackend(std::string host) {
  const std::lock_guard lock(mutex_);
  backends_.SetDefault(std::move(host));
}

void Registry::SetBackendRules(std::vector<BackendRule> rules) {
  const std::lock_guard lock(mutex_);
  backends_.SetRules(std::move(rules));
}

void Registry::AddFault(Fault fault) {
  const std::lock_guard lock(mutex_);
  faults_.Add(std::move(fault));
}

void Registry::ClearFaults() {
  const std::lock_guard lock(mutex_);
  faults_.Clear();
}

void Registry::SetLatency(std::chrono::milliseconds latency) {
  const std::lock_guard lock(mutex_);
  options_.latency = latency;
}

void Registry::SetPassword(std::string password) {
  const std::lock_guard lock(mutex_);
  authenticator_.SetPassword(std::move(password));
}

void Registry::RevokeTokens() {
  const std::lock_guard lock(mutex_);
  authenticator_.RevokeTokens();
}

void Registry::SetPageSize(std::size_t page_size) {
  const std::lock_guard lock(mutex_);
  options_.page_size = page_size;
}

void Registry::SetOwnHostHops(int hops) {
  const std::lock_guard lock(mutex_);
  options_.own_host_hops = hops;
}

void Registry::EditCatalog(const std::function<void(Catalog&)>& edit) {
  const std::lock_guard lock(mutex_);
  edit(catalog_);
  backends_.CatalogChanged();
}

}  // namespace registry_backend::simulator
