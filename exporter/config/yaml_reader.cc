#include "exporter/config/yaml_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "exporter/common/duration.h"

namespace registry_backend {
namespace {

constexpr double kLeastRate = 0.001;

[[noreturn]] void Throw(const YamlPlace& place, const YAML::Mark& mark, std::string_view what) {
  throw ConfigFault{FaultAt(place, mark, what)};
}

// The start of what may be long, for a message.
std::string Shortened(std::string_view text) {
  constexpr std::size_t kLongest = 64;
  if (text.size() <= kLongest) return std::string(text);
  std::size_t end = kLongest;
  while ((static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) --end;  // not within a character
  return std::string(text.substr(0, end)) + "...";
}

// How many characters have to be put in, taken out or changed to make one of the other.
std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row.back();
}

// The one that may have been meant by `text`; null where none is near.
const std::string* Nearest(const std::set<std::string>& names, const std::string& text) {
  if (text.size() > 64) return nullptr;
  const auto longer = std::ranges::find_if(
      names, [&text](const std::string& name) { return name.starts_with(text); });
  if (text.size() >= 3 && longer != names.end()) return &*longer;
  const auto nearest = std::ranges::min_element(
      names, {}, [&text](const std::string& name) { return Distance(name, text); });
  if (nearest == names.end() || Distance(*nearest, text) > text.size() / 3 + 1) return nullptr;
  return &*nearest;
}

}  // namespace

Error FaultAt(const YamlPlace& place, const YAML::Mark& mark, std::string_view what) {
  std::string message = place.file;
  if (!mark.is_null()) {
    message += ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
  }
  message += ": ";
  if (!place.key.empty()) message += place.key + ": ";
  message += what;
  return {ErrorKind::kInternal, message};
}

YamlMapping::YamlMapping(const YAML::Node& node, YamlPlace place)
    : node_(node), place_(std::move(place)) {
  if (!node_.IsDefined() || node_.IsNull()) return;
  if (!node_.IsMap()) Throw(place_, node_.Mark(), "expected a mapping of keys to values");
  std::set<std::string> seen;
  for (const auto& entry : node_) {
    if (!entry.first.IsScalar()) {
      Throw(place_, entry.first.Mark(), "expected a key that is plain text");
    }
    if (!seen.insert(entry.first.Scalar()).second) {
      Throw(PlaceOf(entry.first.Scalar()), entry.first.Mark(), "the key is there twice");
    }
  }
}

bool YamlMapping::Has(const std::string& key) const {
  return node_.IsMap() && node_[key].IsDefined() && !node_[key].IsNull();
}

std::vector<std::string> YamlMapping::Keys() const {
  std::vector<std::string> keys;
  if (!node_.IsMap()) return keys;
  for (const auto& entry : node_) keys.push_back(entry.first.Scalar());
  return keys;
}

YamlPlace YamlMapping::PlaceOf(const std::string& key) const {
  const std::string shown = Shortened(key);
  return {place_.file, place_.key.empty() ? shown : place_.key + "." + shown};
}

void YamlMapping::Fail(const std::string& key, std::string_view what) const {
  Throw(PlaceOf(key), Has(key) ? node_[key].Mark() : node_.Mark(), what);
}

std::string YamlMapping::Where(const std::string& key) const {
  return FaultAt(PlaceOf(key), Has(key) ? node_[key].Mark() : node_.Mark(), "").message;
}

const std::string* YamlMapping::Scalar(const std::string& key) {
  known_.insert(key);
  if (!Has(key)) return nullptr;
  if (!node_[key].IsScalar()) Fail(key, "expected a single value");
  scalar_ = node_[key].Scalar();
  return &scalar_;
}

void YamlMapping::Get(const std::string& key, std::string& value) {
  if (const std::string* text = Scalar(key)) value = *text;
}

void YamlMapping::Get(const std::string& key, bool& value) {
  const std::string* text = Scalar(key);
  if (text == nullptr) return;
  if (*text != "true" && *text != "false")
    Fail(key, "expected true or false, not '" + Shortened(*text) + "'");
  value = *text == "true";
}

void YamlMapping::Get(const std::string& key, std::vector<std::string>& value) {
  known_.insert(key);
  if (!Has(key)) return;
  if (!node_[key].IsSequence()) Fail(key, "expected a list");
  std::vector<std::string> texts;
  for (const YAML::Node& element : node_[key]) {
    if (!element.IsScalar()) Fail(key, "expected a list of texts");
    texts.push_back(element.Scalar());
  }
  value = std::move(texts);
}

void YamlMapping::Get(const std::string& key, Duration& value) {
  const std::string* text = Scalar(key);
  if (text == nullptr) return;
  const Result<Duration> duration = ParseDuration(*text);
  if (!duration) Fail(key, duration.error().message);
  if (*duration <= Duration::zero()) Fail(key, "expected a duration above 0");
  value = *duration;
}

void YamlMapping::Get(const std::string& key, std::size_t& value, std::size_t least) {
  const std::string* text = Scalar(key);
  if (text == nullptr) return;
  std::size_t number = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (fault != std::errc() || end != text->data() + text->size() || number < least) {
    Fail(key, "expected a whole number of at least " + std::to_string(least) + ", not '" +
                  Shortened(*text) + "'");
  }
  value = number;
}

void YamlMapping::GetRate(const std::string& key, double& value) {
  const std::string* text = Scalar(key);
  if (text == nullptr) return;
  double number = 0;
  const auto [end, fault] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (fault != std::errc() || end != text->data() + text->size() || !std::isfinite(number) ||
      (number != 0 && number < kLeastRate)) {
    Fail(key, "expected 0 or a number of at least 0.001, not '" + Shortened(*text) + "'");
  }
  value = number;
}

void YamlMapping::GetPath(const std::string& key, std::string& value) {
  Get(key, value);
  if (value.empty() || value.front() == '/' || !Has(key)) return;
  const auto folder = std::filesystem::path(place_.file).parent_path();
  value = ((folder.empty() ? std::filesystem::path(".") : folder) / value).string();
}

void YamlMapping::GetMapping(const std::string& key,
                             const std::function<void(YamlMapping&)>& read) {
  known_.insert(key);
  if (!Has(key)) return;
  YamlMapping mapping(node_[key], PlaceOf(key));
  read(mapping);
  mapping.Finish();
}

void YamlMapping::GetSequence(const std::string& key,
                              const std::function<void(YamlMapping&)>& read) {
  known_.insert(key);
  if (!Has(key)) return;
  const YAML::Node sequence = node_[key];
  if (!sequence.IsSequence()) Fail(key, "expected a list");
  for (std::size_t i = 0; i < sequence.size(); ++i) {
    YamlMapping mapping(sequence[i], PlaceOf(key + "[" + std::to_string(i) + "]"));
    read(mapping);
    mapping.Finish();
  }
}

// In values, and so also in keys that values have fallen apart into. A URL's secret does so in
// braces only.
bool YamlMapping::MayHoldSecrets() const {
  const bool in_braces = node_.Style() == YAML::EmitterStyle::Flow;
  return known_.contains("password") || known_.contains("credentials") ||
         (in_braces && known_.contains("proxy_url"));
}

void YamlMapping::Finish() const {
  if (!node_.IsMap()) return;
  for (const auto& entry : node_) {
    const std::string& key = entry.first.Scalar();
    if (known_.contains(key)) continue;
    if (entry.second.IsNull() && MayHoldSecrets()) {
      // `{password: one,two}`: what is taken for a key is half of a secret.
      Throw(place_, entry.first.Mark(),
            "unknown key without a value (a value with a comma needs quotes)");
    }
    std::string expected;
    if (const std::string* meant = Nearest(known_, key)) expected = "did you mean " + *meant + "? ";
    expected += "expected one of ";
    bool first = true;
    for (const std::string& known : known_) {
      expected += (std::exchange(first, false) ? "" : ", ") + known;
    }
    Throw(PlaceOf(key), entry.first.Mark(), "unknown key (" + expected + ")");
  }
}

}  // namespace registry_backend
