#include <string>

#include "exporter/discovery/classify.h"
#include "exporter/http/proxy.h"
#include "exporter/url/url.h"
#include "tests/fuzz/fuzzed_input.h"
#include "tests/fuzz/require.h"

// Lines: a URL, a Location answered there, a host, a proxy, and which form of text with a secret is
// made of the Location.
namespace registry_backend::testing {
namespace {

constexpr std::size_t kForms = 8;  // of text with a secret
constexpr std::string_view kSecret = "hunter2-S3CR3T";

bool HasSecret(std::string_view text) { return text.find(kSecret) != std::string_view::npos; }

void CheckHost(std::string_view text) {
  const Result<Host> host = Host::Parse(text);
  if (!host) return;
  const std::string alphabet = std::string(kLowerLetters) + std::string(kDigits) + "-_.:[]";
  Require(IsOf(alphabet, host->text()), "a host is of a few characters only", host->text());
  const Result<Host> again = Host::Parse(host->text());
  Require(again && *again == *host, "a host's text is the host's", host->text());
  Require(again->name() == host->name(), "a host's name is a part of its text", host->text());
  Require(SameSite(*host, *host), "a host is on its own site", host->text());
  const Result<Url> url = Url::Parse("https://" + host->text() + "/");
  Require(!url || url->host().name() == host->name() || host->is_ip_address(),
          "a host in a URL is the same", host->text());
}

void CheckEndpoint(const Url& url) {
  const std::string region = std::string(kLowerLetters) + std::string(kDigits) + "-";
  const EndpointInfo info = Classify(url);
  Require(IsOf(region + std::string(kUpperLetters) + "._", info.bucket), "a bucket's name is plain",
          info.bucket);
  Require(IsOf(region, info.storage_region), "a region's name is plain", info.storage_region);
  Require(info.delivery.empty(), "the delivery is left to the caller");
  const bool is_signed = url.query().find("X-Amz-Credential=") != std::string::npos;
  Require(
      !info.provider.empty() || (info.bucket.empty() && (info.storage_region.empty() || is_signed)),
      "of an unknown provider nothing is known but what a URL is signed for", url.text());
  Require(info.bucket.size() <= 253 && info.storage_region.size() <= 63, "labels are short");
  const EndpointInfo of_name = ClassifyHost(url.host());
  Require(of_name.provider == info.provider, "the name tells the provider", url.text());
}

void CheckUrl(const Url& url) {
  const std::string& scheme = url.origin().scheme;
  Require(scheme == "http" || scheme == "https", "only http and https are followed", scheme);
  Require(url.path().starts_with('/'), "a path is absolute", url.path());
  const std::string whole = scheme + "://" + url.host().text() + url.path();
  const std::string shown = url.shown();
  const bool is_cut =
      shown.ends_with("...") && whole.starts_with(shown.substr(0, shown.size() - 3));
  Require(shown == whole || is_cut, "nothing else is shown", shown);
  Require(url.shown().find_first_of("?#\\ \r\n\t") == std::string::npos, "no query is shown",
          url.shown());
  for (const char c : url.text()) {
    Require(c > ' ' && c < 0x7f, "what is sent is printable ASCII", url.text());
  }
  CheckHost(url.host().text());
  const Result<Host> host = Host::Parse(url.host().text());
  Require(host && *host == url.host(), "a URL's host is a host", url.host().text());
  CheckEndpoint(url);

  const Result<Url> again = Url::Parse(url.text());
  Require(again && again->text() == url.text() && again->origin() == url.origin(),
          "what is sent is read as it was", url.text());
  Require(!again->has_userinfo(), "no userinfo is sent", url.text());
  Require(url.has_userinfo() || *again == url, "a URL's text is the URL's", url.text());
}

// Neither a password before a host is shown nor a secret in a query, whatever else is there.
void CheckThatSecretsAreHidden(std::string_view text, std::size_t form) {
  if (HasSecret(text)) return;
  const std::string secret(kSecret);
  const std::string other(text);
  const std::string hostile[kForms] = {"https://user:" + secret + "@" + other,
                                       "//user:" + secret + "@" + other,
                                       "https://h.example/" + other + "?sig=" + secret,
                                       "https://h.example/?sig=" + secret + other,
                                       "https://" + other + "?a=" + secret + "@" + secret,
                                       "/v2/" + other + "?sig=" + secret,
                                       "/v2/?sig=" + secret + other,
                                       "?sig=" + secret + other};
  const Url base = *Url::Parse("https://registry.example.com/v2/app/blobs/x");
  for (const auto& url : {Url::Parse(hostile[form]), base.Resolve(hostile[form])}) {
    const std::string shown = url ? url->shown() : url.error().message;
    Require(!HasSecret(shown), "a secret is not shown", shown);
  }
}

void CheckProxy(std::string_view text) {
  const Result<Proxy> proxy = ParseProxy(text);
  if (proxy) {
    Require(!proxy->empty() && proxy->url.find('@') == std::string::npos,
            "a proxy's URL has no user", proxy->url);
    const Result<Proxy> again = ParseProxy(proxy->url);
    Require(again && again->url == proxy->url && again->username.empty() && again->password.empty(),
            "a proxy's URL is its own", proxy->url);
  }
  if (HasSecret(text)) return;
  const Result<Proxy> hidden = ParseProxy("user:" + std::string(kSecret) + "@" + std::string(text));
  Require(!HasSecret(hidden ? hidden->url : hidden.error().message), "a password is not shown",
          hidden ? hidden->url : hidden.error().message);
}

void CheckEncoding(std::string_view text) {
  const Result<Url> url = Url::Parse("https://h.example/?q=" + PercentEncode(text));
  if (text.size() > 4096) return;
  Require(url && url->query() == "q=" + PercentEncode(text), "what is encoded can be sent", text);
}

}  // namespace
}  // namespace registry_backend::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace registry_backend;
  testing::FuzzedInput input(data, size);
  const std::string_view text = input.Line();
  const std::string_view location = input.Line();
  const Url base = *Url::Parse("https://registry.example.com:5000/v2/app/blobs/x?n=1");
  if (const Result<Url> url = Url::Parse(text)) {
    testing::CheckUrl(*url);
    if (const Result<Url> target = url->Resolve(location)) testing::CheckUrl(*target);
  }
  if (const Result<Url> target = base.Resolve(location)) testing::CheckUrl(*target);
  testing::CheckEncoding(location);
  testing::CheckHost(input.Line());
  testing::CheckProxy(input.Line());
  testing::CheckThatSecretsAreHidden(location, input.Below(testing::kForms));
  return 0;
}
