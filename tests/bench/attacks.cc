#include "tests/bench/attacks.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/bench/answers.h"

namespace registry_backend::testing {
namespace {

using namespace std::chrono_literals;

// Blobs that the registry has 404s and 403s for, at the longest URL that a redirect may lead to.
Answers LongErrors(std::size_t blobs) {
  const std::string filler(kUrl - 500, 'x');
  return Repository{
      .tags = Tags(blobs / 1000), .manifest = BlobsOf(blobs), .blob = [filler](const Ask& ask) {
        if (ask.target.starts_with("/v2/a/b/")) {
          return Redirect(fmt::format("/v2/{}/blobs/{}", filler, ask.reference));
        }
        return Reply{.status = ask.reference.back() % 2 == 0 ? 404 : 403};
      }};
}

// Answers that begin with a large header and end when 500 are under way.
Attack SlowBlobs(std::string name, std::string field) {
  return {.name = std::move(name),
          .make = [field = std::move(field)]() -> Answers {
            // More than a small body, so that its last byte waits for the others.
            const Reply slow{.fields = Repeat(field, kHeader - 4000),
                             .body = Text(std::string(16'385, ' ')),
                             .together = 500};
            return Repository{.tags = Tags(1), .manifest = BlobsOf(1000), .blob = Always(slow)};
          },
          .known = 1000,
          .max_concurrency = 500};
}

}  // namespace

std::vector<Attack> AttacksByBlobs() {
  std::vector<Attack> attacks;
  attacks.push_back({.name = "headers of 64 KiB of tiny fields on every answer, 5,000 blobs",
                     .make = []() -> Answers {
                       const std::string fields = Repeat("a:\r\n", kHeader - 200);
                       const auto with = [fields](Reply reply) {
                         reply.fields += fields;
                         return reply;
                       };
                       return Repository{
                           .tags = Always(with({.body = Text(TagList(5))})),
                           .manifest = [with](const Ask& ask) { return with(BlobsOf(5000)(ask)); },
                           .blob = Always(with(ToStorage()))};
                     },
                     .known = 5000});
  attacks.push_back({.name = "blobs: bodies without an end, 5,000 blobs",
                     .make = []() -> Answers {
                       return Repository{.tags = Tags(5),
                                         .manifest = BlobsOf(5000),
                                         .blob = Always({.body = Text(std::string(65'536, ' ')),
                                                         .endless = true})};
                     },
                     .known = 5000});
  attacks.push_back(
      {.name = "blobs: redirects of 16 KiB, another long-named host for each of 10,000",
       .make = []() -> Answers {
         const std::string filler(kUrl - 400, 'x');
         return Repository{
             .tags = Tags(10), .manifest = BlobsOf(10'000), .blob = [filler](const Ask& ask) {
               return Redirect("https://" + LongHost(ask.number) + "/" + filler);
             }};
       },
       .known = 10'000});
  attacks.push_back({.name = "blobs: errors at URLs of 16 KiB, 100,000 blobs",
                     .make = [] { return LongErrors(100'000); },
                     .known = 100'000,
                     .timeout = 8s,
                     .on_serve = true});
  attacks.push_back({.name = "blobs: none of 30,000 is there",
                     .make = []() -> Answers {
                       return Repository{.tags = Tags(30),
                                         .manifest = BlobsOf(30'000),
                                         .blob = Always({.status = 404})};
                     },
                     .known = 30'000,
                     .timeout = 15s});
  attacks.push_back(SlowBlobs("blobs: 500 slow ones at a time, of tiny header fields", "a:\r\n"));
  attacks.push_back(SlowBlobs("blobs: 500 slow ones at a time, of headers of 60 KiB",
                              "a: " + std::string(995, 'x') + "\r\n"));
  return attacks;
}

std::vector<Attack> AttacksByTokens() {
  std::vector<Attack> attacks;
  attacks.push_back({.name = "tokens of 128 KiB, another scope at each 401, 1,000 blobs",
                     .make = []() -> Answers {
                       const auto token = Text(Fill(R"({"token":")", "a", R"("})", kToken));
                       return [token](const Ask& ask) {
                         if (ask.kind == Ask::Kind::kOther) return Reply{.body = token};
                         if (ask.authorized && ask.number % 2 == 1) return HonestBlobs(1000)(ask);
                         return Reply{.status = 401,
                                      .fields = fmt::format("WWW-Authenticate: Bearer "
                                                            "realm=\"{}/token\",scope=\"s{}\"\r\n",
                                                            ask.url, ask.number)};
                       };
                     }});
  attacks.push_back(
      {.name = "challenges of 64 KiB for each of 1,000 blobs", .make = []() -> Answers {
         const std::string parameters = Repeat("a=b,", kHeader - 400);
         return [parameters](const Ask& ask) {
           if (ask.kind == Ask::Kind::kTags) return Reply{.body = Text(TagList(1))};
           if (ask.kind == Ask::Kind::kManifest) return BlobsOf(1000)(ask);
           if (ask.kind == Ask::Kind::kOther) return Reply{.body = Text(R"({"token":"t"})")};
           if (ask.authorized && ask.number > 100) return ToStorage();
           return Reply{.status = 401,
                        .fields = fmt::format("WWW-Authenticate: Bearer {}realm=\"{}/token\"\r\n",
                                              parameters, ask.url)};
         };
       }});
  return attacks;
}

Answers HonestBlobs(std::size_t blobs) {
  return Repository{.tags = Tags(std::max<std::size_t>(1, blobs / 1000)),
                    .manifest = BlobsOf(blobs)};
}

Answers TenBlobs() { return HonestBlobs(10); }

std::vector<Attack> Attacks() {
  std::vector<Attack> all;
  for (const auto& some :
       {AttacksByTags(), AttacksByManifests(), AttacksByBlobs(), AttacksByTokens()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

}  // namespace registry_backend::testing
