#include "tests/simulator/backends.h"

#include <string_view>
#include <utility>

namespace registry_backend::simulator {
namespace {

std::string Key(const std::string& repository, const std::string& digest) {
  return repository + "@" + digest;
}

void AddOwnOfTag(const Catalog& catalog, const OwnOfTag& rule,
                 std::unordered_set<std::string>& keys) {
  for (const auto& [name, repository] : catalog.repositories()) {
    if (!rule.repository.empty() && rule.repository != name) continue;
    for (const std::string& digest : catalog.OwnBlobsOf(name, rule.tag)) {
      keys.insert(Key(name, digest));
    }
  }
}

void AddFromLayer(const Catalog& catalog, const FromLayer& rule,
                  std::unordered_set<std::string>& keys) {
  for (const auto& [name, repository] : catalog.repositories()) {
    for (const auto& [digest, manifest] : repository.manifests) {
      for (std::size_t i = rule.first > 0 ? rule.first - 1 : 0; i < manifest.layers.size(); ++i) {
        keys.insert(Key(name, manifest.layers[i]));
      }
    }
  }
}

}  // namespace

void Backends::SetRules(std::vector<BackendRule> rules) {
  rules_ = std::move(rules);
  named_.reset();
}

Backends::Named Backends::Resolve(const Catalog& catalog) const {
  Named named;
  for (const BackendRule& rule : rules_) {
    auto& keys = named.emplace_back();
    if (const auto* const own = std::get_if<OwnOfTag>(&rule.blobs)) {
      AddOwnOfTag(catalog, *own, keys);
    } else if (const auto* const layers = std::get_if<FromLayer>(&rule.blobs)) {
      AddFromLayer(catalog, *layers, keys);
    }
  }
  return named;
}

const std::string& Backends::HostOf(const Catalog& catalog, const std::string& repository,
                                    const std::string& digest, const StoredBlob& blob) {
  if (rules_.empty()) return default_;
  if (!named_) named_ = Resolve(catalog);
  const std::string key = Key(repository, digest);
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const auto* const by_digest = std::get_if<ByDigest>(&rules_[i].blobs);
    const auto* const every = std::get_if<EveryNth>(&rules_[i].blobs);
    const bool matches = (by_digest != nullptr && by_digest->digest == digest) ||
                         (every != nullptr && every->n > 0 && blob.ordinal % every->n == 0) ||
                         (*named_)[i].contains(key);
    if (matches) return rules_[i].host;
  }
  return default_;
}

std::string RedirectLocation(const std::string& host, const std::string& digest) {
  const bool complete = host.starts_with('/') || host.find("://") != std::string::npos;
  return (complete ? host : "https://" + host) + "/6a1b-709825985650-simulator/" + digest +
         "?X-Amz-Security-Token=" + kSignatureSecret +
         "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20260101T000000Z"
         "&X-Amz-SignedHeaders=host&X-Amz-Expires=3600"
         "&X-Amz-Credential=SIMULATOR%2F20260101%2Fus-east-1%2Fs3%2Faws4_request"
         "&X-Amz-Signature=" +
         kSignatureSecret + digest.substr(digest.find(':') + 1, 16);
}

}  // namespace registry_backend::simulator
