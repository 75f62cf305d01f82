#include "exporter/http/options.h"

namespace registry_backend {

std::shared_ptr<const ConnectionOptions> ForStrangers(
    const std::shared_ptr<const ConnectionOptions>& own) {
  if (!own) return own;
  ConnectionOptions strangers = *own;
  strangers.server_name.clear();
  strangers.insecure_skip_verify = false;
  strangers.cert_file.clear();
  strangers.key_file.clear();
  return std::make_shared<const ConnectionOptions>(std::move(strangers));
}

}  // namespace registry_backend
