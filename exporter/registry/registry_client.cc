#include "exporter/registry/registry_client.h"

#include <algorithm>
#include <utility>

#include "exporter/registry/digest.h"
#include "exporter/registry/link.h"
#include "exporter/registry/tag_list.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxTagPageBytes = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kMaxManifestBytes = std::size_t{4} * 1024 * 1024;
// Of a blob that the registry serves itself this much is read to keep the connection usable; a
// longer body is cut off.
constexpr std::size_t kMaxDrainedBytes = std::size_t{16} * 1024;

// Of a scan; a registry that sends us on to more is not to be followed.
constexpr std::size_t kMaxOthers = 16;
constexpr std::size_t kMaxSentOn = 1'000;

std::string AcceptedManifests() {
  std::string accepted;
  for (const std::string_view type :
       {kOciIndex, kOciManifest, kDockerManifestList, kDockerManifest}) {
    if (!accepted.empty()) accepted += ", ";
    accepted += type;
  }
  return accepted;
}

// An entity tag as RFC 9110 §8.8.3 writes it, of a length that fits a request; else empty.
std::string_view UsableEtag(std::string_view etag) {
  const bool usable =
      etag.size() <= 256 && etag.ends_with('"') &&
      std::ranges::all_of(etag, [](unsigned char c) { return c > ' ' && c < 0x7f; });
  return usable ? etag : std::string_view();
}

}  // namespace

RegistryClient::RegistryClient(Network network, RegistryOptions options)
    : network_(network),
      options_(std::move(options)),
      connection_(options_.connection),
      to_others_(ForStrangers(connection_)),
      driver_(network, options_.request_timeout),
      authenticator_(driver_, network.loop, options_, options_.registry.host().text()),
      cache_(options_.manifest_cache_bytes) {}

RegistryClient::~RegistryClient() {
  for (const auto& [call, running] : operations_) Release(running);
}

void RegistryClient::SetCredentials(Credentials credentials) {
  if (!credentials.proxy_password.empty() && options_.connection) {
    ConnectionOptions connection = *options_.connection;
    connection.https_proxy.password = connection.http_proxy.password = credentials.proxy_password;
    connection_ = std::make_shared<const ConnectionOptions>(std::move(connection));
    to_others_ = ForStrangers(connection_);
    authenticator_.SetConnection(connection_);
  }
  authenticator_.SetCredentials(std::move(credentials));
}

void RegistryClient::BeginScan() {
  authenticator_.BeginScan();
  others_.clear();
  sent_on_.clear();
  cache_.BeginScan();
  get_made_ = false;
  heads_tell_ = true;
}

OperationId RegistryClient::Start(const Operation& operation, Done done) {
  const auto call = static_cast<OperationId>(++last_operation_);
  operations_.emplace(call, Running{operation, std::move(done)});
  const std::string& reference = operation.reference;
  const bool is_manifest = operation.kind == Operation::Kind::kManifest;
  if (is_manifest && IsDigest(reference)) {
    // Where a pull of one that another registry has leads to, only asking tells.
    const FetchedManifest* known = cache_.Find(reference);
    if (known != nullptr && !known->is_from_another) {
      FinishLater(call, Answer(*known));
      return call;
    }
  }
  Result<Request> request = MakeRequest(operation);
  if (!request) {
    FinishLater(call, request.error());
    return call;
  }
  if (is_manifest) AskForChange(reference, *request);
  Send(call, *std::move(request));
  return call;
}

void RegistryClient::AskForChange(const std::string& tag, Request& request) {
  const ManifestCache::TagState* known = cache_.FindTag(tag);
  if (known == nullptr) return;
  if (!cache_.Find(known->digest)->is_from_another && heads_tell_ &&
      std::exchange(get_made_, true)) {
    request.method = Method::kHead;
  } else {
    AddCondition(tag, request);
  }
}

