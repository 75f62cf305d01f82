#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "tests/bench/hostile_registry.h"

namespace registry_backend::testing {

// What a registry may send, and what of it a scan has to know.
struct Attack {
  std::string name;
  HostileRegistry::Make make;
  std::size_t known = 0;             // unique tags, manifests and blobs, where they are many
  std::size_t references = 0;        // that are kept of manifests to blobs, where they are many
  std::chrono::seconds timeout{10};  // of the scan
  std::size_t max_concurrency = 8;
  bool on_serve = false;  // a running exporter is looked at afterwards, too
};

// A tag, ten blobs: what all else is compared with.
HostileRegistry::Answers TenBlobs();
// Unique blobs of a registry without malice, 1,000 of a tag.
HostileRegistry::Answers HonestBlobs(std::size_t blobs);

std::vector<Attack> AttacksByTags();
std::vector<Attack> AttacksByManifests();
std::vector<Attack> AttacksByBlobs();
std::vector<Attack> AttacksByTokens();
// All of them.
std::vector<Attack> Attacks();
}  // namespace registry_backend::testing
