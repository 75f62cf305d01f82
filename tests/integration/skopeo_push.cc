#include "tests/integration/skopeo_push.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/integration/server_process.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

constexpr char kAccept[] =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

std::string ManifestUrl(const DockerRegistry& registry, const std::string& repository,
                        const std::string& reference) {
  return registry.url() + "/v2/" + repository + "/manifests/" + reference;
}

HttpAnswer GetManifest(const DockerRegistry& registry, const std::string& repository,
                       const std::string& reference) {
  HttpOptions options = registry.http_options();
  options.headers.emplace_back("Accept", kAccept);
  HttpAnswer answer = HttpGet(ManifestUrl(registry, repository, reference), options);
  if (answer.status != 200) {
    throw std::runtime_error("manifest " + reference + ": " + std::to_string(answer.status) +
                             answer.error + answer.body);
  }
  return answer;
}

PushedImage ReadImage(const HttpAnswer& answer) {
  const json manifest = json::parse(answer.body);
  PushedImage image{.digest = Sha256Digest(answer.body),
                    .size = answer.body.size(),
                    .config = manifest.at("config").at("digest")};
  for (const json& layer : manifest.at("layers")) image.layers.push_back(layer.at("digest"));
  return image;
}

std::string PlatformText(const json& platform) {
  // Appended piece by piece: g++ 12 warns falsely (-Wrestrict) of `"/" + a temporary string`.
  std::string text = platform.at("os");
  for (const char* part : {"architecture", "variant"}) {
    if (platform.contains(part)) text.append("/").append(platform.at(part).get<std::string>());
  }
  return text;
}

}  // namespace

void SkopeoPush(const DockerRegistry& registry, const OciLayout& layout,
                const std::string& repository, const std::string& tag, PushAs as) {
  // --insecure-policy: signatures are no matter here, and /etc/containers may be missing.
  std::vector<std::string> argv = {"skopeo", "--insecure-policy", "copy", "--all",
                                   "--dest-tls-verify=false"};
  const DockerRegistryOptions& options = registry.options();
  if (!options.username.empty()) {
    argv.push_back("--dest-creds=" + options.username + ":" + options.password);
  }
  if (as == PushAs::kDocker) argv.push_back("--format=v2s2");
  argv.push_back("oci:" + layout.directory.string() + ":" + layout.tag);
  argv.push_back("docker://" + registry.host() + "/" + repository + ":" + tag);
  const RunResult result = RunToEnd(argv, HermeticOptions(), std::chrono::seconds(60));
  if (result.exit_code != 0) throw std::runtime_error("skopeo: " + result.out + result.err);
}

std::string PushBlob(const DockerRegistry& registry, const std::string& repository,
                     const std::string& bytes) {
  const std::string digest = Sha256Digest(bytes);
  const HttpAnswer upload = HttpPost(registry.url() + "/v2/" + repository + "/blobs/uploads/");
  const HttpAnswer answer = HttpPut(upload.Header("Location") + "&digest=" + PercentEncode(digest),
                                    bytes, "application/octet-stream");
  if (answer.status != 201) throw std::runtime_error("PUT " + digest + ": " + answer.body);
  return digest;
}

void AddTags(const DockerRegistry& registry, const std::string& repository, const std::string& tag,
             const std::vector<std::string>& names) {
  const HttpAnswer manifest = GetManifest(registry, repository, tag);
  for (const std::string& name : names) {
    const HttpAnswer answer = HttpPut(ManifestUrl(registry, repository, name), manifest.body,
                                      manifest.Header("Content-Type"), registry.http_options());
    if (answer.status != 201) throw std::runtime_error("PUT " + name + ": " + answer.body);
  }
}

PushedTag ReadPushed(const DockerRegistry& registry, const std::string& repository,
                     const std::string& tag) {
  const HttpAnswer top = GetManifest(registry, repository, tag);
  PushedTag result{.media_type = top.Header("Content-Type"),
                   .digest = Sha256Digest(top.body),
                   .size = top.body.size()};
  const json document = json::parse(top.body);
  if (!document.contains("manifests")) {
    result.images.push_back(ReadImage(top));
    return result;
  }
  for (const json& entry : document.at("manifests")) {
    result.images.push_back(ReadImage(GetManifest(registry, repository, entry.at("digest"))));
    result.images.back().platform = PlatformText(entry.at("platform"));
  }
  return result;
}

}  // namespace registry_backend::testing
