#include "exporter/registry/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace registry_backend {
namespace {

constexpr int kMaxDepth = 64;

bool IsTooDeep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

// Of a text, a key or a number nlohmann keeps several copies, and more for its message when it is
// broken.
bool HasLonger(std::string_view text, std::size_t longest) {
  std::size_t begin = 0;  // of what is being looked at
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
      begin = i;
    } else if (!quoted && std::string_view(" \t\r\n,:[]{}").find(c) != std::string_view::npos) {
      begin = i;
    }
    if (i - begin > longest) return true;
  }
  return false;
}

}  // namespace

// What nlohmann tells while it parses.
class JsonReader::Sax final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Sax(JsonReader& reader) : reader_(reader) {}

  bool null() override { return Tell(&JsonReader::OnOther, "null"); }
  bool boolean(bool) override { return Tell(&JsonReader::OnOther, "boolean"); }
  bool number_integer(number_integer_t number) override {
    return Tell(&JsonReader::OnInteger, number);
  }
  bool number_unsigned(number_unsigned_t number) override {
    constexpr auto kMost = static_cast<number_unsigned_t>(INT64_MAX);
    return Tell(&JsonReader::OnInteger, static_cast<std::int64_t>(std::min(number, kMost)));
  }
  bool number_float(number_float_t, const string_t&) override {
    return Tell(&JsonReader::OnOther, "number");
  }
  bool string(string_t& text) override { return Tell(&JsonReader::OnText, text); }
  bool key(string_t& key) override { return Tell(&JsonReader::OnKey, key); }
  bool start_object(std::size_t) override { return Begin(Container::kObject); }
  bool start_array(std::size_t) override { return Begin(Container::kArray); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

 private:
  template <typename Argument, typename Value>
  bool Tell(void (JsonReader::*what)(Argument), const Value& value) {
    (reader_.*what)(value);
    return true;
  }
  bool Begin(Container container) {
    if (++depth_ > kMaxDepth) return false;
    return Tell(&JsonReader::OnBegin, container);
  }
  bool End() {
    --depth_;
    reader_.OnEnd();
    return true;
  }

  JsonReader& reader_;
  int depth_ = 0;
};

bool JsonReader::Read(std::string_view text, std::size_t longest) {
  if (text.size() > longest && HasLonger(text, longest)) return false;
  Sax sax(*this);
  return nlohmann::json::sax_parse(text, static_cast<nlohmann::json_sax<nlohmann::json>*>(&sax));
}

nlohmann::json ParseJson(std::string_view text) {
  if (IsTooDeep(text)) return nlohmann::json::value_t::discarded;
  return nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::string TextMember(const nlohmann::json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

}  // namespace registry_backend
