#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace registry_backend {

// Takes text as it is made, in pieces.
using TextSink = std::function<void(std::string_view)>;

// Writes JSON as it is told it, so that a large document is never in memory. The text is what
// nlohmann's dump() would make of the whole: two blanks a level, or all in one line. Bytes that are
// no UTF-8 are replaced. The caller sees to it that what it begins ends, and that members have
// keys.
class JsonWriter {
 public:
  enum class Layout { kIndented, kOneLine };

  JsonWriter(Layout layout, TextSink sink) : layout_(layout), sink_(std::move(sink)) {}

  void BeginObject() { Begin('{'); }
  void EndObject() { End('}'); }
  void BeginArray() { Begin('['); }
  void EndArray() { End(']'); }
  void Key(std::string_view key);
  void Value(const nlohmann::ordered_json& value);
  void Text(std::string_view text);  // the same for a text, at less cost
  // What was told so far goes to the sink. At the end of a document a line ends.
  void EndDocument();

 private:
  void Begin(char bracket);
  void End(char bracket);
  void BeginValue();
  void NewLine();
  void AppendQuoted(std::string_view text);
  void FlushIfLarge();

  const Layout layout_;
  const TextSink sink_;
  std::string text_;               // not yet in the sink
  std::vector<bool> has_members_;  // of the objects and arrays begun, from the outermost on
  bool after_key_ = false;
};

}  // namespace registry_backend
