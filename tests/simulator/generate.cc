#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/simulator/catalog.h"

namespace registry_backend::simulator {
namespace {

std::string Padded(std::size_t number, std::size_t width) {
  const std::string digits = std::to_string(number);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

class Generator {
 public:
  Generator(const GenerateOptions& options, Catalog& catalog)
      : options_(options), catalog_(catalog) {
    const double ratio = std::clamp(options.shared_ratio, 0.0, 1.0);
    shared_layers_ = static_cast<std::size_t>(
        std::floor(ratio * static_cast<double>(options.layers_per_tag) + 1e-9));
  }

  void AddTag(const std::string& tag, TagKind kind) {
    catalog_.Tag(options_.repository, tag, AddContent(tag, kind));
  }

 private:
  // The digest a tag of this kind points at.
  std::string AddContent(const std::string& tag, TagKind kind) {
    switch (kind) {
      case TagKind::kDockerImage:
        return AddImage(tag, Format::kDocker, "amd64").digest;
      case TagKind::kOciImage:
        return AddImage(tag, Format::kOci, "amd64").digest;
      case TagKind::kDockerList:
        return AddIndex(Format::kDocker, {AddImage(tag, Format::kDocker, "amd64")});
      case TagKind::kOciIndex:
        break;
    }
    const Descriptor amd64 = AddImage(tag, Format::kOci, "amd64");
    return AddIndex(Format::kOci, {amd64, AddImage(tag, Format::kOci, "arm64"),
                                   AddAttestation(tag, amd64.digest)});
  }

  std::string AddIndex(Format format, const std::vector<Descriptor>& manifests) {
    return catalog_.AddIndex(options_.repository, format, manifests);
  }

  Descriptor AddImage(const std::string& tag, Format format, const std::string& architecture) {
    std::vector<std::string> layers;
    for (std::size_t i = 1; i <= options_.layers_per_tag; ++i) {
      layers.push_back(LayerBytes(i <= shared_layers_ ? "all tags" : tag, architecture, i));
    }
    const nlohmann::ordered_json config = {{"architecture", architecture},
                                           {"os", "linux"},
                                           {"repository", options_.repository},
                                           {"tag", tag},
                                           {"seed", options_.seed}};
    const std::string digest =
        catalog_.AddImage(options_.repository, format, config.dump(), layers);
    return catalog_.DescribeManifest(options_.repository, digest, "linux", architecture);
  }

  // As buildx writes them: an image of no platform whose layer is an in-toto statement.
  Descriptor AddAttestation(const std::string& tag, const std::string& subject) {
    const nlohmann::ordered_json statement = {
        {"_type", "https://in-toto.io/Statement/v0.1"}, {"subject", subject}, {"tag", tag}};
    const std::string config = R"({"architecture":"unknown","os":"unknown","tag":")" + tag + "\"}";
    const std::string digest = catalog_.AddImage(
        options_.repository,
        {.config = config,
         .layers = {{.bytes = statement.dump(), .media_type = "application/vnd.in-toto+json"}}});
    return catalog_.DescribeManifest(options_.repository, digest, "unknown", "unknown");
  }

  std::string LayerBytes(const std::string& owner, const std::string& architecture,
                         std::size_t number) const {
    std::string bytes = "layer " + std::to_string(number) + " of " + owner + ", " + architecture +
                        ", " + options_.repository + ", seed " + std::to_string(options_.seed);
    // Sizes differ, as real ones do.
    return bytes.append(1 + number % 64, '.');
  }

  const GenerateOptions& options_;
  Catalog& catalog_;
  std::size_t shared_layers_ = 0;
};

}  // namespace

std::vector<std::string> GeneratedTagNames(std::size_t count) {
  std::vector<std::string> names;
  const std::size_t dated = count - count / 3;
  for (std::size_t i = 0; i < dated; ++i) {
    names.push_back("v" + std::to_string(2024 + i / 12) + Padded(i % 12 + 1, 2) + "-1");
  }
  for (std::size_t i = 0; i < count - dated; ++i) names.push_back("1.0." + std::to_string(i));
  return names;
}

void Generate(const GenerateOptions& options, Catalog& catalog) {
  catalog.AddRepository(options.repository);
  Generator generator(options, catalog);
  std::size_t next = 0;
  for (const std::string& tag : GeneratedTagNames(options.tags)) {
    generator.AddTag(tag, options.kinds[next++ % options.kinds.size()]);
  }
}

Catalog Generate(const GenerateOptions& options) {
  Catalog catalog;
  Generate(options, catalog);
  return catalog;
}

}  // namespace registry_backend::simulator
