#include "exporter/report/report_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exporter/report/report.h"
#include "tests/report/reports.h"

namespace registry_backend {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Json;
using ::testing::Not;
using testing::OriginalReport;
using testing::OurReport;
using testing::Read;

Host HostOf(std::string_view text) { return *Host::Parse(text); }
EndpointKey Blobs(std::string_view host) { return {Serves::kBlobs, HostOf(host)}; }

StoredReport ReadOne(const Json& report) {
  Result<std::vector<StoredReport>> reports = Read(report.dump());
  EXPECT_TRUE(reports) << reports.error().message;
  return reports ? reports->front() : StoredReport{};
}

std::string FaultOf(const std::string& text) {
  const Result<std::vector<StoredReport>> reports = Read(text);
  return reports ? "none" : reports.error().message;
}

ScanResult Scan() {
  ScanResult result;
  result.outcome = ScanOutcome::kPartial;
  result.finished = WallTime(seconds(1'749'240'552));
  result.asked = {2, 3, 4};
  result.unresolved = {0, 0, 1};
  result.tags = {{"v2", "sha256:m"}, {"v1", "sha256:m"}};
  result.manifests = {{"sha256:m", {"t", 9, false, false, {}, "sha256:c", {"sha256:l"}}}};
  result.routes = {{HostOf("cdn.example:8443")}};
  result.blobs = {{"sha256:c", 0}, {"sha256:l", 0}};
  result.endpoints = {
      {{Serves::kApi, HostOf("registry.example:5000")}, {{"", "", "", "direct"}, 0}},
      {Blobs("cdn.example:8443"), {{"s3", "b", "us-east-1", "redirect"}, 2}}};
  return result;
}

std::string Written(const ScanResult& result) {
  std::string text;
  JsonWriter writer(JsonWriter::Layout::kIndented, [&](std::string_view piece) { text += piece; });
  WriteReport({*Url::Parse("https://registry.example:5000"), "team/app"}, result, writer);
  writer.EndDocument();
  return text;
}

TEST(ReportReader, KeepsTheHostsOfWhatScanWrites) {
  const Result<std::vector<StoredReport>> reports = Read(Written(Scan()));
  ASSERT_TRUE(reports) << reports.error().message;
  ASSERT_EQ(reports->size(), 1U);
  const StoredReport& report = reports->front();
  EXPECT_FALSE(report.is_sample);
  EXPECT_EQ(report.registry, "registry.example:5000");
  EXPECT_EQ(report.repository, "team/app");
  EXPECT_EQ(report.finished, Scan().finished);
  EXPECT_EQ(report.outcome, ScanOutcome::kPartial);
  ASSERT_TRUE(report.coverage);
  EXPECT_EQ(report.coverage->blobs, 4U);
  EXPECT_EQ(report.coverage->unresolved, 1U);
  ASSERT_EQ(report.endpoints.size(), 2U);
  const StoredReport::Endpoint& cdn = report.endpoints.at(Blobs("cdn.example:8443"));
  EXPECT_EQ(cdn.info, Scan().endpoints.at(Blobs("cdn.example:8443")).info);
  EXPECT_EQ(cdn.blobs, 2U);
  EXPECT_THAT(report.tags, ElementsAre("v2", "v1"));
  EXPECT_THAT(report.tags_of.at(HostOf("cdn.example:8443")), ElementsAre(0, 1));
}

TEST(ReportReader, KnowsAFailedScan) {
  ScanResult failed;
  failed.AddError({ScanError::Scope::kTarget, "", "", {ErrorKind::kAuth, "401 from there"}});
  const Result<std::vector<StoredReport>> reports = Read(Written(failed));
  ASSERT_TRUE(reports) << reports.error().message;
  EXPECT_EQ(reports->front().outcome, ScanOutcome::kFailed);
  EXPECT_EQ(reports->front().failure, "Authentication failed: 401 from there");
  EXPECT_EQ(reports->front().registry, "registry.example:5000");
}

TEST(ReportReader, KnowsAFailureOfTheOriginalTool) {
  for (const char* text : {R"({"error": "Authentication failed"})",
                           R"({"tags": {}, "error": "Authentication failed", "code": [1]})"}) {
    const Result<std::vector<StoredReport>> reports = Read(text);
    ASSERT_TRUE(reports) << reports.error().message;
    EXPECT_EQ(reports->front().outcome, ScanOutcome::kFailed);
    EXPECT_EQ(reports->front().failure, "Authentication failed");
  }
}

TEST(ReportReader, TakesTheOriginalToolsReportForTheSampleItIs) {
  const StoredReport report = ReadOne(OriginalReport({"a.s3.amazonaws.com"}));
  EXPECT_TRUE(report.is_sample);
  EXPECT_EQ(report.registry, "registry.example");
  EXPECT_EQ(report.finished, WallTime(seconds(1'795'586'400)));
  ASSERT_EQ(report.endpoints.size(), 1U);
  EXPECT_TRUE(report.endpoints.contains(Blobs("a.s3.amazonaws.com")));
  EXPECT_FALSE(report.coverage);
  EXPECT_THAT(report.tags_of.at(HostOf("a.s3.amazonaws.com")), ElementsAre(0));
}

TEST(ReportReader, ReadsAnArrayOfReports) {
  const Result<std::vector<StoredReport>> reports = Read(
      Json::array({OurReport({{"v1", {"a.example"}}}), OurReport({{"v1", {"b.example"}}})}).dump());
  ASSERT_TRUE(reports) << reports.error().message;
  ASSERT_EQ(reports->size(), 2U);
  EXPECT_TRUE(reports->at(0).endpoints.contains(Blobs("a.example")));
  EXPECT_TRUE(reports->at(1).endpoints.contains(Blobs("b.example")));
  EXPECT_FALSE(reports->at(1).endpoints.contains(Blobs("a.example")));
}

TEST(ReportReader, NamesThePlaceOfWhatIsNoJson) {
  EXPECT_EQ(FaultOf("{\n \"a\": x}"), "r.json: it is no JSON: line 2, column 7, byte 9");
  EXPECT_EQ(FaultOf(""), "r.json: it is no JSON: line 1, column 1, byte 1");
  EXPECT_THAT(FaultOf(R"({"error": "cut)"), HasSubstr("line 1"));
  EXPECT_THAT(FaultOf("{} {}"), HasSubstr("no report"));
  EXPECT_THAT(FaultOf("[1e999]"), HasSubstr("byte"));
  EXPECT_THAT(FaultOf("\xff"), HasSubstr("byte 1"));
}

TEST(ReportReader, DoesNotShowWhatAWrongFileHolds) {
  for (const char* text : {"s3cret", "\"s3cret\"", "{\"password\": s3cret}", "[\"s3cret\"]"}) {
    EXPECT_THAT(FaultOf(text), Not(HasSubstr("s3cret"))) << text;
    EXPECT_NE(FaultOf(text), "none") << text;
  }
}

TEST(ReportReader, NamesTheKeyOfWhatCannotBe) {
  const Json good = OurReport({{"v1", {"a.example"}}});
  const auto with = [&](const char* pointer, const Json& value) {
    Json report = good;
    report[Json::json_pointer(pointer)] = value;
    return FaultOf(report.dump());
  };
  const auto without = [&](const char* key) {
    Json report = good;
    report.erase(key);
    return FaultOf(report.dump());
  };
  EXPECT_EQ(FaultOf(good.dump()), "none");
  EXPECT_EQ(with("/registry", 5), "r.json: registry: expected a text");
  EXPECT_EQ(with("/registry", "https://x y/"),
            "r.json: registry: 'https://x y/' is not a usable URL: a character is not allowed");
  EXPECT_EQ(with("/endpoints", Json::object()), "r.json: endpoints: expected an array");
  EXPECT_EQ(with("/endpoints/1/backend_host", 5),
            "r.json: endpoints[1].backend_host: expected a text");
  EXPECT_EQ(with("/endpoints/1/blobs", -1), "r.json: endpoints[1].blobs: expected a whole number");
  EXPECT_EQ(with("/endpoints/1/serves", "tea"),
            "r.json: endpoints[1]: serves: expected api, tokens, manifests or blobs");
  EXPECT_EQ(with("/endpoints/1/backend_host", "a|b"),
            "r.json: endpoints[1]: backend_host: 'a|b' is not a host name: a character is not "
            "allowed");
  EXPECT_EQ(with("/tags/v1", "x"), "r.json: tags.v1: expected an object");
  EXPECT_EQ(with("/tags/v1/endpoints/0", 1), "r.json: tags.v1.endpoints[0]: expected a text");
  EXPECT_EQ(with("/coverage/tags", "x"), "r.json: coverage.tags: expected a whole number");
  EXPECT_EQ(with("/outcome", "fine"), "r.json: outcome: expected complete, partial or failed");
  EXPECT_EQ(with("/format_version", 2), "r.json: its format_version is 2; this program reads 1");
  for (const char* key : {"registry", "repository", "endpoints", "outcome"}) {
    EXPECT_THAT(without(key), HasSubstr("key '" + std::string(key) + "' is missing"));
  }
  EXPECT_THAT(FaultOf("{}"), HasSubstr("r.json: it is no report: key 'registry' is missing"));
  EXPECT_THAT(FaultOf(R"({"registry": "r.example", "repository": "a"})"),
              HasSubstr("key 'summary.s3_endpoints' is missing"));
  EXPECT_EQ(FaultOf("[5]"), "r.json: [0]: expected a report's object");
  EXPECT_EQ(FaultOf("[[]]"), "r.json: [0]: expected a report's object");
  EXPECT_EQ(FaultOf("[]"), "r.json: it holds no report");
  EXPECT_EQ(FaultOf("null"), "r.json: it holds no report");
}

// Gives the same pieces as often as told, so that a text of any size is not in memory.
class Repeated final : public std::streambuf {
 public:
  Repeated(std::string first, std::string again, std::size_t times)
      : piece_(std::move(first)), again_(std::move(again)), left_(times) {
    setg(piece_.data(), piece_.data(), piece_.data() + piece_.size());
  }
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  int underflow() override {
    if (left_ == 0) return std::char_traits<char>::eof();
    --left_;
    piece_ = again_;
    setg(piece_.data(), piece_.data(), piece_.data() + piece_.size());
    return std::char_traits<char>::to_int_type(piece_[0]);
  }

  std::string piece_;
  const std::string again_;
  std::size_t left_;
};

TEST(ReportReader, DoesNotTakeInATextWithoutEnd) {
  for (const char* first : {"{\"error\": \"", "{\"a\": 1", "{\""}) {
    Repeated text(first, std::string(1024, '1'), 1'000'000);
    std::istream in(&text);
    const Result<std::vector<StoredReport>> reports = ReadReports(in, "r.json");
    ASSERT_FALSE(reports);
    EXPECT_EQ(reports.error().message, "r.json: it is no report: it has a text of more than 1 MiB");
    EXPECT_GT(text.left(), 990'000U) << "it read on";
  }
}

TEST(ReportReader, DoesNotGoDownWithoutEnd) {
  EXPECT_THAT(FaultOf(R"({"a":)" + std::string(100'000, '[')), HasSubstr("nested too deep"));
}

TEST(ReportReader, AFileThatBreaksOffIsAnError) {
  class Broken final : public std::streambuf {
    int underflow() override {
      throw std::ios_base::failure("broken", std::make_error_code(std::errc::io_error));
    }
  };
  Broken broken;
  std::istream in(&broken);
  const Result<std::vector<StoredReport>> reports = ReadReports(in, "r.json");
  ASSERT_FALSE(reports);
  EXPECT_THAT(reports.error().message, HasSubstr("r.json: it cannot be read: Input/output error"));
}

}  // namespace
}  // namespace registry_backend
