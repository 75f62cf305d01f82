#include "exporter/common/log.h"

#include <gtest/gtest.h>

namespace registry_backend {
namespace {

constexpr std::string_view kTime = "2026-11-23T09:00:00.000Z";

TEST(Log, WritesLogfmtAndQuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(
      FormatLogLine(LogFormat::kLogfmt, kTime, LogLevel::kWarn, "Scan failed",
                    {{"target", "a/b"}, {"took", 3}, {"err", "say \"hi\"\nthere"}, {"none", ""}}),
      "ts=2026-11-23T09:00:00.000Z level=warn msg=\"Scan failed\" target=a/b took=3 "
      "err=\"say \\\"hi\\\"\\nthere\" none=\"\"");
}

TEST(Log, WritesOneJsonObjectALine) {
  EXPECT_EQ(
      FormatLogLine(LogFormat::kJson, kTime, LogLevel::kInfo, "Listening",
                    {{"address", "[::]:9877"}}),
      R"({"ts":"2026-11-23T09:00:00.000Z","level":"info","msg":"Listening","address":"[::]:9877"})");
}

TEST(Log, SurvivesBytesThatAreNoText) {
  EXPECT_EQ(FormatLogLine(LogFormat::kLogfmt, kTime, LogLevel::kInfo, "x", {{"k", "\xff\n"}}),
            "ts=2026-11-23T09:00:00.000Z level=info msg=x k=\"\xEF\xBF\xBD\\n\"");
}

}  // namespace
}  // namespace registry_backend
