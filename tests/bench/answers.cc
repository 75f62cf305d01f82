#include "tests/bench/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace registry_backend::testing {

std::shared_ptr<const std::string> Text(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

std::string Digest(std::size_t number) { return fmt::format("sha256:{:064x}", number); }

std::string Repeat(std::string_view piece, std::size_t bytes) {
  std::string text;
  text.reserve(bytes);
  while (text.size() + piece.size() <= bytes) text += piece;
  return text;
}

std::string Fill(std::string_view begin, std::string_view piece, std::string_view end,
                 std::size_t bytes) {
  std::string text(begin);
  text += Repeat(piece, bytes - begin.size() - end.size());
  if (text.ends_with(',')) text.pop_back();
  return text.append(end);
}

std::string TagList(std::size_t tags) {
  std::string text = R"({"name":"a/b","tags":[)";
  for (std::size_t i = 0; i < tags; ++i) text += fmt::format("{}\"t{}\"", i == 0 ? "" : ",", i);
  return text + "]}";
}

std::string Image(std::size_t first, std::size_t layers, std::string_view members) {
  std::string text = R"({"schemaVersion":2,)";
  text.append(members).append(R"("config":{"digest":")").append(Digest(first));
  text += R"("},"layers":[)";
  for (std::size_t i = 1; i <= layers; ++i) {
    text.append(i == 1 ? R"({"digest":")" : R"(,{"digest":")").append(Digest(first + i));
    text += "\"}";
  }
  return text + "]}";
}

Reply ImageReply(std::string text) {
  return {.fields = "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n",
          .body = Text(std::move(text))};
}

Reply IndexReply(std::shared_ptr<const std::string> text) {
  return {.fields = "Content-Type: application/vnd.oci.image.index.v1+json\r\n",
          .body = std::move(text)};
}

Reply Redirect(std::string_view location) {
  return {.status = 307, .fields = fmt::format("Location: {}\r\n", location)};
}

Reply ToStorage() { return Redirect("https://storage.example/blob"); }

std::size_t NumberOf(const std::string& tag) { return std::stoul(tag.substr(1)); }

Reply Repository::operator()(const Ask& ask) const {
  switch (ask.kind) {
    case Ask::Kind::kTags:
      return tags(ask);
    case Ask::Kind::kManifest:
      return manifest(ask);
    case Ask::Kind::kBlob:
      return blob(ask);
    case Ask::Kind::kOther:
      break;
  }
  return {.status = 404};
}

AnswerTo Always(Reply reply) {
  return [reply = std::move(reply)](const Ask&) { return reply; };
}

AnswerTo Tags(std::size_t count) { return Always({.body = Text(TagList(count))}); }

AnswerTo BlobsOf(std::size_t blobs) {
  return [blobs](const Ask& ask) {
    const std::size_t each = std::min<std::size_t>(blobs, 1000);
    return ImageReply(Image(NumberOf(ask.reference) * each, each - 1));
  };
}

std::string LongHost(std::size_t number) {
  const std::string label(61, 'h');
  return fmt::format("{0}.{0}.{0}.{1:x>60}.ex", label, number);
}

}  // namespace registry_backend::testing
