#include "exporter/http/pacer.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using std::chrono::milliseconds;

const Origin kOrigin = Url::Parse("https://a.example")->origin();
const Origin kOther = Url::Parse("https://b.example")->origin();
const Time kNow = Time(std::chrono::hours(1));

TEST(Pacer, SpacesRequestsToOneOriginOnly) {
  Pacer pacer;
  pacer.Limit(kOrigin, 20);
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow);
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + milliseconds(50));
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + milliseconds(100));
  EXPECT_EQ(pacer.Reserve(kOther, kNow), kNow);
  EXPECT_EQ(pacer.Reserve(kOther, kNow), kNow);
}

TEST(Pacer, DoesNotSaveUpWhatWasNotUsed) {
  Pacer pacer;
  pacer.Limit(kOrigin, 20);
  pacer.Reserve(kOrigin, kNow);
  const Time later = kNow + milliseconds(1000);
  EXPECT_EQ(pacer.Reserve(kOrigin, later), later);
  EXPECT_EQ(pacer.Reserve(kOrigin, later), later + milliseconds(50));
}

TEST(Pacer, TheLowestLimitHoldsAndZeroIsNone) {
  Pacer pacer;
  pacer.Limit(kOrigin, 0);
  pacer.Limit(kOrigin, 10);
  pacer.Limit(kOrigin, 100);
  pacer.Limit(kOrigin, 0);
  pacer.Reserve(kOrigin, kNow);
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + milliseconds(100));
}

}  // namespace
}  // namespace registry_backend
