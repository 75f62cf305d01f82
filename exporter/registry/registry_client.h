#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "exporter/registry/authenticator.h"
#include "exporter/registry/credentials.h"
#include "exporter/registry/exchange_driver.h"
#include "exporter/registry/manifest.h"
#include "exporter/registry/options.h"

namespace registry_backend {

// What can be asked of a repository (OCI distribution-spec, "Pull" and "Listing tags").
struct Operation {
  enum class Kind { kTags, kManifest, kBlob };
  Kind kind;
  // kTags: the URL of a page, empty for the first; kManifest: a tag or a digest; kBlob: a digest.
  std::string reference;

  bool operator==(const Operation&) const = default;
};

struct TagPage {
  std::vector<std::string> tags;  // valid; as served: unsorted, may repeat
  // The first 100 names that are no valid tags, made printable.
  std::vector<std::string> rejected;
  std::optional<Url> next;  // on the registry's own origin
};

struct FetchedManifest {
  Manifest manifest;
  std::string digest;  // of the bytes as served
  std::size_t size = 0;
};

// Where a blob's bytes come from.
struct BlobSource {
  bool redirected = false;
  Url url;  // the redirect's target, or the registry's own URL where it serves the blob itself. The
            // query may be a credential.
};

// A redirect of something other than a blob to another origin; it was not followed.
struct Elsewhere {
  Url url;
};

using Answer = std::variant<TagPage, FetchedManifest, BlobSource, Elsewhere>;

enum class OperationId : std::uint64_t {};

// Asks one repository of one registry. Outlives scans: it keeps the registry's way of asking for
// credentials, and tokens. Network thread only.
class RegistryClient {
 public:
  using Done = std::function<void(Result<Answer>)>;

  RegistryClient(Network network, RegistryOptions options);
  ~RegistryClient();  // calls off what is under way
  RegistryClient(const RegistryClient&) = delete;
  RegistryClient& operator=(const RegistryClient&) = delete;

  // Takes effect for requests sent later.
  void SetCredentials(Credentials credentials);

  // `done` runs once, later, from the loop, unless cancelled; the Answer's alternative is that of
  // the operation's kind, or Elsewhere. A manifest's bytes have been checked against the digest
  // asked for and the one the registry names (else kDigest). A blob is asked for by GET of its
  // first byte: some registries answer HEAD themselves and redirect only GET.
  OperationId Start(const Operation& operation, Done done);
  void Cancel(OperationId call);

  // Hosts of the token realms seen since ForgetRealms, and of the one whose token is in use.
  [[nodiscard]] std::set<Host> RealmHosts() const { return authenticator_.RealmHosts(); }
  void ForgetRealms() { authenticator_.ForgetRealms(); }
  [[nodiscard]] const RegistryOptions& options() const { return options_; }

 private:
  // What a call waits for; nothing yet known while a token is renewed.
  using Waiting = std::variant<std::monostate, ExchangeId, TimerId>;

  [[nodiscard]] Result<Request> MakeRequest(const Operation& operation) const;
  void FailLater(OperationId call, Error error, Done done);
  void Release(const Waiting& waiting);
  void Begin(OperationId call, Request request, const std::string& authorization,
             Operation operation, Done done);
  [[nodiscard]] Result<Answer> Read(const Operation& operation, Reply reply) const;
  [[nodiscard]] Result<Answer> ReadTags(const Reply& reply) const;
  [[nodiscard]] Result<Answer> ReadManifest(const std::string& reference, const Reply& reply) const;

  Network network_;
  const RegistryOptions options_;
  ExchangeDriver driver_;
  Authenticator authenticator_;
  std::uint64_t last_operation_ = 0;
  std::unordered_map<OperationId, Waiting> operations_;
};

}  // namespace registry_backend
