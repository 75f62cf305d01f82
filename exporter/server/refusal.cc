#include "exporter/server/refusal.h"

#include <string_view>

namespace registry_backend::server {
namespace {

std::string_view PhraseOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 408:
      return "Request Timeout";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 431:
      return "Request Header Fields Too Large";
    case 501:
      return "Not Implemented";
    default:
      return "Refused";
  }
}

}  // namespace

std::string RefusalText(int status, const Headers& headers) {
  std::string line = std::to_string(status) + " " + std::string(PhraseOf(status));
  std::string text = "HTTP/1.1 " + line + "\r\nConnection: close\r\n";
  for (const auto& [name, value] : headers) {
    text.append(name).append(": ").append(value).append("\r\n");
  }
  line += "\n";
  text +=
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: " + std::to_string(line.size()) +
      "\r\n\r\n";
  return text + line;
}

}  // namespace registry_backend::server
