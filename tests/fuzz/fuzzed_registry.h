#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "exporter/discovery/scan_plan.h"
#include "exporter/registry/digest.h"
#include "tests/fuzz/fuzzed_input.h"

namespace registry_backend::testing {

// A repository whose answers are made up while it is asked, of few names so that they repeat: tags
// share manifests, indexes name themselves, manifests and blobs have the same digests. A digest
// always names the same manifest.
class FuzzedRegistry {
 public:
  static constexpr std::array<std::string_view, 10> kTags = {
      "latest", "1.0.0", "1.0.1", "1.1.0-rc.1", "v202507-1", "v202508-1", "a", "b", "0", "1"};
  static constexpr std::size_t kDigests = 12;
  static constexpr std::array<std::string_view, 5> kHosts = {
      "r.example", "cdn.example", "b.s3.us-east-1.amazonaws.com", "c.s3.us-east-1.amazonaws.com",
      "minio.example:9000"};
  static constexpr std::size_t kPages = 8;

  static const std::string& Digest(std::size_t number) {
    static const std::array<std::string, kDigests> digests = [] {
      std::array<std::string, kDigests> made;
      for (std::size_t i = 0; i < kDigests; ++i) made[i] = Sha256Of(std::to_string(i));
      return made;
    }();
    return digests[number];
  }
  static const Url& On(std::size_t host) {
    static const std::vector<Url> urls = [] {
      std::vector<Url> made;
      for (const std::string_view name : kHosts) {
        made.push_back(*Url::Parse("https://" + std::string(name) + "/bucket/key?sig=SECRET"));
      }
      return made;
    }();
    return urls[host];
  }

  // What `line` says of it; at its end the plainest answer there is.
  Result<Answer> AnswerTo(const Operation& operation, FuzzedInput& line) {
    const std::size_t what = line.Below(10);
    if (what == 1) return MakeError(line);
    switch (operation.kind) {
      case Operation::Kind::kTags:
        if (what == 2) return Answer(Elsewhere{On(line.Below(kHosts.size()))});
        return Answer(MakePage(line));
      case Operation::Kind::kManifest:
        if (what == 2) return Answer(Elsewhere{On(line.Below(kHosts.size()))});
        if (what == 3) return Answer(Unpullable{MakeError(line)});
        return Answer(ManifestOf(operation.reference, line));
      case Operation::Kind::kBlob:
        if (what == 3) return Answer(Unpullable{MakeError(line)});
        return Answer(SourceOf(operation.reference, line));
    }
    return MakeError(line);
  }

  // Digests of blobs that were said to be at the host.
  [[nodiscard]] std::size_t BlobsAt(const Host& host) const {
    const auto told = told_.find(host);
    return told == told_.end() ? 0 : told->second.size();
  }

 private:
  static Error MakeError(FuzzedInput& line) {
    return {kReportedErrorKinds[line.Below(kReportedErrorKinds.size())], "broken"};
  }

  static TagPage MakePage(FuzzedInput& line) {
    TagPage page;
    const std::size_t next = line.Below(kPages * 2);
    for (std::size_t rejected = line.Below(4); rejected > 1; --rejected) {
      page.rejected.push_back("no tag " + std::to_string(rejected));
    }
    while (!line.AtEnd()) page.tags.emplace_back(kTags[line.Below(kTags.size())]);
    if (next != 0 && next < kPages) {
      page.next = *Url::Parse("https://r.example/v2/a/tags/list?last=" + std::to_string(next));
    }
    return page;
  }

  FetchedManifest ManifestOf(const std::string& reference, FuzzedInput& line) {
    const std::string digest = IsDigest(reference) ? reference : Digest(line.Below(kDigests));
    const auto [known, added] = manifests_.try_emplace(digest);
    if (added) known->second = MakeManifest(digest, line);
    return known->second;
  }

  FetchedManifest MakeManifest(const std::string& digest, FuzzedInput& line) {
    Manifest manifest;
    manifest.is_index = line.Flag();
    manifest.media_type = manifest.is_index ? kOciIndex : kOciManifest;
    if (manifest.is_index) {
      while (!line.AtEnd()) manifest.manifests.push_back(MakeDescriptor(line));
    } else {
      manifest.blobs.push_back(MakeDescriptor(line));
      while (!line.AtEnd()) manifest.blobs.push_back(MakeLayer(line));
    }
    return {std::make_shared<const Manifest>(std::move(manifest)), digest, 100};
  }

  static Descriptor MakeDescriptor(FuzzedInput& line) {
    static constexpr std::array<std::string_view, 3> kPlatforms = {"linux/amd64", kUnnamedPlatform,
                                                                   "linux/arm64/v8"};
    const std::size_t name = line.Below(kDigests * kPlatforms.size());
    return {Digest(name % kDigests), std::string(kPlatforms[name / kDigests]), {}};
  }

  Descriptor MakeLayer(FuzzedInput& line) {
    const std::size_t name = line.Below(kDigests * 3);
    Descriptor layer{Digest(name % kDigests), "", {}};
    if (name < kDigests * 2) return layer;
    for (std::size_t urls = line.Below(3) + 1; urls > 0; --urls) {  // a foreign layer
      const Url& url = On(line.Below(kHosts.size()));
      told_[url.host()].insert(layer.digest);
      layer.urls.push_back(url);
    }
    return layer;
  }

  BlobSource SourceOf(const std::string& digest, FuzzedInput& line) {
    const std::size_t host = line.Below(kHosts.size());
    BlobSource source{host != 0, On(host), {}};
    told_[source.url.host()].insert(digest);
    for (std::size_t others = line.Below(kHosts.size()); others > 0; --others) {
      source.others.push_back(On(others).host());
      told_[source.others.back()].insert(digest);
    }
    return source;
  }

  std::map<std::string, FetchedManifest> manifests_;  // by digest
  std::map<Host, std::set<std::string>> told_;
};

}  // namespace registry_backend::testing
