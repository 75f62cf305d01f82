#include "exporter/report/report_reader.h"

#include <fmt/format.h>

#include <ios>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "exporter/report/report_builder.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::size_t kLongestText = std::size_t{1} << 20U;
constexpr std::size_t kMaxDepth = 64;

// Where in a file the reader is, and that nothing in it is so long that the parser's copy of it
// would not fit into memory: it ends there.
class Bytes {
 public:
  explicit Bytes(std::streambuf& from) : from_(from) { Advance(); }

  [[nodiscard]] bool ended() const { return current_ == kEnd; }
  [[nodiscard]] char current() const { return static_cast<char>(current_); }
  [[nodiscard]] bool too_long() const { return length_ > kLongestText; }

  void Advance() {
    current_ = from_.sbumpc();
    if (ended()) return;
    const char c = current();
    if (quoted_) {
      quoted_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
      ++length_;
    } else if (c == '"') {
      quoted_ = true;
      length_ = 0;
    } else {
      const bool divides = std::string_view(" \t\r\n,:[]{}").find(c) != std::string_view::npos;
      length_ = divides ? 0 : length_ + 1;
    }
    if (too_long()) current_ = kEnd;
  }

 private:
  static constexpr int kEnd = std::char_traits<char>::eof();

  std::streambuf& from_;
  int current_ = kEnd;
  bool quoted_ = false;
  bool escaped_ = false;
  std::size_t length_ = 0;  // of the text or word that the current byte is of
};

// Bytes as nlohmann wants them. The one without Bytes is the end.
class ByteIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  explicit ByteIterator(Bytes* bytes = nullptr) : bytes_(bytes) {}
  char operator*() const { return bytes_->current(); }
  ByteIterator& operator++() {
    bytes_->Advance();
    return *this;
  }
  bool operator==(const ByteIterator& other) const { return AtEnd() == other.AtEnd(); }
  bool operator!=(const ByteIterator& other) const { return !(*this == other); }

 private:
  [[nodiscard]] bool AtEnd() const { return bytes_ == nullptr || bytes_->ended(); }

  Bytes* bytes_;
};

// `line 3, column 7` of nlohmann's message; the rest of it shows what it read.
std::string PlaceOf(const nlohmann::json::exception& fault) {
  const std::string_view message = fault.what();
  const std::size_t begin = message.find("line ");
  const std::size_t end = message.find(':', begin);
  if (begin == std::string_view::npos || end == std::string_view::npos) return {};
  return std::string(message.substr(begin, end - begin));
}

// What nlohmann tells, with the place in the document it is at.
class Sax final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<StoredReport> reports;
  std::string fault;  // empty: none

  bool null() override {  // as if the key was not there
    CountValue();
    return true;
  }
  bool boolean(bool) override { return Take(ReportValue::kOther, {}, 0); }
  bool number_integer(number_integer_t) override { return Take(ReportValue::kOther, {}, 0); }
  bool number_float(number_float_t, const string_t&) override {
    return Take(ReportValue::kOther, {}, 0);
  }
  bool number_unsigned(number_unsigned_t number) override {
    return Take(ReportValue::kNumber, {}, number);
  }
  bool string(string_t& text) override { return Take(ReportValue::kText, text, 0); }
  bool binary(binary_t&) override { return false; }  // JSON has none
  bool key(string_t& key) override {
    levels_.back().key = key;
    return true;
  }
  bool start_object(std::size_t) override { return Begin(ReportValue::kObject); }
  bool start_array(std::size_t) override { return Begin(ReportValue::kArray); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }
  bool parse_error(std::size_t byte, const std::string&,
                   const nlohmann::json::exception& error) override {
    const std::string place = PlaceOf(error);
    return Fail(fmt::format("it is no JSON: {}byte {}", place.empty() ? "" : place + ", ", byte));
  }

 private:
  struct Level {
    ReportPlace place;
    bool is_array;
    std::string key;        // of an object: the one last read
    std::size_t count = 0;  // of an array: values begun
  };

  bool Take(ReportValue kind, std::string_view text, std::uint64_t number) {
    CountValue();
    if (levels_.empty()) return Fail("it is no report: expected a JSON object");
    const Level& level = levels_.back();
    if (level.place == ReportPlace::kReports) return FailHere("expected a report's object");
    const Status taken = builder_.Take(level.place, level.key, kind, text, number);
    return taken || FailHere(taken.error().message);
  }

  bool Begin(ReportValue kind) {
    CountValue();
    if (levels_.size() == kMaxDepth) return FailHere("nested too deep");
    Result<ReportPlace> place = PlaceWithin(kind);
    if (!place) return FailHere(place.error().message);
    levels_.push_back({*place, kind == ReportValue::kArray, {}});
    return true;
  }

  Result<ReportPlace> PlaceWithin(ReportValue kind) {
    const bool is_outermost = levels_.empty();
    if (is_outermost && kind == ReportValue::kArray) return ReportPlace::kReports;
    if (!is_outermost && levels_.back().place != ReportPlace::kReports) {
      return builder_.Begin(levels_.back().place, levels_.back().key, kind);
    }
    if (kind != ReportValue::kObject) {
      return Error{ErrorKind::kProtocol, "expected a report's object"};
    }
    builder_ = {};
    return ReportPlace::kReport;
  }

  bool End() {
    const ReportPlace place = levels_.back().place;
    levels_.pop_back();
    if (place != ReportPlace::kReport) {
      const Status ended = builder_.End(place);
      return ended || FailHere(ended.error().message);
    }
    Result<StoredReport> report = std::move(builder_).Finish();
    if (!report) return FailHere(report.error().message);
    reports.push_back(*std::move(report));
    return true;
  }

  void CountValue() {
    if (!levels_.empty() && levels_.back().is_array) ++levels_.back().count;
  }

  bool FailHere(const std::string& why) {
    std::string path;
    for (const Level& level : levels_) {
      if (level.is_array) {
        path += fmt::format("[{}]", level.count - 1);
      } else if (!level.key.empty()) {
        path += (path.empty() ? "" : ".") + Printable(level.key, 60);
      }
    }
    return Fail(path.empty() ? why : path + ": " + why);
  }
  bool Fail(std::string why) {
    fault = std::move(why);
    return false;
  }

  ReportBuilder builder_;
  std::vector<Level> levels_;  // begun, from the outermost on
};

}  // namespace

Result<std::vector<StoredReport>> ReadReports(std::istream& in, const std::string& name) try {
  Bytes bytes(*in.rdbuf());
  Sax sax;
  const bool parsed = nlohmann::json::sax_parse(
      ByteIterator(&bytes), ByteIterator(), static_cast<nlohmann::json_sax<nlohmann::json>*>(&sax));
  if (parsed && !sax.reports.empty()) return std::move(sax.reports);
  if (sax.fault.empty()) sax.fault = "it holds no report";
  if (bytes.too_long()) sax.fault = "it is no report: it has a text of more than 1 MiB";
  return Error{ErrorKind::kProtocol, name + ": " + sax.fault};
} catch (const std::ios_base::failure& fault) {  // how a file's buffer tells of it
  return Error{ErrorKind::kStorage, name + ": it cannot be read: " + fault.code().message()};
}

}  // namespace registry_backend
