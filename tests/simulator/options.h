#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "tests/simulator/certificate.h"

namespace registry_backend::simulator {

// Every redirect's query contains this as if it were a signature, so that a test can look for it
// where no part of a query may ever appear.
inline constexpr const char* kSignatureSecret = "SIMULATORSECRETSIGNATURE";

// A backend that is no host: the registry serves the blob itself.
inline constexpr const char* kDirect = "direct";

// Which blobs a rule is about.
struct ByDigest {
  std::string digest;
};
struct EveryNth {
  std::size_t n = 2;  // the n-th, 2n-th, … blob in the order they were added to their repository
};
struct OwnOfTag {
  std::string repository;  // empty: every one
  std::string tag;         // configs and layers that no other tag of the repository reaches
};
struct FromLayer {
  std::size_t first = 1;  // layers from this position of some manifest on, 1 the bottom; no configs
};

// The first rule that matches a blob says which host serves it; none: the default backend.
//
// A host is written `host` or `host:port` (redirects to https), `scheme://host`, `/path` (a
// relative redirect to the registry itself, where nothing is) or kDirect.
struct BackendRule {
  std::variant<ByDigest, EveryNth, OwnOfTag, FromLayer> blobs;
  std::string host;
};

enum class Operation { kVersion, kTags, kManifest, kBlob, kToken, kHop, kOther };

// What a fault does to an answer.
struct StatusFault {
  int status = 500;
  std::vector<std::pair<std::string, std::string>> headers;  // Retry-After and the like
  std::string body;                                          // empty: an OCI error
};
struct CloseFault {};  // the connection closes without an answer
struct StallFault {
  std::chrono::milliseconds duration{0};  // then it closes; 0: until Stop or the client leaves
};
struct TruncateFault {};  // half of the body, fewer bytes than Content-Length says
struct DripFault {        // a byte of the body every `interval`; an empty body becomes 4096 spaces
  std::chrono::milliseconds interval{10};
};
struct OversizeFault {
  std::size_t bytes = 0;  // the body becomes so many spaces
  bool chunked = false;   // not announced by a Content-Length
};
struct WrongBodyFault {};  // one space more than it should be: still JSON, another digest

using FaultAction = std::variant<StatusFault, CloseFault, StallFault, TruncateFault, DripFault,
                                 OversizeFault, WrongBodyFault>;

// Befalls requests that authentication let through (kToken: all), the oldest matching fault first.
// `reference` and `method` empty: any. Where a fault's chance does not strike, the next matching
// one is looked at.
struct Fault {
  Operation operation = Operation::kBlob;
  std::string reference;  // tag or digest; of kTags the page's `last`, of kToken the scope
  std::string method;
  int times = -1;  // that it strikes; -1: for ever
  FaultAction action;
  double chance = 1;  // that it strikes a matching request, from 0 to 1
};

enum class Authentication { kNone, kBasic, kBearer };

struct Options {
  std::string host = "127.0.0.1";  // an IP address to listen on
  int port = 0;                    // 0: any free one
  std::size_t threads = 128;       // connections served at once; more wait
  std::optional<Certificate> tls;

  Authentication authentication = Authentication::kNone;
  std::string username;  // empty with kBearer: tokens are given to anyone
  std::string password;
  std::string service = "registry-simulator";
  std::string realm;           // of Bearer challenges; empty: `/token` where the client asked
  std::string identity_token;  // POST /token with this refresh_token is answered; empty: 405
  std::string token_field = "token";  // or `access_token`
  std::chrono::milliseconds token_lifetime{300'000};
  std::optional<int> announced_expires_in;  // seconds; empty: the lifetime, 0: left out

  std::chrono::milliseconds latency{0};  // of each answer under /v2/ and of /token
  std::size_t page_size = 0;             // tags a page, if the client asks for no fewer; 0: all
  bool absolute_links = false;           // in the Link header of a page
  bool head_manifests = true;            // false: HEAD of a manifest gets 405
  bool manifest_digest_header = true;    // false: manifests come without Docker-Content-Digest
  int redirect_status = 307;
  int own_host_hops = 0;  // redirects within the registry before each answer below /v2/NAME/
  std::string backend = "prod-us-east-1-starport-layer-bucket.s3.dualstack.us-east-1.amazonaws.com";
  std::vector<BackendRule> backend_rules;
  // Of the faults with a chance: the same seed strikes the same requests, as long as those that
  // match come in the same order.
  std::uint64_t fault_seed = 1;
};

}  // namespace registry_backend::simulator
