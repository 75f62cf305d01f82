#include "exporter/http/pacer.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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

TEST(Pacer, AHeldOriginIsLetAloneAndOthersAreNot) {
  Pacer pacer;
  pacer.Hold(kOrigin, kNow + seconds(7));
  EXPECT_EQ(pacer.HeldUntil(kOrigin), kNow + seconds(7));
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + seconds(7));
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + seconds(7)) << "a hold is no limit";
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow + seconds(8)), kNow + seconds(8));
  EXPECT_EQ(pacer.Reserve(kOther, kNow), kNow);
  EXPECT_EQ(pacer.HeldUntil(kOther), Time::min());
}

TEST(Pacer, AfterAHoldTheLimitIsKept) {
  Pacer pacer;
  pacer.Limit(kOrigin, 20);
  EXPECT_EQ(pacer.HeldUntil(kOrigin), Time::min());
  pacer.Reserve(kOrigin, kNow);
  pacer.Hold(kOrigin, kNow + seconds(7));
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + seconds(7));
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + seconds(7) + milliseconds(50));
  pacer.Limit(kOrigin, 10);
  EXPECT_EQ(pacer.HeldUntil(kOrigin), kNow + seconds(7)) << "a new target does not end it";
}

TEST(Pacer, AShorterHoldDoesNotEndALongerOne) {
  Pacer pacer;
  pacer.Hold(kOrigin, kNow + seconds(7));
  pacer.Hold(kOrigin, kNow + seconds(1));
  EXPECT_EQ(pacer.Reserve(kOrigin, kNow), kNow + seconds(7));
}

}  // namespace
}  // namespace registry_backend