void RegistryClient::AddCondition(const std::string& tag, Request& request) {
  const ManifestCache::TagState* known = cache_.FindTag(tag);
  if (known != nullptr && !known->etag.empty()) request.headers.Add("if-none-match", known->etag);
}

void RegistryClient::Send(OperationId call, Request request) {
  const std::string_view operation = request.operation;
  const Exchange::Authorize question{.origin = request.url.origin()};
  Authorize(
      operation, question,
      [this, call, request = std::move(request)](const Result<std::string>& authorization) mutable {
        if (!operations_.contains(call)) return;  // cancelled while a token was renewed
        if (authorization) {
          Begin(call, std::move(request), *authorization);
        } else {
          FinishLater(call, authorization.error());
        }
      });
}

void RegistryClient::Authorize(std::string_view operation, const Exchange::Authorize& question,
                               const Authenticator::Done& done) {
  const bool is_own = question.origin == options_.registry.origin() && !question.has_left;
  Authenticator* authenticator = is_own ? &authenticator_ : AuthenticatorOf(question.origin);
  if (authenticator == nullptr) {
    done(Error{ErrorKind::kProtocol, options_.registry.origin().text() +
                                         " redirects to more than " + std::to_string(kMaxOthers) +
                                         " other registries"});
  } else if (question.challenges) {
    authenticator->Answer(operation, question, done);
  } else {
    authenticator->Current(operation, done);
  }
}

Authenticator* RegistryClient::AuthenticatorOf(const Origin& other) {
  const auto known = others_.find(other);
  if (known != others_.end()) return &known->second->authenticator;
  const Result<Url> url = Url::Parse(other.text());
  if (!url || others_.size() >= kMaxOthers) return nullptr;
  RegistryOptions options{*url, options_.repository, to_others_};
  auto added = std::make_unique<Other>(driver_, network_.loop, std::move(options),
                                       options_.registry.host().text());
  return &others_.emplace(other, std::move(added)).first->second->authenticator;
}

std::set<Host> RegistryClient::RealmHosts() const {
  std::set<Host> hosts = authenticator_.RealmHosts();
  for (const auto& [origin, other] : others_) hosts.merge(other->authenticator.RealmHosts());
  return hosts;
}

void RegistryClient::Begin(OperationId call, Request request, const std::string& authorization) {
  const Method method = request.method;
  const std::string_view operation = request.operation;
  const bool is_elsewhere = request.url.origin() != options_.registry.origin();
  Exchange exchange(
      std::move(request), authorization,
      is_elsewhere ? Exchange::Redirects::kFollowAsStranger : Exchange::Redirects::kFollow,
      to_others_);
  operations_.at(call).waiting = driver_.Start(
      std::move(exchange),
      [this, operation](const Exchange::Authorize& question,
                        const ExchangeDriver::Authorized& authorized) {
        Authorize(operation, question, authorized);
      },
      [this, call, method](Result<Reply> reply, const std::vector<Host>& others) {
        OnReply(call, method, std::move(reply), others);
      });
}

void RegistryClient::OnReply(OperationId call, Method method, Result<Reply> reply,
                             const std::vector<Host>& others) {
  const Operation& operation = operations_.at(call).operation;
  // The source of a blob names them itself, where there is one.
  if (operation.kind != Operation::Kind::kBlob || !reply) {
    for (const Host& other : others) {
      if (sent_on_.size() < kMaxSentOn) sent_on_.emplace(operation.kind, other);
    }
  }
  if (method == Method::kHead) {
    AfterHead(call, std::move(reply));
    return;
  }
  if (reply) {
    // By now the body is gone: what is made of the answer does not stand beside it.
    Result<Answer> answer = Read(operation, *std::move(reply), others);
    Finish(call, std::move(answer));
    return;
  }
  const Error& error = reply.error();
  const bool not_there = error.status == 404 || error.status == 410;
  if (not_there && operation.kind != Operation::Kind::kTags) {
    Finish(call, Answer(Unpullable{error}));
  } else {
    Finish(call, error);
  }
}

