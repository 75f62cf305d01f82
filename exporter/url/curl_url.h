#pragma once

#include <curl/curl.h>

#include <memory>
#include <string>

// libcurl's URL API with its memory looked after. Of url/ and http/ only.
namespace registry_backend {

struct CurlUrlDeleter {
  void operator()(CURLU* handle) const { curl_url_cleanup(handle); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlDeleter>;

// The part, or empty where the URL has none.
inline std::string CurlUrlPart(CURLU* handle, CURLUPart part, unsigned int flags = 0) {
  char* text = nullptr;
  if (curl_url_get(handle, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

}  // namespace registry_backend
