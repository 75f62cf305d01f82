#include "exporter/http/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestConnect{10'000};
// libcurl 7.88 may keep an answer that it read on behalf of another stream of an HTTP/2 connection,
// and tell nobody until it is asked again: no wait is longer while calls are under way.
constexpr milliseconds kLongestPoll{100};
constexpr std::size_t kIdleHandles = 64;
constexpr long kIdleConnections = 128;
// Of an answer. A field of four bytes takes twenty times as much once it is kept, by us and by
// libcurl.
constexpr std::size_t kMaxHeaderFields = 500;

void InitialiseLibraryOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      throw std::runtime_error("libcurl cannot be initialised");
    }
  });
}

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct ShareDeleter {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};
using EasyHandle = std::unique_ptr<CURL, EasyDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;
using Share = std::unique_ptr<CURLSH, ShareDeleter>;

// Why we stopped a transfer ourselves, where libcurl only knows that a callback refused.
enum class Stopped { kNo, kHeadersTooLarge, kTooManyFields, kBodyTooLarge, kBodyNotWanted };

struct Transfer {
  CallId id;
  Request request;
  Transport::Done done;
  Time started;
  EasyHandle easy;
  HeaderList headers;
  HeaderList connect_to;
  Response response;
  std::size_t header_bytes = 0;
  std::size_t header_fields = 0;
  std::size_t body_bytes = 0;
  Stopped stopped = Stopped::kNo;
  char error_text[CURL_ERROR_SIZE] = "";
};

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

