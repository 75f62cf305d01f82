#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exporter/discovery/scan_plan.h"
#include "exporter/registry/digest.h"

namespace registry_backend::testing {

// What a test calls `m1` has this digest.
inline std::string D(const std::string& name) { return Sha256Of(name); }

inline FetchedManifest Fetched(const std::string& name, Manifest manifest) {
  return {std::make_shared<const Manifest>(std::move(manifest)), D(name), 100};
}

// A config and layers.
inline FetchedManifest Image(const std::string& name, const std::vector<std::string>& blobs) {
  Manifest manifest{.media_type = std::string(kOciManifest)};
  for (const std::string& blob : blobs) manifest.blobs.push_back({D(blob), "", {}});
  return Fetched(name, std::move(manifest));
}

// Children and their platforms.
inline FetchedManifest PlatformIndex(
    const std::string& name, const std::vector<std::pair<std::string, std::string>>& children) {
  Manifest manifest{.media_type = std::string(kOciIndex), .is_index = true};
  for (const auto& [child, platform] : children) {
    manifest.manifests.push_back({D(child), platform, {}});
  }
  return Fetched(name, std::move(manifest));
}

inline FetchedManifest Index(const std::string& name, const std::vector<std::string>& children) {
  std::vector<std::pair<std::string, std::string>> named;
  for (const std::string& child : children) named.emplace_back(child, "linux/amd64");
  return PlatformIndex(name, named);
}

inline BlobSource On(const std::string& host) {
  return {true, *Url::Parse("https://" + host + "/key?sig=SECRET")};
}

inline Answer Missing() { return Unpullable{{ErrorKind::kHttp, "status 404", 404}}; }
inline Error Slow() { return {ErrorKind::kTimeout, "slow"}; }

// A registry as a table from operation to answer; for what is not in it the registry fails.
class PlanTest : public ::testing::Test {
 protected:
  std::vector<std::string> asked_;
  ScanOptions options_;
  ScanHints hints_;

  // `reference`: a tag, a digest or a page; the first page is "".
  void Put(const std::string& reference, Result<Answer> answer) {
    answers_.insert_or_assign(reference, std::vector{std::move(answer)});
  }
  // When it is asked for again.
  void PutLater(const std::string& reference, Result<Answer> answer) {
    answers_.at(reference).push_back(std::move(answer));
  }
  void PutTags(std::vector<std::string> tags) { Put("", Answer(TagPage{std::move(tags), {}, {}})); }

  [[nodiscard]] ScanPlan MakePlan() const { return {options_, hints_, *Host::Parse("r.example")}; }

  // Answers one operation by the table.
  void Finish(ScanPlan& plan, const Operation& operation) {
    const auto answers = answers_.find(operation.reference);
    if (answers == answers_.end()) {
      plan.Finish(operation, Error{ErrorKind::kHttp, "status 404"});
      return;
    }
    plan.Finish(operation, answers->second.front());
    if (answers->second.size() > 1) answers->second.erase(answers->second.begin());
  }

  // Asks one thing after the other.
  ScanResult Run(std::size_t at_most = 10'000, const std::optional<Error>& cut_short = {}) {
    ScanPlan plan = MakePlan();
    while (at_most-- > 0) {
      const auto operation = plan.Next();
      if (!operation) break;
      asked_.push_back(operation->reference);
      Finish(plan, *operation);
    }
    return std::move(plan).Take(cut_short);
  }

  static const SeenEndpoint* Find(const ScanResult& result, Serves serves,
                                  const std::string& host) {
    const auto found = result.endpoints.find({serves, *Host::Parse(host)});
    return found == result.endpoints.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, std::vector<Result<Answer>>> answers_;  // the last one again and again
};

}  // namespace registry_backend::testing
