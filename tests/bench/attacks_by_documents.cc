#include <fmt/format.h>

#include <unordered_map>
#include <utility>

#include "exporter/registry/digest.h"
#include "tests/bench/answers.h"
#include "tests/bench/attacks.h"

namespace registry_backend::testing {
namespace {

using namespace std::chrono_literals;

// One document in place of the tag list.
Attack TagPage(std::string name, std::string (*document)()) {
  return {.name = std::move(name), .make = [document]() -> Answers {
            return Repository{.tags = Always({.body = Text(document())})};
          }};
}

// The same document in place of 32 tags' manifests, of which eight come to their end at once.
Attack EightManifests(std::string name, std::string (*document)(std::size_t tag)) {
  return {.name = std::move(name), .make = [document]() -> Answers {
            return Repository{.tags = Tags(32), .manifest = [document](const Ask& ask) {
                                Reply reply = ImageReply(document(NumberOf(ask.reference)));
                                reply.together = 8;
                                return reply;
                              }};
          }};
}

}  // namespace

std::vector<Attack> AttacksByTags() {
  std::vector<Attack> attacks = {
      TagPage("tags: 16 MiB of `\"a\",`",
              [] { return Fill(R"({"tags":[)", R"("a",)", "]}", kTagPage); }),
      TagPage("tags: 16 MiB of `[[],[],…` beside the list",
              [] { return Fill(R"({"junk":[)", "[],", R"(],"tags":["a"]})", kTagPage); }),
      TagPage("tags: 16 MiB of `{\"a\":{},…` beside the list",
              [] { return Fill(R"({"junk":[)", R"({"a":{}},)", R"(],"tags":["a"]})", kTagPage); }),
      TagPage("tags: one name of 16 MiB",
              [] { return Fill(R"({"tags":[")", "a", R"("]})", kTagPage); }),
      TagPage("tags: one name of 16 MiB without an end",
              [] { return Fill(R"({"tags":[")", "a", "", kTagPage); }),
      TagPage("tags: one key of 16 MiB",
              [] { return Fill(R"({"tags":["t"],")", "a", R"(":1})", kTagPage); }),
      TagPage("tags: one number of 16 MiB",
              [] { return Fill(R"({"tags":["t"],"a":)", "1", "}", kTagPage); })};
  attacks.push_back(
      {.name = "tags: 200,000 of 128 bytes on two pages, no manifest",
       .make = []() -> Answers {
         return Repository{
             .tags =
                 [](const Ask& ask) {
                   const bool second = ask.target.find("more") != std::string::npos;
                   std::string text = R"({"tags":[)";
                   for (std::size_t i = 0; i < 100'000; ++i) {
                     text +=
                         fmt::format("{}\"{}{:0127}\"", i == 0 ? "" : ",", second ? 'b' : 'a', i);
                   }
                   return Reply{
                       .fields = second ? "" : "Link: </v2/a/b/tags/list?more>; rel=next\r\n",
                       .body = Text(text + "]}")};
                 },
             .manifest = Always({.status = 404})};
       },
       .known = 200'000,
       .timeout = 6s,
       .on_serve = true});
  attacks.push_back(
      {.name = "tags: endless pages with next links of 16 KiB",
       .make = []() -> Answers {
         const std::string filler(kUrl - 200, 'x');
         return Repository{.tags = [filler](const Ask& ask) {
           return Reply{.fields = fmt::format("Link: </v2/a/b/tags/list?n={}&{}>; rel=\"next\"\r\n",
                                              ask.number, filler),
                        .body = Text(R"({"tags":["a"]})")};
         }};
       },
       .timeout = 5s});
  attacks.push_back({.name = "tags: a body without an end", .make = []() -> Answers {
                       return Repository{.tags = Always({.body = Text(std::string(65'536, ' ')),
                                                         .endless = true})};
                     }});
  return attacks;
}

namespace {

std::string Foreign(std::size_t first, std::size_t layers, std::size_t urls,
                    const std::function<std::string(std::size_t, std::size_t)>& url) {
  std::string text = R"({"schemaVersion":2,"config":{"digest":")" + Digest(0) + R"("},"layers":[)";
  for (std::size_t i = 0; i < layers; ++i) {
    text += (i == 0 ? R"({"digest":")" : R"(,{"digest":")") + Digest(first + i) + R"(","urls":[)";
    for (std::size_t k = 0; k < urls; ++k) {
      text += fmt::format("{}\"{}\"", k == 0 ? "" : ",", url(first + i, k));
    }
    text += "]}";
  }
  return text + "]}";
}

// Each of so many images with the same config and layer, which are there.
Answers LargeIndexes(std::size_t indexes, std::size_t images) {
  std::unordered_map<std::string, std::string> texts;
  std::vector<std::shared_ptr<const std::string>> lists;
  for (std::size_t i = 0; i < indexes; ++i) {
    std::string list = R"({"schemaVersion":2,"manifests":[)";
    for (std::size_t k = 0; k < images; ++k) {
      std::string image = Image(0, 1, fmt::format(R"("n":{},)", i * images + k));
      const std::string digest = DigestOf(image, "sha256:");
      list += (k == 0 ? R"({"digest":")" : R"(,{"digest":")") + digest + "\"}";
      texts.emplace(digest, std::move(image));
    }
    lists.push_back(Text(list + "]}"));
  }
  return Repository{.tags = Tags(indexes),
                    .manifest = [texts = std::move(texts), lists](const Ask& ask) {
                      const auto image = texts.find(ask.reference);
                      if (image != texts.end()) return ImageReply(image->second);
                      return IndexReply(lists.at(NumberOf(ask.reference)));
                    }};
}

}  // namespace

std::vector<Attack> AttacksByManifests() {
  std::vector<Attack> attacks;
  attacks.push_back(
      {.name = "manifests: 4 MiB, 49,000 unique layers each, eight at once, 400,000 blobs",
       .make = []() -> Answers {
         return Repository{.tags = Tags(8), .manifest = [](const Ask& ask) {
                             Reply reply = ImageReply(
                                 Image(NumberOf(ask.reference) * 50'000, kLayersOfAManifest));
                             reply.together = 8;
                             return reply;
                           }};
       },
       .known = 8 * kLayersOfAManifest,
       .timeout = 4s});
  attacks.push_back(EightManifests("manifests: 4 MiB of `[],[],…`, eight at once", [](std::size_t) {
    return Fill(R"({"junk":[)", "[],", R"(],)" + Image(0, 10).substr(1), kManifest);
  }));
  attacks.push_back(EightManifests("manifests: 4 MiB of `[[[[…`, eight at once", [](std::size_t) {
    return Fill(R"({"junk":)", "[", "", kManifest);
  }));
  attacks.push_back(
      EightManifests("manifests: annotations of 4 MiB, eight at once", [](std::size_t) {
        return Fill(R"({"annotations":{)", R"("a":"",)", R"(},)" + Image(0, 10).substr(1),
                    kManifest);
      }));
  attacks.push_back(
      EightManifests("manifests: one text of 4 MiB without an end, eight at once",
                     [](std::size_t) { return Fill(R"({"mediaType":")", "a", "", kManifest); }));
  attacks.push_back(
      EightManifests("manifests: layers with eight urls, eight at once", [](std::size_t tag) {
        return Foreign(1 + tag * 1250, 1250, 8, [](std::size_t, std::size_t k) {
          return fmt::format("https://h{}.example/{}", k, std::string(350, 'x'));
        });
      }));
  attacks.back().known = 32 * 1250;
  attacks.push_back(
      {.name = "manifests: 80,000 layers, each by another eight of 900 long-named hosts",
       .make = []() -> Answers {
         return Repository{.tags = Tags(64), .manifest = [](const Ask& ask) {
                             const std::size_t tag = NumberOf(ask.reference);
                             return ImageReply(Foreign(
                                 1 + tag * 1250, 1250, 8, [](std::size_t blob, std::size_t k) {
                                   const std::size_t mixed = (blob * 8 + k) * 0x9E3779B97F4A7C15U;
                                   return "https://" + LongHost((mixed >> 40U) % 900) + "/";
                                 }));
                           }};
       },
       .known = 80'000});
  attacks.push_back({.name = "manifests: four indexes of 45,000 images, all there",
                     .make = [] { return LargeIndexes(4, 45'000); },
                     .known = 180'000,
                     .timeout = 20s});
  attacks.push_back({.name = "manifests: an index of 30,000 platforms, none there",
                     .make = []() -> Answers {
                       std::string index = R"({"schemaVersion":2,"manifests":[)";
                       for (std::size_t i = 0; i < 30'000; ++i) {
                         index += fmt::format(
                             R"({}{{"digest":"{}","platform":{{"os":"o{}","architecture":"a"}}}})",
                             i == 0 ? "" : ",", Digest(i), i);
                       }
                       return Repository{.tags = Tags(1),
                                         .manifest = [body = Text(index + "]}")](const Ask& ask) {
                                           if (ask.reference != "t0") return Reply{.status = 404};
                                           return IndexReply(body);
                                         }};
                     },
                     .known = 30'000,
                     .timeout = 15s});
  attacks.push_back({.name = "manifests: 60 tags of 4 MiB that name the same 49,000 layers",
                     .make = []() -> Answers {
                       return Repository{
                           .tags = Tags(60),
                           .manifest =
                               [](const Ask& ask) {
                                 return ImageReply(Image(0, kLayersOfAManifest,
                                                         R"("n":")" + ask.reference + R"(",)"));
                               },
                           // Of an empty body: the fastest there is.
                           .blob = Always({})};
                     },
                     .known = kLayersOfAManifest,
                     .references = 2'000'000,
                     .timeout = 30s,
                     .on_serve = true});
  attacks.push_back({.name = "manifests: 2,000,000 unique blobs of 42 tags, asked for at once",
                     .make = []() -> Answers {
                       return Repository{.tags = Tags(42), .manifest = [](const Ask& ask) {
                                           Reply reply =
                                               ImageReply(Image(NumberOf(ask.reference) * 50'000,
                                                                kLayersOfAManifest));
                                           reply.alone = true;
                                           return reply;
                                         }};
                     },
                     .known = 1'000'000,
                     .timeout = 10s,
                     .max_concurrency = 42,
                     .on_serve = true});
  attacks.push_back({.name = "manifests: bodies without an end, 32 tags", .make = []() -> Answers {
                       return Repository{.tags = Tags(32),
                                         .manifest = Always({.body = Text(std::string(65'536, ' ')),
                                                             .endless = true})};
                     }});
  return attacks;
}

}  // namespace registry_backend::testing
