#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "exporter/registry/digest.h"
#include "exporter/registry/registry_client.h"
#include "tests/http/fake_transport.h"

namespace registry_backend::testing {

// An image manifest whose config's digest is that of `config`.
inline std::string ImageOf(const std::string& config) {
  return R"({"schemaVersion":2,"config":{"digest":")" + Sha256Of(config) + R"("}})";
}

// A client of team/app at https://r.example, a registry scripted by the test, and a clock that
// stands still unless moved.
class ClientFixture : public ::testing::Test {
 protected:
  static RegistryOptions Options() { return {*Url::Parse("https://r.example"), "team/app", {}}; }

  static Operation Tags(std::string page = "") { return {Operation::Kind::kTags, std::move(page)}; }
  static Operation ManifestOf(std::string reference) {
    return {Operation::Kind::kManifest, std::move(reference)};
  }
  static Operation Blob(std::string digest) { return {Operation::Kind::kBlob, std::move(digest)}; }

  // The answer, given `within` so long; all of that time passes. Called off where none comes.
  Result<Answer> Ask(const Operation& operation, Duration within = std::chrono::seconds(600)) {
    std::optional<Result<Answer>> answer;
    const OperationId call = client().Start(
        operation, [&](Result<Answer> result) { answer.emplace(std::move(result)); });
    EXPECT_FALSE(answer) << "done ran before the loop";
    loop_.Advance(within);
    if (answer) return *std::move(answer);
    client().Cancel(call);
    return Error{ErrorKind::kInternal, "never done"};
  }
  Result<Answer> AskNow(const Operation& operation) {
    return Ask(operation, std::chrono::seconds(1));
  }

  RegistryClient& client() { return *client_; }
  void MakeClient(RegistryOptions options) {
    client_ = std::make_unique<RegistryClient>(Network{loop_, transport_, pacer_, nullptr},
                                               std::move(options));
  }

  // What the registry and its token service answer; tests replace it.
  FakeTransport::Server server_ = [](const Request&) { return MakeResponse(404); };

  FakeLoop loop_;
  FakeTransport transport_{loop_, [this](const Request& request) { return server_(request); }};
  Pacer pacer_;

 private:
  std::unique_ptr<RegistryClient> client_ =
      std::make_unique<RegistryClient>(Network{loop_, transport_, pacer_, nullptr}, Options());
};

}  // namespace registry_backend::testing
