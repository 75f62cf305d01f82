#pragma once

#include <functional>
#include <memory>
#include <thread>

#include "exporter/common/result.h"
#include "exporter/server/listen_address.h"

namespace registry_backend::server {

// One address, and the thread that accepts connections for it.
class Listener {
 public:
  // Owns the socket it is given: connected, close-on-exec, does not block. Called by the thread.
  using Take = std::function<void(int socket)>;
  // Gives back a file, for there is none left for whoever connects. Likewise.
  using MakeRoom = std::function<void()>;

  // Listens; what connects waits until Begin. The error names the address.
  static Result<std::unique_ptr<Listener>> Bind(const ListenAddress& wanted);

  ~Listener();  // as Stop
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void Begin(Take take, MakeRoom make_room);

  // Accepts no more, and closes the address. Once is enough; more do no harm.
  void Stop();

  // With the port that was bound.
  [[nodiscard]] const ListenAddress& address() const { return address_; }

 private:
  Listener(ListenAddress address, int socket, int wake);
  void Run(const Take& take, const MakeRoom& make_room) const;

  const ListenAddress address_;
  int socket_;
  int wake_;  // an eventfd
  std::thread thread_;
};

}  // namespace registry_backend::server
