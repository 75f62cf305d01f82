#include "exporter/registry/tag_list.h"

#include <utility>

#include "exporter/registry/json.h"
#include "exporter/registry/reference.h"
#include "exporter/url/text.h"

namespace registry_backend {
namespace {

constexpr std::size_t kMaxTags = 200'000;
constexpr std::size_t kMaxRejected = 100;
constexpr std::size_t kLongest = std::size_t{64} * 1024;  // of one text, or one number

class TagListReader final : public JsonReader {
 public:
  TagList list;
  bool is_list = false;
  bool has_too_many = false;

 private:
  void OnBegin(Container container) override {
    if (depth_ == 0) {
      is_object_ = container == Container::kObject;
    } else if (depth_ == 1 && is_object_ && key_ == "tags" && container == Container::kArray) {
      is_list = in_list_ = true;
    } else {
      RejectElement(container == Container::kArray ? "array" : "object");
    }
    ++depth_;
  }
  void OnEnd() override {
    if (--depth_ == 1) in_list_ = false;
  }
  void OnKey(std::string_view key) override {
    if (depth_ == 1) key_ = key;
  }
  void OnText(std::string_view text) override {
    if (!IsTag(text)) {
      RejectElement(Printable(text));
    } else if (!IsElement()) {
      return;
    } else if (list.tags.size() < kMaxTags) {
      list.tags.emplace_back(text);
    } else {
      has_too_many = true;
    }
  }
  void OnInteger(std::int64_t) override { RejectElement("number"); }
  void OnOther(std::string_view type) override {
    if (type == "null" && depth_ == 1 && is_object_ && key_ == "tags") is_list = true;
    RejectElement(type);
  }

  [[nodiscard]] bool IsElement() const { return in_list_ && depth_ == 2; }
  void RejectElement(std::string_view name) {
    if (IsElement() && list.rejected.size() < kMaxRejected) list.rejected.emplace_back(name);
  }

  std::size_t depth_ = 0;  // of what has begun
  bool is_object_ = false;
  bool in_list_ = false;
  std::string key_;  // of the outermost object
};

}  // namespace

Result<TagList> ParseTagList(std::string_view bytes) {
  TagListReader reader;
  if (!reader.Read(bytes, kLongest) || !reader.is_list) {
    return Error{ErrorKind::kProtocol, "the answer is no tag list"};
  }
  if (reader.has_too_many) {
    return Error{ErrorKind::kProtocol,
                 "a page names more than " + std::to_string(kMaxTags) + " tags"};
  }
  return std::move(reader.list);
}

}  // namespace registry_backend
