#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <utility>

#include "exporter/http/curl_transport.h"

namespace registry_backend::testing {

// Sends the request and runs a loop until its answer is there.
inline Result<Response> Fetch(CurlTransport& transport, Request request,
                              Duration timeout = std::chrono::seconds(20)) {
  NetworkLoop loop(transport);
  std::optional<Result<Response>> answer;
  transport.Start(std::move(request), loop.Now() + timeout, [&](Result<Response> result) {
    EXPECT_FALSE(answer.has_value()) << "done ran twice";
    answer.emplace(std::move(result));
    loop.Stop();
  });
  EXPECT_FALSE(answer.has_value()) << "done ran before the loop";
  loop.Run();
  return *std::move(answer);
}

}  // namespace registry_backend::testing
