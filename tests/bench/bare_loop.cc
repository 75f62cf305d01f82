#include <curl/curl.h>

#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The floor under a scan on this machine: the requests of a scan by libcurl alone, with the
// options that matter to the exporter's transport, but without its plan, its JSON and its checks.
// Of its own: it links nothing of the exporter, so that nothing of it can be measured by mistake.
namespace registry_backend {
namespace {

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using EasyHandle = std::unique_ptr<CURL, EasyDeleter>;
using MultiHandle = std::unique_ptr<CURLM, MultiDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

constexpr long kTimeoutMs = 60'000;
// As the exporter's transport does, which says why: else HTTP/2 may stand still.
constexpr int kLongestPollMs = 100;

// What the exporter sends with a blob, and with everything else: a manifest is served only to those
// who accept its type.
constexpr const char* kBlobHeader = "range: bytes=0-0";
constexpr const char* kManifestHeader =
    "accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

struct Arguments {
  std::vector<std::string> urls;
  std::string ca_file;
  std::size_t wide = 0;
};

std::size_t Discard(char* /*data*/, std::size_t size, std::size_t count, void* /*user*/) {
  return size * count;
}

template <typename Value>
void Set(CURL* easy, CURLoption option, Value value) {
  if (curl_easy_setopt(easy, option, value) != CURLE_OK) {
    throw std::runtime_error("libcurl refuses option " + std::to_string(option));
  }
}

void Check(CURLMcode code) {
  if (code != CURLM_OK) throw std::runtime_error(curl_multi_strerror(code));
}

class BareLoop {
 public:
  explicit BareLoop(Arguments arguments)
      : arguments_(std::move(arguments)),
        multi_(curl_multi_init()),
        blob_headers_(curl_slist_append(nullptr, kBlobHeader)),
        manifest_headers_(curl_slist_append(nullptr, kManifestHeader)) {
    if (!multi_ || !blob_headers_ || !manifest_headers_) throw std::bad_alloc();
  }

  ~BareLoop() {
    for (const EasyHandle& easy : handles_) curl_multi_remove_handle(multi_.get(), easy.get());
  }

  BareLoop(const BareLoop&) = delete;
  BareLoop& operator=(const BareLoop&) = delete;

  // Asks for every URL once; throws at the first that cannot be had.
  void Run() {
    while (handles_.size() < arguments_.wide && next_ < arguments_.urls.size()) {
      handles_.push_back(MakeHandle());
      StartNext(handles_.back().get());
    }
    while (finished_ < arguments_.urls.size()) {
      int running = 0;
      Check(curl_multi_perform(multi_.get(), &running));
      TakeFinished();
      if (finished_ == arguments_.urls.size()) break;
      Check(curl_multi_poll(multi_.get(), nullptr, 0, kLongestPollMs, nullptr));
    }
  }

  [[nodiscard]] std::size_t finished() const { return finished_; }
  [[nodiscard]] std::size_t over_http2() const { return over_http2_; }

 private:
  // All that stays the same; the exporter's transport says why its options are what they are.
  [[nodiscard]] EasyHandle MakeHandle() const {
    EasyHandle handle(curl_easy_init());
    if (!handle) throw std::bad_alloc();
    CURL* easy = handle.get();
    Set(easy, CURLOPT_FOLLOWLOCATION, 0L);
    Set(easy, CURLOPT_NOSIGNAL, 1L);
    Set(easy, CURLOPT_QUICK_EXIT, 1L);
    Set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
    Set(easy, CURLOPT_PIPEWAIT, 1L);
    Set(easy, CURLOPT_TIMEOUT_MS, kTimeoutMs);
    Set(easy, CURLOPT_USERAGENT, "bare_loop");
    Set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    Set(easy, CURLOPT_CAINFO, arguments_.ca_file.c_str());
    Set(easy, CURLOPT_PROXY, "");
    Set(easy, CURLOPT_WRITEFUNCTION, &Discard);
    return handle;
  }

  void StartNext(CURL* easy) {
    const std::string& url = arguments_.urls[next_++];
    const bool blob = url.find("/blobs/") != std::string::npos;
    Set(easy, CURLOPT_URL, url.c_str());
    Set(easy, CURLOPT_HTTPHEADER, (blob ? blob_headers_ : manifest_headers_).get());
    Check(curl_multi_add_handle(multi_.get(), easy));
  }

  void TakeFinished() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* easy = message->easy_handle;
      Count(easy, message->data.result);
      Check(curl_multi_remove_handle(multi_.get(), easy));
      if (next_ < arguments_.urls.size()) StartNext(easy);
    }
  }

  void Count(CURL* easy, CURLcode code) {
    long status = 0;
    long version = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
    if (code != CURLE_OK || status >= 400) {
      throw std::runtime_error(std::string(curl_easy_strerror(code)) + ", status " +
                               std::to_string(status));
    }
    ++finished_;
    if (version == CURL_HTTP_VERSION_2_0) ++over_http2_;
  }

  const Arguments arguments_;
  // The handles end before what they are in and point to.
  const MultiHandle multi_;
  const HeaderList blob_headers_;
  const HeaderList manifest_headers_;
  std::vector<EasyHandle> handles_;
  std::size_t next_ = 0;
  std::size_t finished_ = 0;
  std::size_t over_http2_ = 0;
};

Arguments Parse(int argc, char** argv) {
  if (argc != 4) throw std::runtime_error("usage: bare_loop URL_FILE CA_FILE REQUESTS_AT_A_TIME");
  Arguments arguments{.urls = {}, .ca_file = argv[2], .wide = 0};
  const std::string_view wide = argv[3];
  std::from_chars(wide.data(), wide.data() + wide.size(), arguments.wide);
  if (arguments.wide == 0) throw std::runtime_error("REQUESTS_AT_A_TIME: must be at least 1");
  std::ifstream file(argv[1]);
  for (std::string line; std::getline(file, line);) arguments.urls.push_back(std::move(line));
  if (arguments.urls.empty()) throw std::runtime_error(std::string("no URL in ") + argv[1]);
  return arguments;
}

}  // namespace
}  // namespace registry_backend

int main(int argc, char** argv) {
  try {
    curl_global_init(CURL_GLOBAL_DEFAULT);
    registry_backend::BareLoop loop(registry_backend::Parse(argc, argv));
    loop.Run();
    std::printf("%zu requests, %zu of them over HTTP/2\n", loop.finished(), loop.over_http2());
    return 0;
  } catch (const std::exception& fault) {
    std::fprintf(stderr, "bare_loop: %s\n", fault.what());
    return 1;
  }
}
