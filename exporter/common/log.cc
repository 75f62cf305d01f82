#include "exporter/common/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "exporter/common/time.h"

namespace registry_backend {
namespace {

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

std::string Json(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// logfmt has no standard; quoting as Go's strconv.Quote and JSON agree on is what its readers
// expect.
std::string LogfmtValue(std::string_view value) {
  const bool plain = !value.empty() && std::ranges::all_of(value, [](unsigned char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c < 0x7f;
  });
  return plain ? std::string(value) : Json(value);
}

}  // namespace

std::string FormatLogLine(LogFormat format, std::string_view timestamp, LogLevel level,
                          std::string_view message, std::initializer_list<LogField> fields) {
  if (format == LogFormat::kJson) {
    nlohmann::ordered_json line = {
        {"ts", timestamp}, {"level", LevelName(level)}, {"msg", message}};
    for (const LogField& field : fields) line[std::string(field.key)] = field.value;
    return Json(line);
  }
  std::string line;
  const auto append = [&line](std::string_view key, std::string_view value) {
    if (!line.empty()) line += ' ';
    line.append(key).append("=").append(LogfmtValue(value));
  };
  append("ts", timestamp);
  append("level", LevelName(level));
  append("msg", message);
  for (const LogField& field : fields) append(field.key, field.value);
  return line;
}

Logger::Logger() = default;

Logger::Logger(LogLevel level, LogFormat format)
    : sink_(std::make_shared<spdlog::logger>("registry_backend_exporter",
                                             std::make_shared<spdlog::sinks::stderr_sink_mt>())),
      level_(level),
      format_(format) {
  sink_->set_pattern("%v");
  sink_->flush_on(spdlog::level::trace);
}

void Logger::Debug(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kDebug, message, fields);
}
void Logger::Info(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kInfo, message, fields);
}
void Logger::Warn(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kWarn, message, fields);
}
void Logger::Error(std::string_view message, std::initializer_list<LogField> fields) const {
  Write(LogLevel::kError, message, fields);
}

void Logger::Write(LogLevel level, std::string_view message,
                   std::initializer_list<LogField> fields) const {
  if (sink_ == nullptr || level < level_) return;
  sink_->info(FormatLogLine(format_, FormatRfc3339(WallClock::now()), level, message, fields));
}

}  // namespace registry_backend
