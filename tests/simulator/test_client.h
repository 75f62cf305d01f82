#pragma once

#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/pem.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "tests/simulator/simulator.h"

// For the simulator's own tests: a small catalog and a client that is not the exporter's.
namespace registry_backend::simulator {

inline constexpr const char* kRepository = "team/app";

// Three tags of bare Docker manifests, four layers each, two of them common to all.
inline Catalog SmallCatalog() {
  GenerateOptions options;
  options.repository = kRepository;
  options.tags = 3;
  options.layers_per_tag = 4;
  options.kinds = {TagKind::kDockerImage};
  return Generate(options);
}

inline std::string ManifestPath(const std::string& reference) {
  return std::string("/v2/") + kRepository + "/manifests/" + reference;
}
inline std::string BlobPath(const std::string& digest) {
  return std::string("/v2/") + kRepository + "/blobs/" + digest;
}
inline std::string TagsPath() { return std::string("/v2/") + kRepository + "/tags/list"; }

inline httplib::Headers AcceptDocker() {
  return {{"Accept", std::string(ImageMediaType(Format::kDocker))}};
}

// Keeps its connection, follows no redirects.
inline std::unique_ptr<httplib::Client> Connect(const Simulator& simulator) {
  auto client = std::make_unique<httplib::Client>(simulator.base_url());
  client->set_keep_alive(true);
  client->set_tcp_nodelay(true);
  client->set_read_timeout(std::chrono::seconds(20));
  return client;
}

// Waits for what other threads are about to do; a failure if it does not happen.
inline void WaitUntil(const std::function<bool()>& happened) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!happened()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// A simulator with few threads, and a client of it.
class SimulatorTest : public testing::Test {
 protected:
  void Start(Options options = {}, Catalog catalog = SmallCatalog()) {
    options.threads = options.threads == Options{}.threads ? 8 : options.threads;
    layer_ = catalog.BlobsOf(kRepository, "1.0.0").at(1);
    simulator_ = std::make_unique<Simulator>(std::move(options), std::move(catalog));
    client_ = Connect(*simulator_);
  }

  // The status, or 0 without an answer.
  int StatusOf(const std::string& path, const httplib::Headers& headers = {}) {
    const auto result = client_->Get(path, headers);
    return result ? result->status : 0;
  }

  std::unique_ptr<Simulator> simulator_;
  std::unique_ptr<httplib::Client> client_;
  std::string layer_;  // the lowest layer of the tag 1.0.0, common to all tags
};

}  // namespace registry_backend::simulator
