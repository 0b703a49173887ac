// What the event loops need from whoever gives their bytes a meaning. net itself knows no protocol.
#ifndef VARVE_NET_HANDLER_H_
#define VARVE_NET_HANDLER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace varve::net {

// What became of the input of a turn.
struct Turn {
  enum class Next {
    kRead,               // waits for more input
    kMore,               // can go on at once; others get their turn first
    kWait,               // goes on in wait_millis, or when it is woken; nothing is read until then
    kCloseAfterReplies,  // what it has written is sent first
    kClose,
  };
  size_t consumed = 0;
  // How many bytes the rest of the input must grow to before there is anything to do. A hint.
  size_t wanted = 0;
  Next next = Next::kRead;
  uint64_t wait_millis = 0;
};

// One connection, seen from above. Lives in the thread of its loop.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  // Takes what it can use from the beginning of `input`, all that has come and was not consumed, and
  // appends its replies to `output`, which may already hold earlier ones. It should return with kMore when it
  // has appended about a megabyte.
  virtual Turn OnInput(std::string_view input, std::string* output) = 0;
  // Whoever is still there so long after the connection began is cut, unless there is no limit any more by
  // then. 0: no limit. A handler with a limit does not ask for Turn::Next::kWait.
  virtual uint64_t lifetime_millis() const { return 0; }
};

// Who is at the other end.
struct Peer {
  uint64_t id = 0;  // of the connection; from 1, never given twice by one process
  int descriptor = -1;
  int service = 0;            // of the port it came to (ExtraPort); 0: the main one
  std::string address;        // "127.0.0.1:4711", "[::1]:4711", or the path of a Unix socket and ":0"
  std::string local_address;  // the same of this end
  bool is_local = false;      // came over loopback or a Unix socket
  // Thread-safe, and harmless when the connection is gone, or the server has stopped; it is not yet destroyed. Ends it
  // as if the other end had; or lets one that waits go on.
  std::function<void()> close;
  std::function<void()> wake;
  // Thread-safe, and harmless when the connection is gone. Appends to what is sent, behind what it has
  // appended before; not in the midst of what a turn writes.
  std::function<void(std::string bytes)> write;
};

// What belongs to one loop.
class LoopHandler {
 public:
  virtual ~LoopHandler() = default;
  virtual std::unique_ptr<ConnectionHandler> OnConnect(const Peer& peer) = 0;
  // After the turns of one wake-up and before anything that they wrote is sent. False: none of it may be
  // sent, and these connections are closed.
  virtual bool BeforeSend() { return true; }
  // Whether BeforeSend costs nothing now, so that a wake-up with much to do may send in parts.
  virtual bool SendsInParts() const { return true; }
  // The same while the loop goes on with other turns. True: it has begun, and calls `done` once, from any thread, with
  // what BeforeSend would return; it is not called again before that. False: BeforeSend is to be called.
  virtual bool BeginBeforeSend(std::function<void(bool)> /*done*/) { return false; }
};

// Makes the handlers of the loops. Called by Server::Start.
using LoopHandlerFactory = std::function<std::unique_ptr<LoopHandler>(int loop_index)>;

}  // namespace varve::net

#endif  // VARVE_NET_HANDLER_H_
