#include "exporter/report/page_frame.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <stdexcept>

namespace registry_backend::page {
namespace {

// No url(), no @import. Words carry what colours say. What has no room for columns is stacked.
constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --text: #1b1f24; --soft: #57606a; --line: #d8dee4;
  --link: #0550ae; --good: #116329; --good-bg: #dafbe1; --fair: #734700; --fair-bg: #fff3c4; --bad: #a40e26;
  --bad-bg: #ffebe9; --none: #424a53; --none-bg: #eaeef2; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --card: #161b22; --text: #e6edf3; --soft: #9aa4af;
  --line: #30363d; --link: #79b8ff; --good: #7ee2a0; --good-bg: #12331f; --fair: #f0c674; --fair-bg: #3a2d0c;
  --bad: #ffa69e; --bad-bg: #42181a; --none: #c4ccd4; --none-bg: #2a3038; } }
* { box-sizing: border-box; }
bdi { overflow-wrap: anywhere; }
body { background: var(--page); color: var(--text); font: 16px/1.5 system-ui, sans-serif; margin: 0 auto;
  max-width: 80rem; padding: 1rem; }
a { color: var(--link); }
h1, h2, h3, p, ol, ul, dl, dd { margin: 0; }
h1 { font-size: 1.35rem; line-height: 1.3; }
h2 { font-size: 1.15rem; line-height: 1.35; overflow-wrap: anywhere; }
h3 { font-size: .95rem; margin: 1.4rem 0 .4rem; }
header { margin: .25rem .1rem 1rem; }
header > p { color: var(--soft); }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin-top: .4rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin: 0 0 1rem;
  padding: 1rem 1.15rem; }
.title { align-items: baseline; display: flex; flex-wrap: wrap; gap: .3rem .6rem; }
.soft { color: var(--soft); font-weight: 400; }
small, .small { font-size: .85rem; }
code, textarea { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .875em; }
code { overflow-wrap: anywhere; unicode-bidi: isolate; }
.badge { border-radius: 1rem; display: inline-block; font-size: .8rem; font-weight: 600; line-height: 1.5;
  padding: 0 .6rem; white-space: nowrap; }
.badge.good { background: var(--good-bg); color: var(--good); }
.badge.fair { background: var(--fair-bg); color: var(--fair); }
.badge.bad { background: var(--bad-bg); color: var(--bad); }
.badge.none { background: var(--none-bg); color: var(--none); }
dd.good { color: var(--good); font-weight: 600; }
dd.fair { color: var(--fair); font-weight: 600; }
dd.bad { color: var(--bad); font-weight: 600; }
dl { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: .8rem 0 0; }
dt { color: var(--soft); font-size: .8rem; }
dd .soft { display: block; font-size: .8rem; }
.note { background: var(--fair-bg); border-left: 4px solid var(--fair); border-radius: .25rem; margin: .8rem 0 0;
  overflow-wrap: anywhere; padding: .5rem .75rem; }
.note.bad { background: var(--bad-bg); border-color: var(--bad); }
.timeline { border-left: 2px solid var(--line); list-style: none; margin: .6rem 0 0 .35rem; padding: 0 0 0 1.1rem; }
.timeline li { margin: 0 0 .45rem; overflow-wrap: anywhere; position: relative; }
.timeline li::before { background: var(--soft); border: 2px solid var(--card); border-radius: 50%; content: "";
  height: .7rem; left: -1.5rem; position: absolute; top: .45rem; width: .7rem; }
.timeline li.added::before { background: var(--good); }
.timeline li.removed::before { background: var(--bad); }
.timeline .at { color: var(--soft); font-size: .85rem; margin-right: .4rem; }
table { border-collapse: collapse; font-size: .93rem; width: 100%; }
th, td { border-top: 1px solid var(--line); padding: .4rem .9rem .4rem 0; text-align: left; vertical-align: top; }
thead th { border: 0; color: var(--soft); font-size: .8rem; font-weight: 600; padding-bottom: .2rem;
  vertical-align: bottom; }
tbody th { font-weight: 400; min-width: 12rem; overflow-wrap: anywhere; }
td { min-width: 4rem; overflow-wrap: anywhere; }
td:has(bdi), td:has(small), td:has(time) { min-width: 7rem; }
td .badge { overflow-wrap: normal; white-space: normal; }
td small, th small { color: var(--soft); display: block; }
tr.absent code { color: var(--soft); }
details { margin: .3rem 0 0; }
summary { cursor: pointer; overflow-wrap: anywhere; }
.tag { border-top: 1px solid var(--line); margin: 0; padding: .35rem 0; }
.tag > :not(summary) { margin: .3rem 0 .6rem 1.1rem; }
.tag > table { width: calc(100% - 1.1rem); }
ul { padding-left: 1.2rem; }
li { overflow-wrap: anywhere; }
.copy { display: flex; flex-wrap: wrap; align-items: center; gap: .3rem 1rem; margin: .4rem 0; }
textarea { background: var(--page); border: 1px solid var(--line); border-radius: .35rem; color: inherit; display: block;
  line-height: 1.45; padding: .5rem; resize: vertical; width: 100%; }
button { background: var(--none-bg); border: 1px solid var(--line); border-radius: .35rem; color: inherit; cursor: pointer;
  font: inherit; font-size: .9rem; padding: .15rem .8rem; }
footer { color: var(--soft); font-size: .85rem; margin: 0 .1rem; }
@media (max-width: 72rem) {
  body { padding: .6rem; }
  section { padding: .85rem .9rem; }
  thead { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; white-space: nowrap; width: 1px; }
  table, tbody, tr, tbody th, td { display: block; }
  tr { border-top: 1px solid var(--line); padding: .5rem 0; }
  tbody th, td, td:has(bdi), td:has(small), td:has(time) { border: 0; min-width: 0; padding: .05rem 0; }
  tbody th { font-weight: 600; }
  td { align-items: baseline; column-gap: .6rem; display: grid; grid-template-columns: 6.5rem minmax(0, 1fr); }
  td:empty { display: none; }
  td::before { color: var(--soft); content: attr(data-label); font-size: .85rem; }
  td > * { grid-column: 2; justify-self: start; min-width: 0; }
}
@media (max-width: 30rem) {
  dl { display: grid; gap: .6rem 1rem; grid-template-columns: 1fr 1fr; }
  dd .soft { font-size: .75rem; }
}
)css";

