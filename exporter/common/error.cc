#include "exporter/common/error.h"

namespace registry_backend {

std::string_view ReasonName(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kAuth:
      return "auth";
    case ErrorKind::kCredentials:
      return "credentials";
    case ErrorKind::kRateLimited:
      return "rate_limited";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kDns:
      return "dns";
    case ErrorKind::kConnect:
      return "connect";
    case ErrorKind::kTls:
      return "tls";
    case ErrorKind::kHttp:
      return "http";
    case ErrorKind::kProtocol:
      return "protocol";
    case ErrorKind::kDigest:
      return "digest";
    case ErrorKind::kStorage:
      return "storage";
    case ErrorKind::kInternal:
      return "internal";
    case ErrorKind::kCancelled:
      return "cancelled";
  }
  return "internal";
}

}  // namespace registry_backend
