#include "exporter/http/curl_transfer.h"

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestConnect{10'000};
// Of an answer. A field of four bytes takes twenty times as much once it is kept, by us and by
// libcurl.
constexpr std::size_t kMaxHeaderFields = 500;

// libcurl hands over one line a call, status lines (of 1xx answers and the final one) included.
std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  transfer.header_bytes += bytes;
  if (transfer.header_bytes > transfer.request.max_header_bytes) {
    transfer.stopped = Stopped::kHeadersTooLarge;
    return 0;
  }
  const std::string_view line(data, bytes);
  if (line.starts_with("HTTP/")) {
    transfer.response.headers.Clear();
    return bytes;
  }
  if (Trim(line).empty()) return bytes;  // the header's end
  if (++transfer.header_fields > kMaxHeaderFields) {
    transfer.stopped = Stopped::kTooManyFields;
    return 0;
  }
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    transfer.response.headers.Add(Trim(line.substr(0, colon)), Trim(line.substr(colon + 1)));
  }
  return bytes;
}

// As much as the answer says it has, if it may: a body that grows is there twice each time.
void ReserveBody(Transfer& transfer) {
  curl_off_t length = 0;
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  if (length <= 0) return;
  transfer.response.body.reserve(
      std::min(static_cast<std::size_t>(length), transfer.request.max_body_bytes));
}

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  transfer.body_bytes += bytes;
  const bool keep = transfer.request.body_use == BodyUse::kKeep;
  if (transfer.body_bytes > transfer.request.max_body_bytes) {
    transfer.stopped = keep ? Stopped::kBodyTooLarge : Stopped::kBodyNotWanted;
    return 0;
  }
  if (keep) {
    if (transfer.response.body.empty()) ReserveBody(transfer);
    transfer.response.body.append(data, bytes);
  }
  return bytes;
}

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) {
    throw std::runtime_error("libcurl refuses option " + std::to_string(option));
  }
}

void SetText(CURL* easy, CURLoption option, const std::string& text) {
  if (!text.empty()) Set(easy, option, text.c_str());
}

