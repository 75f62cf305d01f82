#pragma once

#include <string>
#include <vector>

#include "exporter/common/log.h"
#include "exporter/monitor/shard.h"
#include "exporter/web/options.h"

namespace registry_backend {

// The flags of `serve`.
struct ServeCommand {
  std::string config_file;  // empty: the default target
  bool check_only = false;  // --config.check
  std::string storage_path = "data/";
  std::vector<std::string> listen_addresses = {":9877"};
  std::string web_config_file;  // empty: plain HTTP, for everyone
  std::string external_url;     // where browsers find the exporter; empty: where it listens
  std::size_t max_connections = 512;
  WebOptions web;
  ShardOptions shard;
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kLogfmt;
};

// Runs the exporter until SIGTERM or SIGINT. Returns an ExitCode.
int RunServe(const ServeCommand& command);

}  // namespace registry_backend
