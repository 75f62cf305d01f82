#pragma once

#include <array>
#include <string>
#include <string_view>

namespace registry_backend {

// Why something did not work. Each value but the last is also a value of the metric label `reason`,
// so a name here is part of the public contract.
enum class ErrorKind {
  kAuth,         // the registry or its token service refused us (401, 403), or may not have our
                 // credentials
  kCredentials,  // our own credentials could not be read (secret file, helper)
  kRateLimited,  // 429, and asking again did not help
  kTimeout,      // a deadline passed
  kDns,          // a name did not resolve
  kConnect,      // no connection, or it broke before the whole answer was there
  kTls,          // handshake failed or the certificate is not trusted
  kHttp,         // a status that answers nothing we asked (404, 500, …)
  kProtocol,     // the answer breaks the distribution spec, or one of our size limits
  kDigest,       // the bytes do not have the digest they were asked for by
  kStorage,      // reading or writing our own files
  kInternal,     // a defect of this program; also a mistake in its command line or configuration
  kCancelled,    // called off by us; a reason only in the report of an interrupted `scan`
};

inline constexpr std::array kReportedErrorKinds = {
    ErrorKind::kAuth,     ErrorKind::kCredentials, ErrorKind::kRateLimited, ErrorKind::kTimeout,
    ErrorKind::kDns,      ErrorKind::kConnect,     ErrorKind::kTls,         ErrorKind::kHttp,
    ErrorKind::kProtocol, ErrorKind::kDigest,      ErrorKind::kStorage,     ErrorKind::kInternal,
};

// The `reason` label's value: lower case, words joined by `_`.
std::string_view ReasonName(ErrorKind kind);

// A failure as a value. `message` is for people: it names the URL (without query), tag, file or key
// concerned and holds no secret.
struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
  int status = 0;  // the HTTP status that is the failure; 0: none is

  bool operator==(const Error&) const = default;
};

}  // namespace registry_backend
