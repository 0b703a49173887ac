// Outbox: messages that wait for their way to a peer, in bounded queues, each with its deadline.
#ifndef VARVE_NODE_OUTBOX_H_
#define VARVE_NODE_OUTBOX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "cluster/types.h"

namespace varve::node {

using cluster::Nanos;
using cluster::NodeId;

// What became of a message at the call of Send. Only kQueued may still be delivered.
enum class SendOutcome {
  kQueued,
  kFull,         // the peer's queue is; others than this one may have room
  kTooLarge,     // for any queue
  kExpired,      // its deadline has passed
  kUnknownPeer,
  kStopped,
};
const char* SendOutcomeName(SendOutcome outcome);

struct Message {
  std::string bytes;
  Nanos deadline = 0;  // 0: none
};

struct QueueLimits {
  // Of one peer. A message that travels in pieces (frame.h) is also taken above max_bytes when no other
  // such message waits, so that one of any legal size always gets its turn.
  size_t max_messages = 16 * 1024;
  size_t max_bytes = size_t{64} << 20;
  size_t max_message_bytes = (size_t{512} << 20) + (size_t{1} << 20);
};

// Of one peer. Thread-compatible.
class SendQueue {
 public:
  // `limits` outlives it.
  explicit SendQueue(const QueueLimits* limits) : limits_(limits) {}

  SendOutcome Push(std::string bytes, Nanos deadline, Nanos now);
  // Moves the messages that wait longest and travel whole to `*taken`, until they have `max_bytes`; expired
  // ones go nowhere.
  void TakeSmall(Nanos now, size_t max_bytes, std::vector<Message>* taken);
  std::optional<Message> TakeLarge(Nanos now);
  // O(1) before the first deadline of all that wait, O(their number) then.
  void DropExpired(Nanos now);

  bool is_empty() const { return small_.empty() && large_.empty(); }
  size_t size() const { return small_.size() + large_.size(); }
  size_t bytes() const { return bytes_; }
  uint64_t expired() const { return expired_; }

 private:
  // What a message counts for beside its bytes.
  static constexpr size_t kOverhead = sizeof(Message);
  bool HasRoom(size_t size) const;
  bool TakeFirst(std::deque<Message>* from, Nanos now, Message* taken);

  const QueueLimits* const limits_;
  std::deque<Message> small_;
  std::deque<Message> large_;
  size_t bytes_ = 0;
  uint64_t expired_ = 0;
  Nanos first_deadline_ = ~Nanos{0};  // at or before the earliest of those that wait
};

// The queues of all peers, and who has something to send. Thread-safe.
class Outbox {
 public:
  explicit Outbox(const QueueLimits& limits) : limits_(limits) {}

  void AddPeer(NodeId peer) VARVE_EXCLUDES(mu_);  // no effect when it is there
  // What waits for it is dropped.
  void RemovePeer(NodeId peer) VARVE_EXCLUDES(mu_);
  // From now on everything is kStopped, and nothing waits.
  void Stop() VARVE_EXCLUDES(mu_);
  // `*must_wake`: whether the taker has to be woken, since it sleeps.
  SendOutcome Send(NodeId to, std::string bytes, Nanos deadline, Nanos now, bool* must_wake) VARVE_EXCLUDES(mu_);

  // --- For the one who takes.

  // Replaces `*peers` by those to whom messages have come since the last call. If there are none, the taker
  // counts as asleep from now on, until it calls again or Send wants it woken.
  void TakeReady(std::vector<NodeId>* peers) VARVE_EXCLUDES(mu_);
  // The taker will call TakeReady without being woken.
  void NoteAwake() VARVE_EXCLUDES(mu_);
  void TakeSmall(NodeId peer, Nanos now, size_t max_bytes, std::vector<Message>* taken) VARVE_EXCLUDES(mu_);
  std::optional<Message> TakeLarge(NodeId peer, Nanos now) VARVE_EXCLUDES(mu_);
  void DropExpired(NodeId peer, Nanos now) VARVE_EXCLUDES(mu_);

  // Messages that wait, and that have expired, of all peers, gone ones among the latter.
  uint64_t waiting() const VARVE_EXCLUDES(mu_);
  uint64_t expired() const VARVE_EXCLUDES(mu_);

 private:
  struct Peer {
    explicit Peer(const QueueLimits* limits) : queue(limits) {}
    SendQueue queue;
    bool is_ready = false;
  };

  const QueueLimits limits_;
  mutable Mutex mu_;
  std::map<NodeId, Peer> peers_ VARVE_GUARDED_BY(mu_);
  std::vector<NodeId> ready_ VARVE_GUARDED_BY(mu_);
  uint64_t expired_of_gone_ VARVE_GUARDED_BY(mu_) = 0;
  bool is_asleep_ VARVE_GUARDED_BY(mu_) = false;
  bool is_stopped_ VARVE_GUARDED_BY(mu_) = false;
};

}  // namespace varve::node

#endif  // VARVE_NODE_OUTBOX_H_
