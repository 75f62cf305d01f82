#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "tests/bench/hostile_registry.h"

// What a registry that is made up says, honest or not.
namespace registry_backend::testing {

using Answers = HostileRegistry::Answers;
using AnswerTo = std::function<Reply(const Ask&)>;

// The exporter's own bounds.
inline constexpr std::size_t kTagPage = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t kManifest = std::size_t{4} * 1024 * 1024;
inline constexpr std::size_t kHeader = std::size_t{64} * 1024;
inline constexpr std::size_t kToken = std::size_t{128} * 1024;
inline constexpr std::size_t kUrl = std::size_t{16} * 1024;
inline constexpr std::size_t kLayersOfAManifest = 49'000;  // of the least size

std::shared_ptr<const std::string> Text(std::string text);
std::string Digest(std::size_t number);
// `piece` as often as it fits.
std::string Repeat(std::string_view piece, std::size_t bytes);
// `begin`, as many pieces as the bound allows, `end`; the last piece without its comma.
std::string Fill(std::string_view begin, std::string_view piece, std::string_view end,
                 std::size_t bytes);
// A host's name of 250 characters.
std::string LongHost(std::size_t number);

// The tags t0, t1, …
std::string TagList(std::size_t tags);
std::size_t NumberOf(const std::string& tag);
// A config and layers numbered from `first` on, and members of the outermost object.
std::string Image(std::size_t first, std::size_t layers, std::string_view members = "");

Reply ImageReply(std::string text);
Reply IndexReply(std::shared_ptr<const std::string> text);
Reply Redirect(std::string_view location);
Reply ToStorage();

AnswerTo Always(Reply reply);
AnswerTo Tags(std::size_t count);
// Unique ones, 1,000 of a tag.
AnswerTo BlobsOf(std::size_t blobs);

// A repository whose parts are answered for apart.
struct Repository {
  AnswerTo tags;
  AnswerTo manifest = [](const Ask&) { return ImageReply(Image(0, 10)); };
  AnswerTo blob = [](const Ask&) { return ToStorage(); };

  Reply operator()(const Ask& ask) const;
};

}  // namespace registry_backend::testing
