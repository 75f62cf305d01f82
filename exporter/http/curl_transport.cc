#include "exporter/http/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "exporter/http/curl_transfer.h"

namespace registry_backend {
namespace {

using std::chrono::milliseconds;

// libcurl 7.88 may keep an answer that it read on behalf of another stream of an HTTP/2 connection,
// and tell nobody until it is asked again: no wait is longer while calls are under way.
constexpr milliseconds kLongestPoll{100};
constexpr std::size_t kIdleHandles = 64;
constexpr long kIdleConnections = 128;

void InitialiseLibraryOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
      throw std::runtime_error("libcurl cannot be initialised");
    }
  });
}

struct ShareDeleter {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};
using Share = std::unique_ptr<CURLSH, ShareDeleter>;

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
      Prepare(*transfer, options_, left);
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
      if (curl_easy_setopt(easy.get(), CURLOPT_SHARE, sessions_.get()) != CURLE_OK) {
        throw std::runtime_error("libcurl cannot share TLS sessions");
      }
      return easy;
    }
    EasyHandle easy = std::move(idle_.back());
    idle_.pop_back();
    return easy;
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
