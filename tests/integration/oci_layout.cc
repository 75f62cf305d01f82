#include "tests/integration/oci_layout.h"

#include <openssl/evp.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using nlohmann::json;

constexpr char kIndexType[] = "application/vnd.oci.image.index.v1+json";
constexpr char kManifestType[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kConfigType[] = "application/vnd.oci.image.config.v1+json";
constexpr char kTarType[] = "application/vnd.oci.image.layer.v1.tar";
constexpr char kTarGzipType[] = "application/vnd.oci.image.layer.v1.tar+gzip";

// A ustar archive with the one file "layer.txt" (POSIX.1-2017, pax, "ustar Interchange Format").
std::string Tar(const std::string& content) {
  constexpr std::size_t kBlock = 512;
  std::string header(kBlock, '\0');
  const auto put = [&](std::size_t offset, std::string_view text) {
    std::ranges::copy(text, header.begin() + static_cast<std::ptrdiff_t>(offset));
  };
  std::array<char, 12> size;
  std::snprintf(size.data(), size.size(), "%011lo", static_cast<unsigned long>(content.size()));
  put(0, "layer.txt");
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(124, size.data());
  put(136, "00000000000");
  put(148, "        ");  // the checksum counts itself as blanks
  put(156, "0");
  put(257, std::string_view("ustar\00000", 8));
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  std::array<char, 8> checksum;
  std::snprintf(checksum.data(), checksum.size(), "%06o", sum);
  put(148, std::string_view(checksum.data(), 7));
  const std::size_t padding = (kBlock - content.size() % kBlock) % kBlock;
  return header + content + std::string(padding + 2 * kBlock, '\0');
}

std::string Gzip(std::string bytes) {
  z_stream stream{};
  constexpr int kGzipHeader = 15 + 16;
  if (deflateInit2(&stream, 6, Z_DEFLATED, kGzipHeader, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string result(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int status = deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) throw std::runtime_error("deflate failed");
  return result;
}

json Descriptor(const BlobInfo& blob) {
  return {{"mediaType", blob.media_type}, {"digest", blob.digest}, {"size", blob.size}};
}

json Platform(const std::string& text) {
  std::istringstream parts(text);
  std::string os, architecture, variant;
  std::getline(parts, os, '/');
  std::getline(parts, architecture, '/');
  std::getline(parts, variant, '/');
  if (os.empty() || architecture.empty()) throw std::invalid_argument("platform: " + text);
  json result = {{"os", os}, {"architecture", architecture}};
  if (!variant.empty()) result["variant"] = variant;
  return result;
}

class Writer {
 public:
  Writer(std::filesystem::path directory, const LayoutSpec& spec)
      : directory_(std::move(directory)), spec_(spec) {}

  BlobInfo Blob(const char* media_type, const std::string& bytes) const {
    const std::string digest = Sha256Digest(bytes);
    WriteFile(directory_ / "blobs" / "sha256" / digest.substr(digest.find(':') + 1), bytes);
    return {media_type, digest, bytes.size()};
  }

  ImageInfo Image(const ImageSpec& image) const {
    ImageInfo result{.platform = image.platform};
    json config = Platform(image.platform);
    config["config"] = json::object();
    config["rootfs"] = {{"type", "layers"}, {"diff_ids", json::array()}};
    json manifest = {{"schemaVersion", 2}, {"layers", json::array()}};
    if (spec_.media_type_in_manifest) manifest["mediaType"] = kManifestType;
    for (const std::string& content : image.layers) {
      const std::string tar = Tar(content);
      const bool gzip = spec_.layer_format == LayerFormat::kTarGzip;
      result.layers.push_back(Blob(gzip ? kTarGzipType : kTarType, gzip ? Gzip(tar) : tar));
      manifest["layers"].push_back(Descriptor(result.layers.back()));
      config["rootfs"]["diff_ids"].push_back(Sha256Digest(tar));
    }
    result.config = Blob(kConfigType, config.dump());
    manifest["config"] = Descriptor(result.config);
    result.manifest = Blob(kManifestType, manifest.dump());
    return result;
  }

  BlobInfo Index(const std::vector<ImageInfo>& images) const {
    json index = {{"schemaVersion", 2}, {"mediaType", kIndexType}, {"manifests", json::array()}};
    for (const ImageInfo& image : images) {
      json entry = Descriptor(image.manifest);
      entry["platform"] = Platform(image.platform);
      index["manifests"].push_back(entry);
    }
    return Blob(kIndexType, index.dump());
  }

  void Finish(const BlobInfo& top) const {
    json entry = Descriptor(top);
    entry["annotations"] = {{"org.opencontainers.image.ref.name", spec_.tag}};
    const json index = {{"schemaVersion", 2}, {"manifests", json::array({entry})}};
    WriteFile(directory_ / "index.json", index.dump());
    WriteFile(directory_ / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  }

 private:
  const std::filesystem::path directory_;
  const LayoutSpec& spec_;
};

}  // namespace

std::string Sha256Digest(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("EVP_Digest failed");
  }
  static constexpr char kHex[] = "0123456789abcdef";
  std::string result = "sha256:";
  for (unsigned i = 0; i < size; ++i) result += {kHex[hash[i] >> 4], kHex[hash[i] & 15]};
  return result;
}

std::set<std::string> OciLayout::BlobDigests() const {
  std::set<std::string> result;
  for (const ImageInfo& image : images) {
    result.insert(image.config.digest);
    for (const BlobInfo& layer : image.layers) result.insert(layer.digest);
  }
  return result;
}

OciLayout WriteOciLayout(const std::filesystem::path& directory, const LayoutSpec& spec) {
  if (spec.images.empty() || (!spec.index && spec.images.size() != 1)) {
    throw std::invalid_argument("an index has images, a bare manifest is one image");
  }
  const Writer writer(directory, spec);
  OciLayout result{.directory = directory, .tag = spec.tag};
  for (const ImageSpec& image : spec.images) result.images.push_back(writer.Image(image));
  result.top = spec.index ? writer.Index(result.images) : result.images.front().manifest;
  writer.Finish(result.top);
  return result;
}

}  // namespace registry_backend::testing
