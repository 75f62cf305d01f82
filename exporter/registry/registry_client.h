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
  std::vector<std::string>
      rejected;             // names that are no valid tags, cut to 128 printable characters
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

using Answer = std::variant<TagPage, FetchedManifest, BlobSource>;

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
  // the operation's kind. A manifest's bytes have been checked against the digest asked for and the
  // one the registry names (else kDigest). A blob is asked for by GET of its first byte: some
  // registries answer HEAD themselves and redirect only GET.
  CallId Start(const Operation& operation, Done done);
  void Cancel(CallId call);

  // Hosts of the token realms seen so far.
  [[nodiscard]] const std::set<Host>& realm_hosts() const { return authenticator_.realm_hosts(); }
  [[nodiscard]] const RegistryOptions& options() const { return options_; }

 private:
  // What a call waits for; nothing yet known while a token is renewed.
  using Waiting = std::variant<std::monostate, ExchangeId, TimerId>;

  [[nodiscard]] Result<Request> MakeRequest(const Operation& operation) const;
  void FailLater(CallId call, Error error, Done done);
  void Release(const Waiting& waiting);
  void Begin(CallId call, Request request, const std::string& authorization, Operation operation,
             Done done);
  [[nodiscard]] Result<Answer> Read(const Operation& operation, Reply reply) const;
  [[nodiscard]] Result<Answer> ReadTags(Reply reply) const;
  [[nodiscard]] Result<Answer> ReadManifest(const std::string& reference, const Reply& reply) const;

  Network network_;
  const RegistryOptions options_;
  ExchangeDriver driver_;
  Authenticator authenticator_;
  std::uint64_t last_call_ = 0;
  std::unordered_map<CallId, Waiting> calls_;
};

}  // namespace registry_backend
