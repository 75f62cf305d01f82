#pragma once

#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tests/simulator/catalog.h"
#include "tests/simulator/options.h"

namespace registry_backend::simulator {

// Which host serves which blob. Not thread-safe.
class Backends {
 public:
  Backends(std::string fallback, std::vector<BackendRule> rules)
      : default_(std::move(fallback)), rules_(std::move(rules)) {}

  // `host` as in BackendRule. The rules stay.
  void SetDefault(std::string host) { default_ = std::move(host); }
  void SetRules(std::vector<BackendRule> rules);
  // To be called when the catalog has changed.
  void CatalogChanged() { named_.reset(); }

  // Of a blob that is in the catalog.
  const std::string& HostOf(const Catalog& catalog, const std::string& repository,
                            const std::string& digest, const StoredBlob& blob);

 private:
  // For each rule the blobs it names by way of tags and manifests, as `repository@digest`.
  using Named = std::vector<std::unordered_set<std::string>>;
  Named Resolve(const Catalog& catalog) const;

  std::string default_;
  std::vector<BackendRule> rules_;
  std::optional<Named> named_;  // made when first asked for
};

// Where a redirect to `host` leads: a presigned URL as S3's, with a secret in its query.
std::string RedirectLocation(const std::string& host, const std::string& digest);

}  // namespace registry_backend::simulator
