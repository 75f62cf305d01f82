#include "exporter/report/html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/report/example_scans.h"

namespace registry_backend {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Html(const std::vector<ReportedScan>& scans) {
  std::string text;
  WriteHtml(scans, [&text](std::string_view piece) { text += piece; });
  return text;
}

std::string Html(const ScanResult& result) { return Html({{Subject(), &result}}); }

// Every element that was begun ended, in order.
void ExpectWellFormed(const std::string& html) {
  const std::regex tag(R"(<(/?)([a-z][a-z0-9]*)[^>]*>)");
  std::vector<std::string> open;
  for (std::sregex_iterator at(html.begin(), html.end(), tag), end; at != end; ++at) {
    const std::string name = (*at)[2];
    if (name == "meta") continue;
    if ((*at)[1].length() == 0) {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    ASSERT_EQ(open.back(), name) << at->position();
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

TEST(Html, IsOneDocumentWithoutExternalResources) {
  const ScanResult result = PartialScan();
  const std::string html = Html(result);
  EXPECT_TRUE(html.starts_with("<!DOCTYPE html>\n")) << html;
  EXPECT_TRUE(html.ends_with("</html>\n")) << html;
  ExpectWellFormed(html);
  for (const char* external : {"<link", "<img", "src=", "href=", "url(", "@import", " style="}) {
    EXPECT_THAT(html, Not(HasSubstr(external)));
  }
  EXPECT_THAT(html, HasSubstr("content=\"default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(html, Not(HasSubstr("unsafe")));
  EXPECT_EQ(html.find("<script"), html.rfind("<script"));
}

TEST(Html, ShowsOutcomeHostsTagsAndPlatforms) {
  const std::string html = Html(CompleteScan());
  for (const char* shown :
       {"<h2><bdi>registry.example:5000/team/app</bdi></h2>", "<dd class=\"good\">complete</dd>",
        "<th scope=\"row\"><code>b.s3.us-east-1.amazonaws.com</code></th>"
        "<td data-label=\"Serves\">blobs<small><bdi>redirect</bdi></small></td>"
        "<td data-label=\"Provider\"><bdi>s3</bdi></td>"
        "<td data-label=\"Region\"><bdi>us-east-1</bdi></td><td data-label=\"Blobs\">5</td></tr>",
        "<summary><code>v2</code> <span class=\"soft small\"><bdi>OCI index</bdi></span></summary>",
        "<code>cdn.example</code> 2 blobs",
        "<bdi>linux/arm64/v8</bdi></th><td data-label=\"Layers\">2</td>"
        "<td data-label=\"Manifest bytes\">334</td>"
        "<td data-label=\"Manifest\"><code>sha256:arm64</code></td>",
        "\nb.s3.us-east-1.amazonaws.com\ncdn.example\nregistry.example\n</textarea>"}) {
    EXPECT_THAT(html, HasSubstr(shown));
  }
}

TEST(Html, SaysWhatIsMissing) {
  const std::string html = Html(PartialScan());
  for (const char* shown :
       {"<dd class=\"fair\">partial</dd>", "</strong> <bdi>tag v1 took too long</bdi></p>",
        "2, 1 unresolved", "<code>v1</code> <span class=\"badge fair\">not found</span>",
        "No list yet: ", "<li>blob <code>sha256:l1</code>: <bdi>blob took too long</bdi></li>"}) {
    EXPECT_THAT(html, HasSubstr(shown));
  }
  const std::string failed = Html(FailedScan(ErrorKind::kDns));
  EXPECT_THAT(failed, HasSubstr("The newest scan failed:</strong> <bdi>what happened</bdi></p>"));
  EXPECT_THAT(failed, Not(HasSubstr("<table>")));
}

TEST(Html, OfSeveralScansHasASectionForEach) {
  const ScanResult complete = CompleteScan();
  const ScanResult failed = FailedScan(ErrorKind::kAuth);
  const std::string html = Html({{Subject(), &complete}, {Subject(), &failed}});
  ExpectWellFormed(html);
  EXPECT_EQ(html.find("<section "), html.rfind("<section ", html.rfind("<section ") - 1));
  EXPECT_NE(html.find("<section "), html.rfind("<section "));
  EXPECT_EQ(html.find("<main>"), html.rfind("<main>"));
}

TEST(Html, WhatOthersWroteIsEscaped) {
  const std::string evil = "<script>alert('1')</script>\"&";
  const std::string safe = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;";
  ScanResult result = CompleteScan();
  result.AddError({ScanError::Scope::kTag, evil, "", {ErrorKind::kHttp, evil}});
  result.tags[0].name = evil;
  result.manifests.at("sha256:index").manifests[0].platform = evil;
  result.manifests.at("sha256:bare").media_type = evil;
  result.endpoints.at({Serves::kBlobs, S3()}).info = {evil, evil, evil, evil, ""};
  const std::string html = Html({{{Subject().registry, evil}, &result}});
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  ExpectWellFormed(html);
  std::size_t shown = 0;
  for (auto at = html.find(safe); at != std::string::npos; at = html.find(safe, at + 1)) ++shown;
  EXPECT_EQ(shown, 12U) << html;
}

}  // namespace
}  // namespace registry_backend
