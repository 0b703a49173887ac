// Poller: waits until one of many descriptors is ready, or until somebody wakes it. For loops whose
// connections are not a server's (event_loop.h).
#ifndef VARVE_NET_POLLER_H_
#define VARVE_NET_POLLER_H_

#include <cstdint>
#include <vector>

#include "net/socket.h"
#include "varve/status.h"

namespace varve::net {

// Thread-compatible; Wake is thread-safe. Descriptors leave it when they are closed.
class Poller {
 public:
  struct Event {
    uint64_t key = 0;
    bool can_read = false;  // also when the connection is broken: a read then says so
    bool can_write = false;
  };

  Status Open();
  // `key`: what events call it; not 0. Reading is always waited for.
  Status Add(int descriptor, uint64_t key, bool wants_write);
  // Nothing more is told of it.
  void Remove(int descriptor);
  void SetWantsWrite(int descriptor, uint64_t key, bool wants_write);
  // Waits at most `timeout_nanos`, rounded up to milliseconds, and replaces `*events` by what is ready. Returns
  // early, with none, when it is woken or a signal comes.
  void Wait(uint64_t timeout_nanos, std::vector<Event>* events);
  // The wait under way ends at once, or the next one.
  void Wake();

 private:
  Descriptor epoll_;
  Descriptor wake_;
};

}  // namespace varve::net

#endif  // VARVE_NET_POLLER_H_
