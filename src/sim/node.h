// What the simulator runs: nodes that are state machines. Events come in, with the time; actions go out. A node has no
// thread, clock, socket or file, and its randomness comes by constructor: then a run is a function of its seed.
#ifndef VARVE_SIM_NODE_H_
#define VARVE_SIM_NODE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve::sim {

using Nanos = uint64_t;
inline constexpr Nanos kMicrosecond = 1'000;
inline constexpr Nanos kMillisecond = 1'000'000;
inline constexpr Nanos kSecond = 1'000'000'000;

// Servers from 0 on, then clients, then the topology store.
using Endpoint = uint32_t;

// As a node sees it.
struct Time {
  Nanos monotonic = 0;  // never goes back; may run too fast or too slowly
  Nanos wall = 0;       // may also jump
};

// What came of asking the topology store.
struct StoreReply {
  enum class Kind : uint8_t { kRead, kCompareAndSwap, kWatch };
  Kind kind = Kind::kRead;
  uint64_t id = 0;             // of the request; 0 for kWatch
  bool is_swapped = false;     // kCompareAndSwap: took effect. Without a reply nobody knows
  uint64_t revision = 0;       // the one that is told of. Reads and watches may be late, swaps are not
  std::string_view bytes;      // at that revision
};

// What a node wants done, in this order.
class Actions {
 public:
  enum class Kind : uint8_t { kSend, kSetTimer, kCancelTimer, kWrite, kErase, kSync, kReadStore, kSwapStore, kWatchStore };
  struct Action {
    Kind kind;
    uint64_t a;
    uint64_t b;
    std::string key;
    std::string bytes;
  };

  // May be lost, late, twice, out of order.
  void Send(Endpoint to, std::string bytes) { Add(Kind::kSend, to, 0, {}, std::move(bytes)); }
  // After `delay` by the node's own clock. One timer of each id: setting it again replaces it.
  void SetTimer(uint64_t id, Nanos delay) { Add(Kind::kSetTimer, id, delay, {}, {}); }
  void CancelTimer(uint64_t id) { Add(Kind::kCancelTimer, id, 0, {}, {}); }
  // To the node's disk: visible at once, durable with the next Sync that succeeds (disk.h).
  void Write(std::string key, std::string value) { Add(Kind::kWrite, 0, 0, std::move(key), std::move(value)); }
  // `with_previous`: survives a loss of power exactly if the write or erasure before it does.
  void Erase(std::string key, bool with_previous = false) {
    Add(Kind::kErase, with_previous ? 1 : 0, 0, std::move(key), {});
  }
  void Sync(uint64_t id) { Add(Kind::kSync, id, 0, {}, {}); }
  // The topology store: a register with a revision. Watching holds until the node restarts.
  void ReadStore(uint64_t id) { Add(Kind::kReadStore, id, 0, {}, {}); }
  void SwapStore(uint64_t id, uint64_t expected_revision, std::string bytes) {
    Add(Kind::kSwapStore, id, expected_revision, {}, std::move(bytes));
  }
  void WatchStore() { Add(Kind::kWatchStore, 0, 0, {}, {}); }

  std::vector<Action>& list() { return list_; }

 private:
  void Add(Kind kind, uint64_t a, uint64_t b, std::string key, std::string bytes) {
    list_.push_back({kind, a, b, std::move(key), std::move(bytes)});
  }
  std::vector<Action> list_;
};

// One life of a node, from its start to a crash. Views are valid during the call.
class Node {
 public:
  virtual ~Node() = default;
  // Once, before all others.
  virtual void OnStart(Time now, Actions* actions) = 0;
  virtual void OnMessage(Endpoint from, std::string_view bytes, Time now, Actions* actions) = 0;
  virtual void OnTimer(uint64_t id, Time now, Actions* actions) = 0;
  // `ok`: all that was written before that Sync is durable; otherwise nobody knows.
  virtual void OnSynced(uint64_t /*id*/, bool /*ok*/, Time /*now*/, Actions* /*actions*/) {}
  virtual void OnStore(const StoreReply& /*reply*/, Time /*now*/, Actions* /*actions*/) {}
};

}  // namespace varve::sim

#endif  // VARVE_SIM_NODE_H_
