#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "exporter/common/time.h"

namespace registry_backend::server {

// Certificates or a key, as PEM.
struct PemSource {
  std::string file;   // read when the server begins to use it
  std::string text;   // in place of a file
  std::string where;  // `FILE:LINE:COLUMN: KEY: `, for what is wrong with it

  [[nodiscard]] bool empty() const { return file.empty() && text.empty(); }
};

// What is asked of clients, as Go's tls.ClientAuthType has it.
enum class ClientAuth { kNone, kRequest, kRequireAny, kVerifyIfGiven, kRequireAndVerify };

enum class TlsVersion { kTls10, kTls11, kTls12, kTls13 };

struct TlsOptions {
  PemSource certificate;  // with those between it and the authority
  PemSource key;
  PemSource client_ca;  // empty: a client's certificate is never a good one
  ClientAuth client_auth = ClientAuth::kNone;
  std::vector<std::string> allowed_sans;  // empty: any; only where a certificate is required
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  std::string where_suites;          // as PemSource::where
  std::string where_groups;          // likewise
  std::vector<std::string> suites;   // of TLS 1.2 and below, by OpenSSL's names; empty: good ones
  bool only_tls13_suites = false;    // suites were named, and all of them are of TLS 1.3
  bool prefer_server_suites = true;  // the order is the server's, not the client's
  std::vector<std::string> groups;   // by OpenSSL's names, in order; empty: its own
};

// A token bucket for requests.
struct RateLimit {
  Duration interval = Duration::zero();  // between two requests; 0: no limit
  std::size_t burst = 0;                 // requests at once; with none, no request is let through

  bool operator==(const RateLimit&) const = default;
};

// Who may ask, and how.
struct SecurityOptions {
  std::optional<TlsOptions> tls;
  std::vector<std::pair<std::string, std::string>> headers;  // of every answer
  std::map<std::string, std::string> users;                  // name → bcrypt hash; none: anyone
  RateLimit rate_limit;
  // The keys given that ask something of clients. One that is gone when the file is read again may
  // be the end of a file cut short: it is not taken for leave to let everyone in.
  std::set<std::string> demands;
};

}  // namespace registry_backend::server
