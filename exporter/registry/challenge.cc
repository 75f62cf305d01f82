#include "exporter/registry/challenge.h"

#include "exporter/url/text.h"

namespace registry_backend {
namespace {

// tchar of RFC 9110 §5.6.2.
bool IsTokenCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

// Reads one field from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool AtEnd() const { return at_ >= text_.size(); }
  [[nodiscard]] char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  void Skip() { ++at_; }
  void SkipBlanks() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }
  void SkipBlanksAndCommas() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == ',') ++at_;
  }
  std::string_view Token() {
    const std::size_t start = at_;
    while (!AtEnd() && IsTokenCharacter(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }
  // The content of a quoted-string whose opening quote is next, escapes resolved.
  std::string Quoted() {
    std::string content;
    for (++at_; !AtEnd() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      content += text_[at_];
    }
    if (!AtEnd()) ++at_;
    return content;
  }
  // The rest up to the next comma: a token68, or something malformed.
  void SkipToComma() {
    while (!AtEnd() && text_[at_] != ',') ++at_;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

void ReadField(std::string_view field, std::vector<Challenge>& challenges) {
  Reader reader(field);
  const std::size_t first = challenges.size();
  while (reader.SkipBlanksAndCommas(), !reader.AtEnd()) {
    const std::string_view word = reader.Token();
    if (word.empty()) {
      reader.Skip();
      reader.SkipToComma();
      continue;
    }
    reader.SkipBlanks();
    if (reader.Peek() != '=') {  // a word not followed by `=` is a scheme
      challenges.push_back({LowerAscii(word), {}});
      continue;
    }
    reader.Skip();
    reader.SkipBlanks();
    const std::string value = reader.Peek() == '"' ? reader.Quoted() : std::string(reader.Token());
    if (reader.SkipBlanks(), !reader.AtEnd() && reader.Peek() != ',') {
      reader.SkipToComma();  // base64 of a token68 ends in `=` signs: no parameter
      continue;
    }
    if (challenges.size() > first)
      challenges.back().parameters.emplace_back(LowerAscii(word), value);
  }
}

}  // namespace

std::string_view Challenge::Get(std::string_view name) const {
  for (const auto& [key, value] : parameters) {
    if (key == name) return value;
  }
  return {};
}

std::vector<Challenge> ParseChallenges(const std::vector<std::string_view>& fields) {
  std::vector<Challenge> challenges;
  for (const std::string_view field : fields) ReadField(field, challenges);
  return challenges;
}

}  // namespace registry_backend