// Without a secure context there is no navigator.clipboard; then the text is selected and copied
// the old way, and where that fails, stays selected.
constexpr std::string_view kScript = R"js(
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    let copied = false;
    try {
      await navigator.clipboard.writeText(text.value);
      copied = true;
    } catch {
      text.focus();
      text.select();
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl+C";
    setTimeout(() => { button.textContent = "Copy"; }, 4000);
  });
}
)js";

// How a policy names what stands between two tags (CSP Level 3 §2.3.1).
std::string HashSource(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), hash.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL cannot compute a digest");
  }
  std::array<unsigned char, std::size_t{2} * EVP_MAX_MD_SIZE> base64{};
  const int length = EVP_EncodeBlock(base64.data(), hash.data(), static_cast<int>(size));
  return "'sha256-" + std::string(base64.begin(), base64.begin() + length) + "'";
}

}  // namespace

const std::string& ContentSecurityPolicy() {
  static const std::string policy = fmt::format(
      "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
      HashSource(kStyle), HashSource(kScript));
  return policy;
}

std::string Head(std::string_view title, bool policy_within) {
  std::string head =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  if (policy_within) {
    head += fmt::format(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
        "<meta name=\"referrer\" content=\"no-referrer\">\n",
        ContentSecurityPolicy());
  }
  return head +
         fmt::format("<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n", title, kStyle);
}

std::string Foot() { return fmt::format("<script>{}</script>\n</body>\n</html>\n", kScript); }

}  // namespace registry_backend::page
