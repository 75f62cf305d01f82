#pragma once

#include <curl/curl.h>

#include <chrono>
#include <cstddef>
#include <memory>

#include "exporter/common/result.h"
#include "exporter/common/time.h"
#include "exporter/http/message.h"
#include "exporter/http/options.h"
#include "exporter/http/transport.h"

namespace registry_backend {

struct EasyDeleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using EasyHandle = std::unique_ptr<CURL, EasyDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

// Why we stopped a transfer ourselves, where libcurl only knows that a callback refused.
enum class Stopped { kNo, kHeadersTooLarge, kTooManyFields, kBodyTooLarge, kBodyNotWanted };

// One request and what has come of its answer. libcurl points to it from when it is prepared: it
// stays where it is until its handle is reset or has ended.
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

// Has the transfer's handle ask what its request says within what is `left`, and put what comes
// into its response. `options` outlives the handle's use. Throws where libcurl refuses an option.
void Prepare(Transfer& transfer, const TransportOptions& options, std::chrono::milliseconds left);

// What became of a transfer that has no answer: the URL, and libcurl's words or ours.
[[nodiscard]] Error ErrorOf(const Transfer& transfer, CURLcode code);

}  // namespace registry_backend