// What HEAD leaves open, a conditional GET tells.
void RegistryClient::AfterHead(OperationId call, Result<Reply> reply) {
  const Operation operation = operations_.at(call).operation;
  const int status = reply ? reply->response.status : reply.error().status;
  const bool get_may_differ =
      status >= 400 && status < 502 && status != 401 && status != 408 && status != 429;
  if (!reply && !get_may_differ) {
    Finish(call, std::move(reply).error());
    return;
  }
  if (reply && reply->redirect) {
    Finish(call, Answer(Elsewhere{*std::move(reply->redirect)}));
    return;
  }
  const std::string digest(reply ? reply->response.headers.Get("docker-content-digest") : "");
  const ManifestCache::TagState* known = cache_.FindTag(operation.reference);
  if (known != nullptr && known->digest == digest) {
    Finish(call, Answer(*cache_.Find(digest)));
    return;
  }
  if (!IsDigest(digest) && status != 404 && status != 410) heads_tell_ = false;
  Result<Request> request = MakeRequest(operation);  // it was made before, for HEAD
  AddCondition(operation.reference, *request);
  Send(call, *std::move(request));
}

void RegistryClient::FinishLater(OperationId call, Result<Answer> answer) {
  operations_.at(call).waiting = network_.loop.At(
      network_.loop.Now(),
      [this, call, answer = std::move(answer)]() mutable { Finish(call, std::move(answer)); });
}

void RegistryClient::Finish(OperationId call, Result<Answer> answer) {
  const Done done = std::move(operations_.at(call).done);
  operations_.erase(call);
  done(std::move(answer));
}

void RegistryClient::Cancel(OperationId call) {
  const auto found = operations_.find(call);
  if (found == operations_.end()) return;
  Release(found->second);
  operations_.erase(found);
}

void RegistryClient::Release(const Running& running) {
  if (const auto* exchange = std::get_if<ExchangeId>(&running.waiting)) {
    driver_.Cancel(*exchange);
  } else if (const auto* timer = std::get_if<TimerId>(&running.waiting)) {
    network_.loop.Cancel(*timer);
  }
}

Result<Url> RegistryClient::UrlOf(const Operation& operation) const {
  const std::string base = "/v2/" + options_.repository;
  switch (operation.kind) {
    case Operation::Kind::kTags:
      // Of a further page the registry has named the URL.
      if (!operation.reference.empty()) return Url::Parse(operation.reference);
      break;
    case Operation::Kind::kManifest:
      return options_.registry.At(base + "/manifests/" + operation.reference);
    case Operation::Kind::kBlob:
      return options_.registry.At(base + "/blobs/" + operation.reference);
  }
  return options_.registry.At(base + "/tags/list");
}

Result<Request> RegistryClient::MakeRequest(const Operation& operation) const {
  Result<Url> url = UrlOf(operation);
  if (!url) return url.error();
  Request request{
      .url = *std::move(url), .headers = {}, .registry = options_.registry.host().text()};
  request.connection =
      request.url.origin() == options_.registry.origin() ? connection_ : to_others_;
  switch (operation.kind) {
    case Operation::Kind::kTags:
      request.operation = "tags";
      request.max_body_bytes = kMaxTagPageBytes;
      break;
    case Operation::Kind::kManifest:
      request.operation = "manifest";
      request.headers.Add("accept", AcceptedManifests());
      request.max_body_bytes = kMaxManifestBytes;
      break;
    case Operation::Kind::kBlob:
      request.operation = "blob";
      request.headers.Add("range", "bytes=0-0");
      request.body_use = BodyUse::kDiscard;
      request.max_body_bytes = kMaxDrainedBytes;
      break;
  }
  return request;
}

