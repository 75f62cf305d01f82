#pragma once

#include <string>
#include <string_view>

// What stands around the pages for people.
namespace registry_backend::page {

// What a page may do: use the one style and the one script that are in it, each known by its hash,
// and nothing else. For the header field and for a <meta>; frame-ancestors, which only the field
// may have, is not in it.
const std::string& ContentSecurityPolicy();

// Up to `<body>`. `policy_within`: the page states its policy itself, for there may be no server
// that sends it.
std::string Head(std::string_view title, bool policy_within);

// The script and the end. What it does is a convenience, and shown only where it works.
std::string Foot();

}  // namespace registry_backend::page
