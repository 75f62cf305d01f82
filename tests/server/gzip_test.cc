#include "exporter/server/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

namespace registry_backend::server {
namespace {

std::string Unpacked(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string input = packed;
  std::string plain(10'000'000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(plain.data());
  stream.avail_out = static_cast<uInt>(plain.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  plain.resize(stream.total_out);
  inflateEnd(&stream);
  return plain;
}

TEST(AcceptsGzip, HonoursTheWeights) {
  for (const char* field :
       {"gzip", "GZIP", "x-gzip", "deflate, gzip", "gzip;q=1.0, *;q=0.5", "*", "br, *;q=0.1",
        "gzip ; q=0.001", "identity;q=0.5, gzip;q=0.5", "gzip;q=0, x-gzip"}) {
    EXPECT_TRUE(AcceptsGzip(field)) << field;
  }
  for (const char* field :
       {"", "identity", "br", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "gzipped",
        "identity, gzip;q=0.5", "gzip;q=x", "gzip;q=", "gzip;q=2", "gzip;level=1", ",,;,"}) {
    EXPECT_FALSE(AcceptsGzip(field)) << field;
  }
}

TEST(Gzip, CanBeUnpacked) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "a_metric{label=\"" + std::to_string(i) + "\"} 1\n";
  for (const std::string& plain : {text, std::string("x"), std::string()}) {
    EXPECT_EQ(Unpacked(Gzip(plain)), plain);
  }
  EXPECT_LT(Gzip(text).size(), text.size() / 4);
}

TEST(BodyPacker, CompressesABodyOnceForAllThatShareIt) {
  BodyPacker packer;
  const auto body = std::make_shared<const std::string>(5000, 'x');
  const auto other = std::make_shared<const std::string>(5000, 'x');
  const auto packed = packer.Pack(body);
  EXPECT_EQ(packer.Pack(body), packed);
  EXPECT_NE(packer.Pack(other), packed);
  EXPECT_EQ(Unpacked(*packed), *body);
}

TEST(BodyPacker, KeepsNothingThatNobodySends) {
  BodyPacker packer;
  const auto body = std::make_shared<const std::string>(5000, 'x');
  const std::weak_ptr<const std::string> packed = packer.Pack(body);
  EXPECT_TRUE(packed.expired());
  EXPECT_EQ(body.use_count(), 1);
}

}  // namespace
}  // namespace registry_backend::server
