#include "exporter/registry/registry_client.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "exporter/registry/digest.h"
#include "exporter/registry/json.h"
#include "exporter/registry/link.h"
#include "exporter/registry/reference.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxTagPageBytes = std::size_t{16} * 1024 * 1024;
constexpr std::size_t kMaxManifestBytes = std::size_t{4} * 1024 * 1024;
// Of a blob that the registry serves itself this much is read to keep the connection usable; a
// longer body is cut off.
constexpr std::size_t kMaxDrainedBytes = std::size_t{16} * 1024;

constexpr std::size_t kMaxRejectedTags = 100;  // of a page

std::string AcceptedManifests() {
  std::string accepted;
  for (const std::string_view type :
       {kOciIndex, kOciManifest, kDockerManifestList, kDockerManifest}) {
    if (!accepted.empty()) accepted += ", ";
    accepted += type;
  }
  return accepted;
}

}  // namespace

RegistryClient::RegistryClient(Network network, RegistryOptions options)
    : network_(network),
      options_(std::move(options)),
      driver_(network, options_.request_timeout),
      authenticator_(driver_, network.loop, options_) {}

RegistryClient::~RegistryClient() {
  for (const auto& [call, waiting] : operations_) Release(waiting);
}

void RegistryClient::SetCredentials(Credentials credentials) {
  authenticator_.SetCredentials(std::move(credentials));
}

OperationId RegistryClient::Start(const Operation& operation, Done done) {
  const auto call = static_cast<OperationId>(++last_operation_);
  operations_.emplace(call, std::monostate{});
  Result<Request> request = MakeRequest(operation);
  if (!request) {
    FailLater(call, request.error(), std::move(done));
    return call;
  }
  authenticator_.Current(
      [this, call, operation = operation, request = *std::move(request),
       done = std::move(done)](const Result<std::string>& authorization) mutable {
        if (!operations_.contains(call)) return;  // cancelled while a token was renewed
        if (authorization) {
          Begin(call, std::move(request), *authorization, std::move(operation), std::move(done));
        } else {
          FailLater(call, authorization.error(), std::move(done));
        }
      });
  return call;
}

void RegistryClient::FailLater(OperationId call, Error error, Done done) {
  operations_[call] = network_.loop.At(
      network_.loop.Now(), [this, call, error = std::move(error), done = std::move(done)] {
        operations_.erase(call);
        done(error);
      });
}

void RegistryClient::Cancel(OperationId call) {
  const auto found = operations_.find(call);
  if (found == operations_.end()) return;
  Release(found->second);
  operations_.erase(found);
}

void RegistryClient::Release(const Waiting& waiting) {
  if (const auto* exchange = std::get_if<ExchangeId>(&waiting)) {
    driver_.Cancel(*exchange);
  } else if (const auto* timer = std::get_if<TimerId>(&waiting)) {
    network_.loop.Cancel(*timer);
  }
}

void RegistryClient::Begin(OperationId call, Request request, const std::string& authorization,
                           Operation operation, Done done) {
  Exchange exchange(std::move(request), authorization, Exchange::Redirects::kFollowOwnOrigin);
  operations_[call] = driver_.Start(
      std::move(exchange),
      [this](Exchange::Authorize question, ExchangeDriver::Authorized authorized) {
        authenticator_.Answer(std::move(question), std::move(authorized));
      },
      [this, call, operation = std::move(operation), done = std::move(done)](Result<Reply> reply) {
        operations_.erase(call);
        done(reply ? Read(operation, std::move(reply).value()) : std::move(reply).error());
      });
}

Result<Request> RegistryClient::MakeRequest(const Operation& operation) const {
  const std::string base = options_.registry.origin().text() + "/v2/" + options_.repository;
  std::string text;
  switch (operation.kind) {
    case Operation::Kind::kTags:
      text = operation.reference.empty() ? base + "/tags/list" : operation.reference;
      break;
    case Operation::Kind::kManifest:
      text = base + "/manifests/" + operation.reference;
      break;
    case Operation::Kind::kBlob:
      text = base + "/blobs/" + operation.reference;
      break;
  }
  Result<Url> url = Url::Parse(text);
  if (!url) return url.error();
  Request request{
      .url = *std::move(url), .headers = {}, .registry = options_.registry.host().text()};
  request.connection = options_.connection;
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

Result<Answer> RegistryClient::Read(const Operation& operation, Reply reply) const {
  if (operation.kind == Operation::Kind::kBlob) {
    const bool redirected = reply.redirect.has_value();
    return Answer(
        BlobSource{redirected, redirected ? *std::move(reply.redirect) : std::move(reply.url)});
  }
  if (reply.redirect) return Answer(Elsewhere{*std::move(reply.redirect)});
  return operation.kind == Operation::Kind::kTags ? ReadTags(reply)
                                                  : ReadManifest(operation.reference, reply);
}

Result<Answer> RegistryClient::ReadTags(const Reply& reply) const {
  const std::string where = reply.url.shown() + ": ";
  const auto json = ParseJson(reply.response.body);
  const auto tags = json.is_object() ? json.find("tags") : json.end();
  if (!json.is_object() || tags == json.end() || !(tags->is_array() || tags->is_null())) {
    return Error{ErrorKind::kProtocol, where + "the answer is no tag list"};
  }
  TagPage page;
  for (const auto& tag : *tags) {
    std::string name = tag.is_string() ? tag.get<std::string>() : tag.type_name();
    if (tag.is_string() && IsTag(name)) {
      page.tags.push_back(std::move(name));
    } else if (page.rejected.size() < kMaxRejectedTags) {
      page.rejected.push_back(Printable(name));
    }
  }
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

Result<Answer> RegistryClient::ReadManifest(const std::string& reference,
                                            const Reply& reply) const {
  const std::string where = reply.url.shown() + ": ";
  const std::string_view bytes = reply.response.body;
  const std::string_view named = reply.response.headers.Get("docker-content-digest");
  const std::string digest =
      DigestOf(bytes, IsDigest(reference) ? std::string_view(reference) : named);
  if (IsDigest(reference) && digest != reference) {
    return Error{ErrorKind::kDigest, where + "the manifest served has another digest, " + digest};
  }
  if (IsDigest(named) && DigestOf(bytes, named) != named) {
    return Error{
        ErrorKind::kDigest,
        where + "the manifest does not have the digest its header names, " + std::string(named)};
  }
  Result<Manifest> manifest = ParseManifest(bytes, reply.response.headers.Get("content-type"));
  if (!manifest) return Error{manifest.error().kind, where + manifest.error().message};
  return Answer(FetchedManifest{*std::move(manifest), digest, bytes.size()});
}

}  // namespace registry_backend
