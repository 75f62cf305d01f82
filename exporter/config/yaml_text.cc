#include "exporter/config/yaml_text.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "exporter/config/yaml_reader.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxFileSize = std::size_t{16} * 1024 * 1024;

constexpr std::string_view kOpenQuote = "a quote that begins after this is not closed";
constexpr std::string_view kOtherColumn =
    "this does not go on where those above it end (is it in another column, or a quote open?)";

// What yaml-cpp says, by its beginning, and what a person can do something with.
constexpr std::pair<std::string_view, std::string_view> kPlainWords[] = {
    {"bad file", "it is nested too deeply"},
    {"end of map flow not found", "a { is not closed"},
    {"end of sequence flow not found", "a [ is not closed"},
    {"illegal flow end", "a ] or } closes nothing"},
    {"illegal EOF in scalar", kOpenQuote},
    {"illegal document indicator in scalar", kOpenQuote},
    {"end of map not found", kOtherColumn},
    {"end of sequence not found", kOtherColumn},
    {"illegal block entry", "a list's '- ' cannot stand here"},
    {"illegal map value", "a key's ': ' cannot stand here (a value with ': ' in it needs quotes)"},
    {"the referenced anchor is not defined",
     "an alias without its anchor (a value that begins with * needs quotes)"},
    {"unknown token", "a value cannot begin with this character without quotes"},
    {"unknown escape character",
     "a \\ that begins no escape (in double quotes \\ is written \\\\, in single ones as it is)"},
};

[[noreturn]] void Throw(const std::string& file, const YAML::Mark& mark, const std::string& what) {
  throw ConfigFault{FaultAt({file, ""}, mark, what)};
}

std::string Hex(char byte) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(byte);
  return {'0', 'x', kHex[value >> 4U], kHex[value & 0xfU]};
}

// The bytes of the character that `text` begins with, or 0 where they are not UTF-8 (RFC 3629 §4).
std::size_t CharacterLength(std::string_view text) {
  const auto is_tail = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) == 0x80; };
  const auto first = static_cast<unsigned char>(text[0]);
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || text.size() < length) return 0;
  if (!std::ranges::all_of(text.substr(1, length - 1), is_tail)) return 0;
  const auto second = static_cast<unsigned char>(length > 1 ? text[1] : 0);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second > 0x9f;
  return overlong || surrogate || (first == 0xf4 && second > 0x8f) ? 0 : length;
}

bool IsControl(char c) {
  return (static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

// yaml-cpp takes some bytes for the text's end and replaces others. Labels and JSON must be UTF-8.
void CheckCharacters(std::string_view text, const std::string& file) {
  YAML::Mark mark;
  while (!text.empty()) {
    const std::size_t length = CharacterLength(text);
    const char first = text.front();
    if (length == 0) Throw(file, mark, "expected UTF-8 text, not the byte " + Hex(first));
    if (IsControl(first)) {
      Throw(file, mark, "expected text without control characters, not the byte " + Hex(first));
    }
    text.remove_prefix(length);
    ++mark.column;
    if (first != '\n') continue;
    ++mark.line;
    mark.column = 0;
  }
}

// Refuses a second document, which YAML::Load would leave unread.
class OneDocument : public YAML::EventHandler {
 public:
  explicit OneDocument(const std::string& file) : file_(file) {}

  // Of what was read last.
  [[nodiscard]] const YAML::Mark& mark() const { return mark_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (std::exchange(begun_, true)) {
      Throw(file_, mark, "expected the file's end, not a second YAML document");
    }
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { mark_ = mark; }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { mark_ = mark; }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {
    mark_ = mark;
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    mark_ = mark;
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    mark_ = mark;
  }
  void OnMapEnd() override {}

 private:
  const std::string& file_;
  YAML::Mark mark_;
  bool begun_ = false;
};

bool IsIndentedByTab(std::string_view text, int number) {
  for (; number > 0; --number) text.remove_prefix(std::min(text.find('\n') + 1, text.size()));
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != std::string_view::npos;
}

std::string InPlainWords(const YAML::Exception& fault, std::string_view text) {
  if (!fault.mark.is_null() && IsIndentedByTab(text, fault.mark.line)) {
    return "a tab indents this line (expected spaces)";
  }
  const auto* const known = std::ranges::find_if(
      kPlainWords, [&fault](const auto& words) { return fault.msg.starts_with(words.first); });
  return known == std::end(kPlainWords) ? fault.msg : std::string(known->second);
}

}  // namespace

Result<std::string> ReadTextFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{ErrorKind::kInternal, std::strerror(errno)};
  try {
    file.exceptions(std::ios::badbit);  // a folder, a bad disk
    std::string text;
    std::array<char, 16384> piece{};
    do {
      file.read(piece.data(), piece.size());
      text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
      if (text.size() > kMaxFileSize) {
        return Error{ErrorKind::kInternal, "it is larger than 16 MiB"};
      }
    } while (file);
    return text;
  } catch (const std::ios_base::failure& fault) {
    return Error{ErrorKind::kInternal, fault.code().message()};
  }
}

YAML::Node LoadYaml(std::string_view text, const std::string& file) {
  CheckCharacters(text, file);
  std::string closed(text);
  // yaml-cpp closes a quote that is open at the last line's end. At the document's end it does not.
  if (text.ends_with('\n')) closed += "...\n";
  OneDocument handler(file);
  try {
    std::istringstream stream(closed);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(handler)) continue;
    return YAML::Load(closed);
  } catch (const YAML::Exception& fault) {
    const std::string what = InPlainWords(fault, text);
    // yaml-cpp notices an open quote where the text ends, which helps nobody to find it.
    const YAML::Mark& mark = what == kOpenQuote ? handler.mark() : fault.mark;
    Throw(file, mark, "not valid YAML: " + what);
  }
}

}  // namespace registry_backend