ErrorKind KindOf(CURLcode code) {
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

Error ErrorOf(const Transfer& transfer, CURLcode code) {
  const std::string where = transfer.request.url.shown() + ": ";
  switch (transfer.stopped) {
    case Stopped::kHeadersTooLarge:
      return {ErrorKind::kProtocol, where + "the headers are larger than " +
                                        std::to_string(transfer.request.max_header_bytes) +
                                        " bytes"};
    case Stopped::kTooManyFields:
      return {ErrorKind::kProtocol, where + "the answer has more than " +
                                        std::to_string(kMaxHeaderFields) + " header fields"};
    case Stopped::kBodyTooLarge:
      return {ErrorKind::kProtocol, where + "the body is larger than " +
                                        std::to_string(transfer.request.max_body_bytes) + " bytes"};
    case Stopped::kNo:
    case Stopped::kBodyNotWanted:
      break;
  }
  long proxy_status = 0;  // of a proxy that made no tunnel
  curl_easy_getinfo(transfer.easy.get(), CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  // tinyproxy says 401 of a wrong password.
  if (proxy_status == 401 || proxy_status == 407) {
    return {ErrorKind::kAuth, where +
                                  "the proxy wants a user name and a password, or refuses the "
                                  "ones it was shown: status " +
                                  std::to_string(proxy_status)};
  }
  if (proxy_status >= 300) {
    return {ErrorKind::kConnect,
            where + "the proxy makes no tunnel: status " + std::to_string(proxy_status)};
  }
  const std::string_view text = Trim(transfer.error_text);
  // With TLS 1.3 the server's verdict on our certificate comes after the handshake, as an alert in
  // place of the answer (RFC 8446 §4.4.2.4).
  const bool on_the_wire = code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
  const bool alerted = on_the_wire && text.find(" alert ") != std::string_view::npos;
  // A handshake that broke off may be done the next time; libcurl tells it apart in words only.
  const bool broke_off =
      code == CURLE_SSL_CONNECT_ERROR && (text.find("Connection reset") != std::string_view::npos ||
                                          text.find("SSL_ERROR_SYSCALL") != std::string_view::npos);
  const ErrorKind kind = alerted ? ErrorKind::kTls : broke_off ? ErrorKind::kConnect : KindOf(code);
  return {kind, where + std::string(text.empty() ? curl_easy_strerror(code) : text)};
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

}  // namespace

class CurlTransport::Impl {
 public:
  Impl(TransportOptions options, RequestObserver* observer)
      : options_(std::move(options)), observer_(observer) {
    InitialiseLibraryOnce();
    sessions_.reset(curl_share_init());
    multi_ = curl_multi_init();
    if (multi_ == nullptr || sessions_ == nullptr) {
      throw std::runtime_error("libcurl cannot make a multi handle");
    }
    curl_share_setopt(sessions_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kIdleConnections);
  }

  ~Impl() {
    for (auto& [id, transfer] : transfers_) curl_multi_remove_handle(multi_, transfer->easy.get());
    transfers_.clear();
    idle_.clear();
    curl_multi_cleanup(multi_);
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  CallId Start(Request request, Time deadline, Done done) {
    auto transfer = std::make_unique<Transfer>(Transfer{.id = static_cast<CallId>(++last_id_),
                                                        .request = std::move(request),
                                                        .done = std::move(done),
                                                        .started = Clock::now(),
                                                        .easy = TakeHandle(),
                                                        .headers = nullptr,
                                                        .connect_to = nullptr,
                                                        .response = {}});
    const CallId id = transfer->id;
    const auto left = std::chrono::floor<milliseconds>(deadline - transfer->started);
    if (left <= milliseconds::zero()) {
      failed_early_.emplace_back(id, Error{ErrorKind::kTimeout, transfer->request.url.shown() +
                                                                    ": the deadline has passed"});
    } else {
      Prepare(*transfer, left);
      const CURLMcode added = curl_multi_add_handle(multi_, transfer->easy.get());
      if (added != CURLM_OK) {
        failed_early_.emplace_back(id, Error{ErrorKind::kInternal, curl_multi_strerror(added)});
      }
    }
    transfers_.emplace(id, std::move(transfer));
    return id;
  }

  void Cancel(CallId call) {
    const auto found = transfers_.find(call);
    if (found == transfers_.end()) return;
    // The handle is not used again: with QUICK_EXIT its end does not wait for a resolver thread.
    curl_multi_remove_handle(multi_, found->second->easy.get());
    transfers_.erase(found);
  }

  void Poll(milliseconds timeout) {
    if (!transfers_.empty()) timeout = std::min(timeout, kLongestPoll);
    if (!failed_early_.empty()) timeout = milliseconds::zero();
    int running = 0;
    curl_multi_poll(multi_, nullptr, 0, static_cast<int>(timeout.count()), nullptr);
    curl_multi_perform(multi_, &running);
    Finish();
  }

  void Wake() { curl_multi_wakeup(multi_); }

 private:
  struct Finished {
    CallId id;
    CURLcode code;
  };

  EasyHandle TakeHandle() {
    if (idle_.empty()) {
      EasyHandle easy(curl_easy_init());
      if (easy == nullptr) throw std::runtime_error("libcurl cannot make an easy handle");
      // The first connection to a host pays for a whole handshake; further ones resume its session,
      // whichever handle has made it. A handle that is reset keeps this.
      Set(easy.get(), CURLOPT_SHARE, sessions_.get());
      return easy;
    }
    EasyHandle easy = std::move(idle_.back());
    idle_.pop_back();
    return easy;
  }

  void Prepare(Transfer& transfer, milliseconds left) {
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
    Set(easy, CURLOPT_CONNECTTIMEOUT_MS,
        static_cast<long>(std::min(left, kLongestConnect).count()));
    Set(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    SetTls(easy, connection);
    SetProxy(easy, connection, request.url.origin().scheme);

    Set(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
    Set(easy, CURLOPT_HEADERDATA, static_cast<void*>(&transfer));
    Set(easy, CURLOPT_WRITEFUNCTION, &OnBody);
    Set(easy, CURLOPT_WRITEDATA, static_cast<void*>(&transfer));
    Set(easy, CURLOPT_ERRORBUFFER, static_cast<char*>(transfer.error_text));
    Set(easy, CURLOPT_PRIVATE, static_cast<void*>(&transfer));
  }

  // The URL, where to connect to for it, and the header fields.
  static void SetTarget(Transfer& transfer, const ConnectionOptions& connection) {
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

  static void SetMethod(CURL* easy, const Request& request) {
    if (request.method == Method::kHead) Set(easy, CURLOPT_NOBODY, 1L);
    if (request.method == Method::kPost) {
      Set(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.form.size()));
      Set(easy, CURLOPT_COPYPOSTFIELDS, request.form.c_str());
    }
  }

  std::vector<Finished> TakeMessages() {
    std::vector<Finished> finished;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      char* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      finished.push_back({reinterpret_cast<Transfer*>(transfer)->id, message->data.result});
    }
    return finished;
  }

  // Runs `done` of all that ended. A `done` may start and cancel calls.
  void Finish() {
    const auto failed = std::exchange(failed_early_, {});
    for (const Finished& one : TakeMessages()) {
      if (std::unique_ptr<Transfer> transfer = Take(one.id))
        Complete(std::move(transfer), one.code);
    }
    for (const auto& [id, error] : failed) {
      if (const std::unique_ptr<Transfer> transfer = Take(id)) transfer->done(error);
    }
  }

  std::unique_ptr<Transfer> Take(CallId id) {
    const auto found = transfers_.find(id);
    if (found == transfers_.end()) return nullptr;  // cancelled by an earlier `done`
    std::unique_ptr<Transfer> transfer = std::move(found->second);
    transfers_.erase(found);
    return transfer;
  }

  void Complete(std::unique_ptr<Transfer> transfer, CURLcode code) {
    CURL* easy = transfer->easy.get();
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(multi_, easy);
    const bool answered = code == CURLE_OK || transfer->stopped == Stopped::kBodyNotWanted;
    if (observer_ != nullptr) {
      observer_->OnRequest(transfer->request.registry, transfer->request.operation,
                           answered ? static_cast<int>(status) : 0,
                           Clock::now() - transfer->started);
    }
    transfer->response.status = static_cast<int>(status);
    Result<Response> result = answered ? Result<Response>(std::move(transfer->response))
                                       : Result<Response>(ErrorOf(*transfer, code));
    if (idle_.size() < kIdleHandles) {
      curl_easy_reset(easy);
      idle_.push_back(std::move(transfer->easy));
    }
    const Done done = std::move(transfer->done);
    transfer.reset();
    done(std::move(result));
  }

  const TransportOptions options_;
  RequestObserver* const observer_;
  Share sessions_;  // of TLS; outlives the handles. One thread uses it, so it needs no locks
  CURLM* multi_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<CallId, std::unique_ptr<Transfer>> transfers_;
  std::vector<EasyHandle> idle_;
  std::vector<std::pair<CallId, Error>> failed_early_;
};

CurlTransport::CurlTransport(TransportOptions options, RequestObserver* observer)
    : impl_(std::make_unique<Impl>(std::move(options), observer)) {}
CurlTransport::~CurlTransport() = default;

CallId CurlTransport::Start(Request request, Time deadline, Done done) {
  return impl_->Start(std::move(request), deadline, std::move(done));
}
void CurlTransport::Cancel(CallId call) { impl_->Cancel(call); }
void CurlTransport::Poll(milliseconds timeout) { impl_->Poll(timeout); }
void CurlTransport::Wake() { impl_->Wake(); }

}  // namespace registry_backend
