#pragma once

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "exporter/discovery/scanner.h"
#include "exporter/http/curl_transport.h"
#include "exporter/http/network_loop.h"
#include "exporter/report/report.h"

namespace registry_backend::testing {

// The report of a scan as JSON text.
inline std::string ReportText(const ReportSubject& subject, const ScanResult& result) {
  std::string text;
  JsonWriter writer(JsonWriter::Layout::kIndented,
                    [&text](std::string_view piece) { text += piece; });
  WriteReport(subject, result, writer);
  writer.EndDocument();
  return text;
}

// A registry client of the exporter's own modules on a network thread of its own; may scan several
// times.
class ScanClient {
 public:
  ScanClient(const std::string& url, const std::string& repository,
             ConnectionOptions connection = {}, Duration request_timeout = std::chrono::seconds(5))
      : client_({loop_, transport_, pacer_, nullptr},
                {.registry = *Url::Parse(url),
                 .repository = repository,
                 .connection = std::make_shared<const ConnectionOptions>(std::move(connection)),
                 .request_timeout = request_timeout}),
        network_([this] { loop_.Run(); }) {}
  ~ScanClient() {
    loop_.Stop();
    network_.join();
  }
  ScanClient(const ScanClient&) = delete;
  ScanClient& operator=(const ScanClient&) = delete;

  // As user `user`.
  ScanResult Scan(const std::string& password = "secret", const ScanOptions& options = {},
                  const ScanHints& hints = {}) {
    // Shared: the network thread may still be in set_value when the future has its value.
    const auto result = std::make_shared<std::promise<ScanResult>>();
    loop_.Post([=, this] {
      client_.SetCredentials({.username = "user", .password = password});
      scanner_ = std::make_unique<Scanner>(loop_, client_, options, hints);
      scanner_->Start([=, this](ScanResult scanned) {
        scanner_.reset();
        result->set_value(std::move(scanned));
      });
    });
    return result->get_future().get();
  }

 private:
  CurlTransport transport_{{}, nullptr};
  NetworkLoop loop_{transport_};
  Pacer pacer_;
  RegistryClient client_;
  std::unique_ptr<Scanner> scanner_;
  std::thread network_;
};

}  // namespace registry_backend::testing
