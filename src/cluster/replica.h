// Replica: one node's copy of one partition.
#ifndef VARVE_CLUSTER_REPLICA_H_
#define VARVE_CLUSTER_REPLICA_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cluster/action.h"
#include "cluster/dot_source.h"
#include "cluster/hash_tree.h"
#include "cluster/key_state.h"
#include "cluster/message.h"
#include "varve/status.h"

namespace varve::cluster {

// The policy of the namespace that a key belongs to; the same on all nodes for all time.
using PolicyOf = std::function<ConflictPolicy(std::string_view key)>;

// Takes the requests of message.h that go to a replica, does what is to be done with storage through actions, and
// replies. What it promises:
//
//  - kOk is sent when the state is durable here, and under no older topology than the replica knows then: who
//    has persisted an epoch gives no acknowledgement under an earlier one any more.
//  - The operations on one key happen one after the other; a read sees only what is durable.
//  - A dot leaves in a reply only after the state that holds it is durable here.
//  - A tombstone is erased only when the floor says that every replica has merged what it deletes.
//
// Stored bytes are states stripped of the floor. Thread-compatible; at most Options::max_queued operations wait, and the few of a sweep.
class Replica {
 public:
  struct Options {
    NodeId self;
    PartitionId partition;
    PolicyOf policy_of;
    size_t max_siblings = 100;  // beyond, a put that settles none is refused
    size_t max_queued = 1024;   // operations under way or waiting; beyond, requests are refused
    size_t max_listed = 4096;   // keys of one reply; more come in several, so that no step of the node is long
    uint64_t lease_size = DotSource::kLeaseSize;
    uint64_t first_operation = 1;  // numbers of operations; not those of a former Replica of the partition
  };
  // What the last run left on disk.
  struct Durable {
    ActorId actor = kNoActor;
    uint64_t lease_end = 0;  // of that actor in this partition
    Epoch epoch = kNoEpoch;
    VersionVector floor;
  };

  Replica(Options options, const Durable& durable);

  // For every key that is stored, before the first event.
  void Load(std::string_view key, std::string_view bytes);
  // Before the first event: asks for the first lease.
  void Start(Actions* actions);

  // A request. `wall_micros`: of this node's clock, for stamps alone; it may be wrong.
  void OnMessage(Message message, uint64_t wall_micros, Actions* actions);
  void OnKeyRead(uint64_t operation, Result<std::optional<std::string>> bytes, Actions* actions);
  void OnKeyWritten(uint64_t operation, const Status& status, Actions* actions);
  void OnKeysListed(uint64_t operation, Result<std::vector<KeysReply::Item>> keys, Actions* actions);
  void OnLeaseDurable(uint64_t end, Actions* actions);

  // There is a later topology. From now on nothing is done or acknowledged under an older one; that this
  // outlasts a restart is certain from OnEpochDurable on, which is when a move may count on it.
  void OnTopology(Epoch epoch, Actions* actions);
  void OnEpochDurable(Epoch epoch);
  Epoch epoch() const { return epoch_; }
  Epoch durable_epoch() const { return durable_epoch_; }

  // This node has another actor now; its lease as in Durable.
  void TakeActor(ActorId actor, uint64_t lease_end, Actions* actions);
  ActorId actor() const { return dots_.actor(); }

  // Every current replica has merged all dots up to `floor`. Holds from OnFloorDurable on. Then each key is to be touched
  // once: it is stripped anew, or erased. Sweep does so with all of them, a few at a time.
  void RaiseFloor(const VersionVector& floor, Actions* actions);
  void OnFloorDurable(const VersionVector& floor);
  const VersionVector& floor() const { return floor_; }
  void Touch(const std::string& key, Actions* actions);
  void Sweep(Actions* actions);

  // The last dot of its own that is durable in its state; those given since are on their way. What a floor may
  // reach, once all have merged it.
  Dot LastAppliedDot() const;
  // Its actor has never made a dot in this partition, in no life.
  bool HasMadeNoDots() const { return dots_.last() == 0; }
  // Whether it may take updates.
  bool CanMakeDots() const { return dots_.IsSound(); }
  const HashTree& tree() const { return tree_; }
  size_t queued() const { return queued_; }

 private:
  struct Operation {
    uint64_t number = 0;
    std::optional<Message> request;  // nothing: a Touch. Its key is the queue's
    bool is_sweep = false;
    uint64_t wall_micros = 0;
    // Of what is stored, once it is read.
    std::optional<std::string> bytes;
    // Of what is being written.
    uint64_t hash_after = 0;
    Dot dot;
    uint64_t stamp = 0;
    std::string reply_state;
    bool is_answered = false;
  };

  // Of who has sent an update and its number, which are not chosen by strangers.
  struct HashOfName {
    size_t operator()(const std::pair<NodeId, uint64_t>& name) const {
      return static_cast<size_t>((name.second ^ Value(name.first) << 32) * 0x9E37'79B9'7F4A'7C15);
    }
  };

  // Of each key, the operations on it: the first is under way. None is empty.
  using Queues = std::map<std::string, std::list<Operation>, std::less<>>;
  using Queue = Queues::iterator;

  bool Accept(const Message& message, Actions* actions);
  void Enqueue(std::string key, Operation operation, Actions* actions);
  // These work on the first operation of a queue. Finish ends it, and begins the next.
  void Begin(Queue queue, Actions* actions);
  void Execute(Queue queue, Actions* actions);
  void ExecuteUpdate(Queue queue, KeyState state, Actions* actions);
  void ExecuteMerge(Queue queue, KeyState state, Actions* actions);
  void Store(Queue queue, KeyState state, Actions* actions);
  void Finish(Queue queue, ReplyCode code, Actions* actions);
  void Reply(Operation&& operation, ReplyCode code, Actions* actions);
  void ReplyWith(const Message& request, Message::Body body, Actions* actions) const;
  void ExtendLease(Actions* actions);
  void ListKeysFor(const Message& message, Actions* actions);
  void SweepOn(Actions* actions);
  bool IsRepeated(const Message& message);

  const Options options_;
  DotSource dots_;
  bool lease_is_on_its_way_ = false;
  std::set<Dot> dots_on_their_way_;
  Epoch epoch_;
  Epoch durable_epoch_;
  VersionVector floor_;
  HashTree tree_;

  uint64_t next_operation_;
  size_t queued_ = 0;
  Queues queues_;
  std::map<uint64_t, Queue> under_way_;                  // by the number of the operation
  std::map<uint64_t, std::optional<Message>> listings_;  // nothing: of a sweep
  std::vector<Queue> waiting_for_lease_;  // the first operations of these stay until it comes, and so do they
  uint32_t sweep_leaf_ = HashTree::kLeaves;  // from which on keys are to be touched yet
  std::vector<std::string> sweep_keys_;      // to be touched before the next leaves are listed
  size_t sweep_left_ = 0;                    // of its operations that are under way
  // Updates that came lately, so that one which the network doubles is done once.
  std::unordered_set<std::pair<NodeId, uint64_t>, HashOfName> recent_updates_;
  std::deque<std::pair<NodeId, uint64_t>> recent_updates_by_age_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_REPLICA_H_
