#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "exporter/registry/authenticator.h"
#include "exporter/registry/credentials.h"
#include "exporter/registry/exchange_driver.h"
#include "exporter/registry/manifest_cache.h"
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
  std::optional<Url> next;  // on the origin that served this one
};

// Where a blob's bytes come from.
struct BlobSource {
  bool redirected = false;
  Url url;  // the redirect's target, or the URL of the registry that serves the blob itself. The
            // query may be a credential.
  std::vector<Host> others;  // further registries on the way; the last may be that of `url`
};

// A redirect of something other than a blob to somewhere that is no registry; it was not followed.
struct Elsewhere {
  Url url;
};

// There is nothing to pull: the registry says that it does not have the manifest or the blob (404,
// 410), or what it serves, of the digest it should have, is no manifest that can be used.
struct Unpullable {
  Error why;
};

using Answer = std::variant<TagPage, FetchedManifest, BlobSource, Elsewhere, Unpullable>;

enum class OperationId : std::uint64_t {};

// Asks one repository of one registry. Outlives scans: it keeps the registry's way of asking for
// credentials, tokens and manifests. Network thread only.
class RegistryClient {
 public:
  using Done = std::function<void(Result<Answer>)>;

  RegistryClient(Network network, RegistryOptions options);
  ~RegistryClient();  // calls off what is under way
  RegistryClient(const RegistryClient&) = delete;
  RegistryClient& operator=(const RegistryClient&) = delete;

  // Takes effect for requests sent later.
  void SetCredentials(Credentials credentials);
  // To be called at the start of a scan.
  void BeginScan();

  // `done` runs once, later, from the loop, unless cancelled; the Answer's alternative is that of
  // the operation's kind, or Elsewhere (not of a blob), or Unpullable (not of tags). A manifest's
  // bytes have been checked against the digest asked for and the one the registry names (else
  // kDigest). A blob is asked for by GET of its first byte: some registries answer HEAD themselves
  // and redirect only GET.
  //
  // A manifest known from before is not fetched again: one asked for by its digest needs no
  // request, and of a tag HEAD tells whether it still names the same, which does not count as a
  // pull where pulls are counted (Docker Hub). The first such tag of a scan is asked for by a
  // conditional GET all the same, since only a GET shows where pulls are redirected to.
  //
  // Redirects to other registries are followed, see Exchange; they are shown tokens that anyone is
  // given, and no credentials.
  OperationId Start(const Operation& operation, Done done);
  void Cancel(OperationId call);

  // Hosts of the token realms seen since BeginScan.
  [[nodiscard]] std::set<Host> RealmHosts() const;
  // Other registries that were asked since BeginScan because the target's redirects to them, and
  // what for; the first 1,000. Of blobs only for those that failed: a BlobSource has its own.
  using SentOn = std::set<std::pair<Operation::Kind, Host>>;
  [[nodiscard]] const SentOn& sent_on() const { return sent_on_; }
  [[nodiscard]] const RegistryOptions& options() const { return options_; }

 private:
  struct Running {
    Operation operation;
    Done done;
    // What it waits for; nothing yet known while a token is renewed.
    std::variant<std::monostate, ExchangeId, TimerId> waiting = {};
  };

  // A registry behind the target's.
  struct Other {
    Other(ExchangeDriver& driver, const Loop& loop, RegistryOptions registry,
          std::string observed_as)
        : options(std::move(registry)),
          authenticator(driver, loop, options, std::move(observed_as)) {}
    const RegistryOptions options;
    Authenticator authenticator;  // without credentials
  };

  [[nodiscard]] Result<Url> UrlOf(const Operation& operation) const;
  [[nodiscard]] Result<Request> MakeRequest(const Operation& operation) const;
  // Turns a request for a tag's manifest into one for whether it has changed.
  void AskForChange(const std::string& tag, Request& request);
  // Makes it one that is answered with 304 where the tag still names what it named.
  void AddCondition(const std::string& tag, Request& request);
  void Send(OperationId call, Request request);
  void Begin(OperationId call, Request request, const std::string& authorization);
  void Authorize(std::string_view operation, const Exchange::Authorize& question,
                 const Authenticator::Done& done);
  // Null where there are too many already.
  [[nodiscard]] Authenticator* AuthenticatorOf(const Origin& other);
  void OnReply(OperationId call, Method method, Result<Reply> reply,
               const std::vector<Host>& others);
  void AfterHead(OperationId call, Result<Reply> reply);
  void FinishLater(OperationId call, Result<Answer> answer);
  void Finish(OperationId call, Result<Answer> answer);
  void Release(const Running& running);

  [[nodiscard]] Result<Answer> Read(const Operation& operation, Reply reply,
                                    const std::vector<Host>& others);
  [[nodiscard]] Result<Answer> ReadTags(const Reply& reply) const;
  [[nodiscard]] Result<Answer> ReadManifest(const std::string& reference, const Reply& reply);
  [[nodiscard]] Result<Answer> ReadUnchanged(const std::string& tag, const Reply& reply);

  Network network_;
  const RegistryOptions options_;
  std::shared_ptr<const ConnectionOptions> connection_;
  std::shared_ptr<const ConnectionOptions> to_others_;
  ExchangeDriver driver_;
  Authenticator authenticator_;
  std::map<Origin, std::unique_ptr<Other>> others_;
  SentOn sent_on_;
  ManifestCache cache_;
  bool get_made_ = false;   // of a tag that was known, in this scan
  bool heads_tell_ = true;  // the registry's answers to HEAD name digests
  std::uint64_t last_operation_ = 0;
  std::unordered_map<OperationId, Running> operations_;
};

}  // namespace registry_backend
