#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/url/host.h"

namespace registry_backend {

// Who credentials may go to: scheme, host and port (RFC 6454 §4). A value.
struct Origin {
  std::string scheme;  // `http` or `https`
  Host host;           // with its port where it is not the scheme's own

  auto operator<=>(const Origin&) const = default;
  [[nodiscard]] std::string text() const { return scheme + "://" + host.text(); }
};

// An absolute http or https URL, parsed by the same code that later connects to it (libcurl's URL
// API), so that no second reading of a hostile URL exists. Dot segments are removed, the fragment
// is dropped, host names are A-labels. A value.
class Url {
 public:
  // Error: kProtocol; the message shows the URL without userinfo and query.
  static Result<Url> Parse(std::string_view text);

  // What `reference` means on a page at this URL: absolute, scheme-relative or relative (RFC 3986
  // §5). Errors as for Parse.
  [[nodiscard]] Result<Url> Resolve(std::string_view reference) const;

  // What is at `path` of the same origin. The path is known to be one: it begins with `/`, has no
  // dot segments, and nothing in it needs to be encoded.
  [[nodiscard]] Url At(std::string path) const { return Url(origin_, std::move(path), "", false); }

  [[nodiscard]] const Origin& origin() const { return origin_; }
  [[nodiscard]] const Host& host() const { return origin_.host; }
  [[nodiscard]] const std::string& path() const { return path_; }  // begins with `/`, still encoded
  [[nodiscard]] const std::string& query() const { return query_; }  // without `?`, still encoded
  [[nodiscard]] bool has_userinfo() const { return has_userinfo_; }

  // The whole URL without userinfo: what is sent. Its query may be a credential; never show it.
  [[nodiscard]] std::string text() const;
  // Without userinfo and query, and not all of a long path: fit for logs and messages.
  [[nodiscard]] std::string shown() const;

  bool operator==(const Url&) const = default;

 private:
  Url(Origin origin, std::string path, std::string query, bool has_userinfo)
      : origin_(std::move(origin)),
        path_(std::move(path)),
        query_(std::move(query)),
        has_userinfo_(has_userinfo) {}
  static Result<Url> ParseAgainst(const std::string& base, std::string_view reference);

  Origin origin_;
  std::string path_;
  std::string query_;
  bool has_userinfo_;
};

// The name in A-labels (RFC 5891) if it is UTF-8, by UTS #46's non-transitional rules, as browsers
// read it. Error kProtocol: it has none.
Result<std::string> ToALabels(std::string name);

// `text` with every byte but unreserved ones (RFC 3986 §2.3) percent-encoded, for one path segment
// or one query value.
std::string PercentEncode(std::string_view text);
// What `text` is the encoded form of; none where a `%` is not followed by two hexadecimal digits.
std::optional<std::string> PercentDecode(std::string_view text);

}  // namespace registry_backend
