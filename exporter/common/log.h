#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace registry_backend {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kLogfmt, kJson };

// One `key=value` of a log line. Values are written quoted where logfmt needs it.
struct LogField {
  std::string_view key;
  std::string value;

  LogField(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  template <std::integral Number>
  LogField(std::string_view field_key, Number number)
      : key(field_key), value(std::to_string(number)) {}
};

// Writes one line an event to standard error, in the shape of Prometheus' own programs:
// `ts=… level=info msg="…" key=value`. A copy writes to the same place. Thread-safe.
class Logger {
 public:
  // A logger that writes nowhere.
  Logger();
  Logger(LogLevel level, LogFormat format);

  void Debug(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Info(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Warn(std::string_view message, std::initializer_list<LogField> fields = {}) const;
  void Error(std::string_view message, std::initializer_list<LogField> fields = {}) const;

 private:
  void Write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields) const;

  std::shared_ptr<spdlog::logger> sink_;  // null: writes nowhere
  LogLevel level_ = LogLevel::kError;
  LogFormat format_ = LogFormat::kLogfmt;
};

// The text of one line, without its end; for Logger and its tests.
std::string FormatLogLine(LogFormat format, std::string_view timestamp, LogLevel level,
                          std::string_view message, std::initializer_list<LogField> fields);

}  // namespace registry_backend
