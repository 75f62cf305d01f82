// How messages read: the shipped templates as amtool renders them, held to texts that people have
// read. With REGISTRY_BACKEND_WRITE_TEXTS set they are written anew, to be read again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>
#include <string>

#include "tests/integration/server_process.h"
#include "tests/support/subprocess.h"
#include "tests/support/temp_dir.h"

namespace registry_backend::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kAlerts = REGISTRY_BACKEND_SOURCE_DIR "/alerts/";
const std::string kTexts = kAlerts + "tests/templates/";

std::string Render(const std::string& name, const std::string& data) {
  const std::string type = name == "html" ? "html" : "text";
  const RunResult run =
      RunToEnd({"amtool", "template", "render", "--template.glob=" + kAlerts + "templates/*.tmpl",
                "--template.type=" + type, "--template.data=" + kTexts + data + ".json",
                "--template.text={{ template \"registry_backend." + name + "\" . }}"},
               HermeticOptions());
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return run.out;
}

class Templates : public ::testing::TestWithParam<const char*> {};

TEST_P(Templates, ReadAsTheyHaveBeenRead) {
  std::string text;
  for (const char* name : {"title", "color", "severity", "text", "slack", "markdown", "html",
                           "runbook", "link", "silence"}) {
    const std::string rendered = Render(name, GetParam());
    text.append("==== ").append(name).append("\n").append(rendered).append("\n");
  }
  const std::string file = kTexts + GetParam() + ".txt";
  if (std::getenv("REGISTRY_BACKEND_WRITE_TEXTS") != nullptr) WriteFile(file, text);
  EXPECT_EQ(text, ReadFile(file));
}

// The data are what Alertmanager hands to templates, written by hand.
INSTANTIATE_TEST_SUITE_P(Messages, Templates,
                         ::testing::Values("one_added", "five_added", "one_removed",
                                           "added_and_removed_together", "resolved", "many",
                                           "drill", "drill_resolved", "exporter_down", "hostile"),
                         [](const auto& test) { return std::string(test.param); });

// As a block of code, each line of it.
std::string Indented(const std::string& text) {
  std::string block;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    block += line.empty() ? "\n" : "    " + line + "\n";
  }
  return block;
}

TEST(TemplateDocumentation, ShowsMessagesAsTheyAre) {
  const std::string document = ReadFile(REGISTRY_BACKEND_SOURCE_DIR "/docs/alertmanager.md");
  for (const char* name : {"title", "slack"}) {
    EXPECT_THAT(document, HasSubstr(Indented(Render(name, "one_added"))));
  }
  for (const char* name : {"title", "text"}) {
    EXPECT_THAT(document, HasSubstr(Indented(Render(name, "resolved"))));
  }
}

TEST(TemplateSafety, NoTextFromOutsideBecomesMarkup) {
  EXPECT_THAT(Render("html", "hostile"), Not(HasSubstr("<script")));
  EXPECT_THAT(Render("slack", "hostile"), Not(HasSubstr("<!channel")));
  EXPECT_THAT(Render("title", "hostile"), Not(HasSubstr("<!channel")));
  EXPECT_THAT(Render("markdown", "hostile"), Not(HasSubstr(" [x](")));
  for (const char* name : {"text", "slack", "markdown", "html", "runbook"}) {
    EXPECT_THAT(Render(name, "hostile"), Not(HasSubstr("javascript:"))) << name;
  }
  for (const char* name : {"title", "text", "slack", "markdown", "html"}) {
    const std::string text = Render(name, "hostile");
    EXPECT_THAT(text, Not(HasSubstr("\u202e"))) << name;
    EXPECT_LT(text.size(), 4000U) << name;
  }
}

}  // namespace
}  // namespace registry_backend::testing
