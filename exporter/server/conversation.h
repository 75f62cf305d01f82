#pragma once

#include <memory>

#include "exporter/common/log.h"
#include "exporter/server/connection_table.h"
#include "exporter/server/gzip.h"
#include "exporter/server/line.h"
#include "exporter/server/router.h"
#include "exporter/server/security.h"
#include "exporter/server/server.h"

namespace registry_backend::server {

// What all conversations share. Each member is thread-safe.
struct Service {
  const ServerOptions options;
  const Router router;
  const Logger logger;
  const std::unique_ptr<Security> security;  // null: everyone may ask, in plain HTTP
  ConnectionTable table{
      {.connections = options.max_connections, .handshakes = options.max_handshakes}};
  Line places{options.max_answers};
  BodyPacker limited_packer;    // of answers that need a place
  BodyPacker unlimited_packer;  // scrapes do not wait behind those
};

// Answers one client's requests until either side has had enough. `socket` stands in the service's
// table; the caller closes it. Throws what the system lacks memory or threads for.
void Converse(Service& service, int socket);

}  // namespace registry_backend::server