// The proxy for the request's scheme, with libcurl's own look at the environment switched off.
void SetProxy(CURL* easy, const ConnectionOptions& connection, const std::string& scheme) {
  const Proxy& proxy = scheme == "https" ? connection.https_proxy : connection.http_proxy;
  Set(easy, CURLOPT_PROXY, proxy.url.c_str());
  Set(easy, CURLOPT_NOPROXY, connection.no_proxy.c_str());
  if (proxy.empty()) return;
  SetText(easy, CURLOPT_PROXYUSERNAME, proxy.username);
  SetText(easy, CURLOPT_PROXYPASSWORD, proxy.password);
  // What the proxy says of the tunnel is not the answer.
  Set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

// Where the certificate is to hold another name than the URL, libcurl is given a URL of that name,
// told to connect to the real host, and to name that one in Host.
std::string CertificateUrl(const Url& url, const std::string& server_name) {
  const std::string_view port =
      std::string_view(url.host().text()).substr(url.host().name().size());
  return "https://" + server_name + std::string(port) +
         url.text().substr(url.origin().text().size());
}

void SetTls(CURL* easy, const ConnectionOptions& connection) {
  // A CA path, even libcurl's default one, switches its cache of parsed CA files off.
  Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  Set(easy, CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
  SetText(easy, CURLOPT_CAINFO, connection.ca_file);
  SetText(easy, CURLOPT_PROXY_CAINFO, connection.ca_file);
  SetText(easy, CURLOPT_SSLCERT, connection.cert_file);
  SetText(easy, CURLOPT_SSLKEY, connection.key_file);
  // OpenSSL would ask the terminal for an encrypted key's pass phrase, and wait.
  Set(easy, CURLOPT_KEYPASSWD, "");
  if (connection.insecure_skip_verify) {
    Set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    Set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

HeaderList MakeList(const std::vector<std::string>& lines) {
  HeaderList list;
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(list.release());
    list.reset(longer);
  }
  return list;
}

// The URL, where to connect to for it, and the header fields.
void SetTarget(Transfer& transfer, const ConnectionOptions& connection) {
  CURL* easy = transfer.easy.get();
  const Url& url = transfer.request.url;
  std::vector<std::string> lines;
  for (const auto& [name, value] : transfer.request.headers.fields()) {
    lines.push_back(std::string(name).append(": ").append(value));
  }
  if (connection.server_name.empty() || url.origin().scheme != "https") {
    Set(easy, CURLOPT_URL, url.text().c_str());
  } else {
    Set(easy, CURLOPT_URL, CertificateUrl(url, connection.server_name).c_str());
    lines.push_back("host: " + url.host().text());
    transfer.connect_to = MakeList({"::" + std::string(url.host().name()) + ":"});
    Set(easy, CURLOPT_CONNECT_TO, transfer.connect_to.get());
  }
  transfer.headers = MakeList(lines);
  Set(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
}

void SetMethod(CURL* easy, const Request& request) {
  if (request.method == Method::kHead) Set(easy, CURLOPT_NOBODY, 1L);
  if (request.method == Method::kPost) {
    Set(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.form.size()));
    Set(easy, CURLOPT_COPYPOSTFIELDS, request.form.c_str());
  }
}

std::string Where(const Transfer& transfer) { return transfer.request.url.shown() + ": "; }

// By ourselves, for what the answer has too much of.
std::optional<Error> WhyStopped(const Transfer& transfer) {
  std::string what;
  switch (transfer.stopped) {
    case Stopped::kHeadersTooLarge:
      what = "the headers are larger than " + std::to_string(transfer.request.max_header_bytes) +
             " bytes";
      break;
    case Stopped::kTooManyFields:
      what = "the answer has more than " + std::to_string(kMaxHeaderFields) + " header fields";
      break;
    case Stopped::kBodyTooLarge:
      what =
          "the body is larger than " + std::to_string(transfer.request.max_body_bytes) + " bytes";
      break;
    case Stopped::kNo:
    case Stopped::kBodyNotWanted:
      return std::nullopt;
  }
  return Error{ErrorKind::kProtocol, Where(transfer) + what};
}

std::optional<Error> WhyNoTunnel(const Transfer& transfer) {
  long status = 0;  // of a proxy that made no tunnel
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_HTTP_CONNECTCODE, &status);
  if (status < 300) return std::nullopt;
  const std::string number = std::to_string(status);
  if (status != 401 && status != 407) {  // tinyproxy says 401 of a wrong password
    return Error{ErrorKind::kConnect,
                 Where(transfer) + "the proxy makes no tunnel: status " + number};
  }
  return Error{ErrorKind::kAuth, Where(transfer) +
                                     "the proxy wants a user name and a password, or refuses the "
                                     "ones it was shown: status " +
                                     number};
}

// Of what libcurl tells apart in words only.
std::optional<ErrorKind> KindInWords(CURLcode code, std::string_view text) {
  const auto says = [&](std::string_view words) {
    return text.find(words) != std::string_view::npos;
  };
  // With TLS 1.3 the server's verdict on our certificate comes after the handshake, as an alert in
  // place of the answer (RFC 8446 §4.4.2.4).
  const bool on_the_wire = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
  if (on_the_wire && says(" alert ")) return ErrorKind::kTls;
  // A handshake that broke off may be done the next time.
  const bool broke_off = says("Connection reset") || says("SSL_ERROR_SYSCALL");
  if (code == CURLE_SSL_CONNECT_ERROR && broke_off) return ErrorKind::kConnect;
  return std::nullopt;
}

ErrorKind KindOf(CURLcode code, std::string_view text) {
  if (const auto kind = KindInWords(code, text)) return *kind;
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
      return ErrorKind::kTimeout;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return ErrorKind::kDns;
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_PROXY:
      return ErrorKind::kConnect;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return ErrorKind::kTls;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_OUT_OF_MEMORY:  // what libcurl says of a header line over 100 kB
      return ErrorKind::kProtocol;
    default:
      return ErrorKind::kInternal;
  }
}

}  // namespace

void Prepare(Transfer& transfer, const TransportOptions& options, milliseconds left) {
  static const ConnectionOptions kDefaults;
  const Request& request = transfer.request;
  const ConnectionOptions& connection = request.connection ? *request.connection : kDefaults;
  CURL* easy = transfer.easy.get();

  SetTarget(transfer, connection);
  SetMethod(easy, request);
  Set(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  Set(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  Set(easy, CURLOPT_NOSIGNAL, 1L);
  Set(easy, CURLOPT_QUICK_EXIT, 1L);
  Set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  // Over TLS the first connection soon tells whether it can carry all requests. Without TLS only
  // its first answer would, and a slow one would hold the others up.
  Set(easy, CURLOPT_PIPEWAIT, request.url.origin().scheme == "https" ? 1L : 0L);
  Set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(left.count()));
  Set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::min(left, kLongestConnect).count()));
  Set(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  SetTls(easy, connection);
  SetProxy(easy, connection, request.url.origin().scheme);

  Set(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  Set(easy, CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
  Set(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  Set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
  Set(easy, CURLOPT_ERRORBUFFER, static_cast<char*>(transfer.error_text));
  Set(easy, CURLOPT_PRIVATE, static_cast<void*>(&transfer));
}

Error ErrorOf(const Transfer& transfer, CURLcode code) {
  if (auto error = WhyStopped(transfer)) return *std::move(error);
  if (auto error = WhyNoTunnel(transfer)) return *std::move(error);
  const std::string_view text = Trim(transfer.error_text);
  return {KindOf(code, text),
          Where(transfer) + std::string(text.empty() ? curl_easy_strerror(code) : text)};
}

}  // namespace registry_backend
