#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "exporter/common/time.h"
#include "exporter/server/line.h"

namespace registry_backend::server {

// All connections of a server, and what they may take together. Where there is no more of it, the
// one that has waited longest for its client ends: whoever holds connections without using them
// does not keep others out. Thread-safe.
class ConnectionTable {
 public:
  struct Limits {
    std::size_t connections = 512;
    std::size_t handshakes = 32;
    // Of answers being sent, those that are shared counted once; or four times the newest one,
    // where that is more: a few clients can be served whatever the size.
    std::size_t held_bytes = std::size_t{12} * 1024 * 1024;
    // How long a handshake is left alone by those who came after it, and by those who came before:
    // a crowd that stands in line does not end the newcomer's that has just passed it by.
    Duration handshake_grace = std::chrono::milliseconds(10);
    Duration newer_handshake_grace = std::chrono::milliseconds(60);
  };

  explicit ConnectionTable(const Limits& limits) : limits_(limits) {}

  // So many connections in place of those of the limits. Before the first one comes.
  void Limit(std::size_t connections);

  // Ends the one that waits longest, where none is about to leave: a newcomer could not be
  // accepted.
  void MakeRoom();

  // Takes in a connected socket, which waits for its client then. Makes room, for which it may wait
  // a moment. False: there is none, or the table is closed; the socket stays out.
  bool Enter(int socket);

  // To be called before the socket is closed. True: so many have left that the memory they used is
  // worth giving back to the system.
  bool Leave(int socket);

  // The connection waits for its client from now on: for a request, or to take an answer with
  // `body`, which is looked at in this call only.
  void Wait(int socket, const std::string* body = nullptr);

  // The connection stands in a line, as one that waits for its client: where it is ended, `turn` is
  // cancelled. Null: it stands in none any more, which is to be said while the turn lives.
  void Stand(int socket, Line::Turn* turn);

  // It has taken some of the answer.
  void Took(int socket);

  // The connection is at work, and not to be ended.
  void Work(int socket);

  // Waits for its turn, which the newest has first: those who hold everything up came before it.
  // False: it did not come in time, or the connection ends.
  bool BeginHandshake(int socket, Time until);
  void EndHandshake(int socket);

  // Ends all and takes in no more.
  void Close();

  // Waits until all have left. After Close.
  void AwaitEmpty();

  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    Time since;  // waits, or shakes hands
    bool waits = true;
    bool ended = false;
    std::condition_variable* turn = nullptr;  // while it stands in line to shake hands
    bool shakes_hands = false;
    std::uint64_t came = 0;            // to the line, as the how-manieth
    Line::Turn* other_turn = nullptr;  // in another line
    const void* held = nullptr;        // tells answers apart, no more
    std::size_t held_bytes = 0;
  };
  using Entries = std::map<int, Entry>;

  // The one that waits longest and may be ended. `lock` is held.
  template <typename May>
  Entries::iterator Longest(May may);
  void End(Entries::value_type& entry);
  // Ends the oldest handshake that has had its time, or says when there may be one. `came`: the one
  // that makes room for itself.
  Time EndStalledHandshake(std::uint64_t came);
  void WakeNewest();
  [[nodiscard]] std::size_t HeldBytes() const;
  void EndHolders(int besides);  // that one is not ended

  Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable left_;                // one has
  Entries entries_;                             // guarded by mutex_, as all below
  std::vector<std::condition_variable*> line_;  // to shake hands, the newest last
  std::size_t leaving_ = 0;                     // entries that are ended
  std::size_t handshakes_ = 0;                  // entries that shake hands
  std::uint64_t came_ = 0;                      // to the line so far
  std::size_t most_ = 0;                        // entries at once since memory was given back
  bool closed_ = false;
};

}  // namespace registry_backend::server
