#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace registry_backend {

// Parses what a registry sent; a discarded value (is_discarded()) where it is no JSON, or is nested
// so deep that walking it could exhaust the stack.
nlohmann::json ParseJson(std::string_view text);

// Base of those who read a document that a registry sent while it is parsed, so that its values are
// never in memory all at once: each may take fifty times its text. What they override says what is
// of interest to them. Not thread-safe.
class JsonReader {
 public:
  virtual ~JsonReader() = default;
  // False where `text` is no JSON, is nested as deep as ParseJson refuses, or has a text, a key or
  // a number of more than `longest` bytes; some may have been told of by then.
  bool Read(std::string_view text, std::size_t longest = SIZE_MAX);

 protected:
  enum class Container { kObject, kArray };
  // A value begins within what was begun before; OnEnd ends the last one begun.
  virtual void OnBegin(Container container) = 0;
  virtual void OnEnd() = 0;
  // Of the object last begun; as often as it is in the text.
  virtual void OnKey(std::string_view key) = 0;
  virtual void OnText(std::string_view text) = 0;
  virtual void OnInteger(std::int64_t number) = 0;  // a larger one is INT64_MAX
  virtual void OnOther(
      std::string_view type) = 0;  // `null`, `boolean` or `number`, with a fraction

 private:
  class Sax;
};

// The member if `object` has it and it is a string, else empty.
std::string TextMember(const nlohmann::json& object, const char* name);

}  // namespace registry_backend
