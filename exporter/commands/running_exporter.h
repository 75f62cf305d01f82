#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "exporter/common/result.h"
#include "exporter/http/transport.h"

namespace registry_backend {

// Flags that say which running exporter a command means, and how it lets itself be asked.
struct ExporterAccess {
  // Of the exporter. curl knows what localhost is without a name server, and tries ::1 and
  // 127.0.0.1.
  std::string url = "http://localhost:9877";
  std::string username;  // empty: no password is shown
  std::string password_file;
  ConnectionOptions connection;
};

// That exporter. No proxy is used and no redirect followed, so the password goes nowhere else.
class RunningExporter {
 public:
  // Error kInternal: the URL cannot be used; kCredentials: the password cannot be read.
  static Result<RunningExporter> Make(const ExporterAccess& access);

  // A request for `path`, which begins with / and may have a query, below the exporter's own URL,
  // which may have a path.
  [[nodiscard]] Request MakeRequest(Method method, std::string_view path) const;

  // Of what there is at `path`, for messages.
  [[nodiscard]] std::string Shown(std::string_view path) const { return base_ + std::string(path); }

 private:
  std::string base_;  // without a slash at its end
  std::string authorization_;
  std::shared_ptr<const ConnectionOptions> connection_;
};

}  // namespace registry_backend
