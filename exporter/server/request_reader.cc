#include "exporter/server/request_reader.h"

#include <algorithm>
#include <array>

namespace registry_backend::server {

std::optional<RequestReader::Received> RequestReader::Fill(Time until) {
  std::array<char, 4096> piece;
  const ReadResult result = connection_.Read(piece.data(), piece.size(), until);
  switch (result.state) {
    case ReadState::kData:
      unread_.append(piece.data(), result.bytes);
      return std::nullopt;
    case ReadState::kLate:
      return Received{.refusal = HeadRefusal{408}};
    case ReadState::kClosed:
    case ReadState::kBroken:
      break;
  }
  return Received{};
}

bool RequestReader::AwaitRequest() {
  const Time until = Clock::now() + times_.idle;
  for (bool may_skip = true;;) {
    if (may_skip && unread_.starts_with("\r\n")) {
      unread_.erase(0, 2);
      may_skip = false;
    }
    if (!unread_.empty() && !(may_skip && unread_ == "\r")) return true;
    if (Fill(until)) return false;
  }
}

RequestReader::Received RequestReader::Next() {
  if (!AwaitRequest()) return {};
  const Time begun = Clock::now();
  const Time until = begun + times_.read;
  HeadEnd end = FindHeadEnd(unread_);
  while (end.bytes == 0) {
    if (end.refusal) return {.refusal = end.refusal};
    if (auto over = Fill(until)) return *over;
    end = FindHeadEnd(unread_);
  }
  RequestHead head;
  if (auto refusal = ReadHead(std::string_view(unread_).substr(0, end.bytes), head)) {
    return {.refusal = refusal};
  }
  unread_.erase(0, end.bytes);
  if (auto over = DropBody(head, until)) return *over;
  if (unread_.empty()) unread_.shrink_to_fit();
  return {.head = std::move(head), .begun = begun};
}

std::optional<RequestReader::Received> RequestReader::DropBody(const RequestHead& head,
                                                               Time until) {
  std::size_t left = head.body_bytes;
  if (head.expects_100 && left > unread_.size() &&
      !connection_.WriteAll("HTTP/1.1 100 Continue\r\n\r\n", until)) {
    return Received{};
  }
  while (true) {
    const std::size_t count = std::min(left, unread_.size());
    unread_.erase(0, count);
    left -= count;
    if (left == 0) return std::nullopt;
    if (auto over = Fill(until)) return over;
  }
}

}  // namespace registry_backend::server
