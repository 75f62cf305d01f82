#include "exporter/report/json_writer.h"

#include <nlohmann/json.hpp>

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kIndent = 2;
constexpr std::size_t kFlushAt = std::size_t{64} * 1024;

std::string Dump(const Json& value, int indent) {
  return value.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void JsonWriter::Key(std::string_view key) {
  BeginValue();
  AppendQuoted(key);
  text_ += layout_ == Layout::kIndented ? ": " : ":";
  after_key_ = true;
}

void JsonWriter::Value(const Json& value) {
  BeginValue();
  if (layout_ == Layout::kOneLine) {
    text_ += Dump(value, -1);
  } else {
    // Line ends are escaped within strings: those that are there are of the layout.
    for (const char c : Dump(value, kIndent)) {
      if (c == '\n') {
        NewLine();
      } else {
        text_ += c;
      }
    }
  }
  FlushIfLarge();
}

void JsonWriter::Text(std::string_view text) {
  BeginValue();
  AppendQuoted(text);
  FlushIfLarge();
}

void JsonWriter::AppendQuoted(std::string_view text) {
  const bool is_special =
      HasAny(text, [](char c) { return c < ' ' || c >= 0x7f || c == '"' || c == '\\'; });
  if (!is_special) {
    text_.append("\"").append(text).append("\"");
  } else {
    text_ += Dump(text, -1);
  }
}

void JsonWriter::EndDocument() {
  text_ += '\n';
  sink_(text_);
  text_.clear();
}

void JsonWriter::Begin(char bracket) {
  BeginValue();
  text_ += bracket;
  has_members_.push_back(false);
}

void JsonWriter::End(char bracket) {
  const bool had_members = has_members_.back();
  has_members_.pop_back();
  if (had_members && layout_ == Layout::kIndented) NewLine();
  text_ += bracket;
  FlushIfLarge();
}

// What stands between a value, or a key, and what is before it.
void JsonWriter::BeginValue() {
  if (std::exchange(after_key_, false) || has_members_.empty()) return;
  if (has_members_.back()) text_ += ',';
  has_members_.back() = true;
  if (layout_ == Layout::kIndented) NewLine();
}

void JsonWriter::NewLine() {
  text_ += '\n';
  text_.append(has_members_.size() * kIndent, ' ');
}

void JsonWriter::FlushIfLarge() {
  if (text_.size() < kFlushAt) return;
  sink_(text_);
  text_.clear();
}

}  // namespace registry_backend