Result<Answer> RegistryClient::Read(const Operation& operation, Reply reply,
                                    const std::vector<Host>& others) {
  if (operation.kind == Operation::Kind::kBlob) {
    Url source = reply.redirect ? *std::move(reply.redirect) : std::move(reply.url);
    const bool redirected = reply.redirect || source.host() != options_.registry.host();
    return Answer(BlobSource{redirected, std::move(source), others});
  }
  if (reply.redirect) return Answer(Elsewhere{*std::move(reply.redirect)});
  if (operation.kind == Operation::Kind::kTags) return ReadTags(reply);
  if (reply.response.status == 304) return ReadUnchanged(operation.reference, reply);
  return ReadManifest(operation.reference, reply);
}

Result<Answer> RegistryClient::ReadTags(const Reply& reply) const {
  const std::string where = reply.url.shown() + ": ";
  Result<TagList> list = ParseTagList(reply.response.body);
  if (!list) return Error{list.error().kind, where + list.error().message};
  TagPage page{std::move(list->tags), std::move(list->rejected), std::nullopt};
  if (const auto link = FindNextLink(reply.response.headers.GetAll("link"))) {
    Result<Url> next = reply.url.Resolve(*link);
    if (!next) return Error{ErrorKind::kProtocol, where + "its Link: " + next.error().message};
    if (next->origin() != reply.url.origin()) {
      return Error{ErrorKind::kProtocol,
                   where + "its next page is at another origin, " + next->origin().text()};
    }
    page.next = *std::move(next);
  }
  return Answer(std::move(page));
}

Result<Answer> RegistryClient::ReadUnchanged(const std::string& tag, const Reply& reply) {
  const ManifestCache::TagState* known = cache_.FindTag(tag);
  const std::string_view named = reply.response.headers.Get("docker-content-digest");
  if (known == nullptr || (!named.empty() && named != known->digest)) {
    return Error{ErrorKind::kDigest,
                 reply.url.shown() + ": status 304 for a manifest other than the one known"};
  }
  return Answer(*cache_.Find(known->digest));
}

Result<Answer> RegistryClient::ReadManifest(const std::string& reference, const Reply& reply) {
  const std::string where = reply.url.shown() + ": ";
  const std::string_view bytes = reply.response.body;
  const std::string_view type = reply.response.headers.Get("content-type");
  const std::string_view named = reply.response.headers.Get("docker-content-digest");
  // First of all: the digest of a signed manifest is that of its payload, not of the bytes served.
  if (IsSchema1(type)) {
    return Answer(Unpullable{
        {ErrorKind::kProtocol, where + "the manifest is of schema 1, which clients no longer "
                                       "support"}});
  }
  const bool by_digest = IsDigest(reference);
  const std::string digest = DigestOf(bytes, by_digest ? std::string_view(reference) : named);
  if (by_digest && digest != reference) {
    return Error{ErrorKind::kDigest, where + "the manifest served has another digest, " + digest};
  }
  if (IsDigest(named) && digest != named && DigestOf(bytes, named) != named) {
    return Error{
        ErrorKind::kDigest,
        where + "the manifest does not have the digest its header names, " + std::string(named)};
  }
  Result<Manifest> manifest = ParseManifest(bytes, type);
  if (!manifest) {
    Error why{manifest.error().kind, where + manifest.error().message};
    // Without a digest to go by it may be anybody's page, a proxy's say: that is no answer.
    if (!by_digest && !IsDigest(named)) return why;
    return Answer(Unpullable{std::move(why)});
  }
  const bool is_from_another = reply.url.host() != options_.registry.host();
  const FetchedManifest fetched{std::make_shared<const Manifest>(*std::move(manifest)), digest,
                                bytes.size(), is_from_another};
  cache_.Put(fetched);
  if (!by_digest) {
    cache_.PutTag(reference, digest, std::string(UsableEtag(reply.response.headers.Get("etag"))));
  }
  return Answer(fetched);
}

}  // namespace registry_backend
