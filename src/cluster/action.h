// What the cores of this layer want done. A core takes an event, changes itself, and appends actions; the
// driver does them after the call, in their order, and comes back with what became of them as events. Nothing
// is done twice for one action; what is dropped by a crash is not done later.
#ifndef VARVE_CLUSTER_ACTION_H_
#define VARVE_CLUSTER_ACTION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/message.h"
#include "cluster/types.h"
#include "cluster/version_vector.h"

namespace varve::cluster {

// To `message.to`, which may be this node. May be lost, delayed, doubled, overtaken. Between the cores of a node; its
// driver gets SendBytes.
struct Send {
  Message message;
};
// To another node, as EncodeMessage has made them.
struct SendBytes {
  NodeId to;
  std::string bytes;
};

// Storage of a replica. The reply to ReadKey and WriteKey is OnKeyRead and OnKeyWritten with the number of the
// operation. A write is whole or absent after a crash, and replied to when it is as durable as the
// namespace demands. At most one operation on a key is under way.
struct ReadKey {
  PartitionId partition;
  uint64_t operation;
  std::string key;
};
struct WriteKey {
  PartitionId partition;
  uint64_t operation;
  std::string key;
  std::optional<std::string> bytes;  // nothing: erase it
};
// Stored keys under some leaves of the hash tree, with HashTree::HashOf their bytes, for OnKeysListed: the first `at_most`
// behind `after` (empty: of all) in any order that stays, fewer only when there are no more.
struct ListKeys {
  PartitionId partition;
  uint64_t operation;
  std::vector<uint32_t> leaves;
  std::string after;
  size_t at_most;
};

// To be synced to disk, whatever the durability of the namespace, and with it all that was written to the partition
// before; then OnLeaseDurable, OnEpochDurable, OnFloorDurable.
struct PersistLease {
  PartitionId partition;
  ActorId actor;
  uint64_t end;
};
struct PersistEpoch {
  PartitionId partition;
  Epoch epoch;
};
struct PersistFloor {
  PartitionId partition;
  VersionVector floor;
};

// A replica has met a message of a later topology than it knows: get it, from the store or from `from`.
struct LearnTopology {
  Epoch epoch;
  NodeId from;
};

// The last topology known, for the next start. No reply. It need not be synced, but what is synced after it makes it durable
// as well.
struct PersistTopology {
  std::string bytes;
};
// Dots of no actor up to this one must be made by this node any more. To be synced; then OnActorForsaken.
struct ForsakeActor {
  ActorId actor;
};
// All keys of the partition as they are stored, by OnKeyLoaded, and then OnPartitionLoaded.
struct LoadPartition {
  PartitionId partition;
};
// This node has no copy any more: erase its keys and its floor, at once or the floor first: a floor without the keys says that
// they are deleted. Its epoch and its lease stay; a lease that ends at 0 may come before. No reply; what is asked of the
// partition afterwards comes after it.
struct DropPartition {
  PartitionId partition;
};
// Change the topology in the store if its revision is still the one that this was made from; then OnSwapped.
struct SwapTopology {
  uint64_t swap;  // comes back
  uint64_t expected_revision;
  std::string bytes;
};

// A hint to keep over restarts, then OnHintStored; and one that is done with.
struct StoreHint {
  uint64_t hint;
  NodeId owner;
  PartitionId partition;
  std::string key;
  std::string state;
};
struct EraseHint {
  uint64_t hint;
};

// The end of a client's request.
enum class Outcome : uint8_t {
  kOk,       // as many replicas as asked for have it, or have answered
  kFailed,   // without effect, now and for ever
  kUnknown,  // of a write: may become visible, or be visible already
};
struct FinishPut {
  uint64_t client_request;
  Outcome outcome;
  ReplyCode reason;  // of what is not kOk, the last refusal; kOk: no answer in time
  SeenContext seen;  // of kOk and kUnknown: what its client has seen, this write among it
};
struct FinishGet {
  uint64_t client_request;
  Outcome outcome;  // kOk or kFailed
  ReplyCode reason;
  std::vector<std::string> values;  // none: absent
  SeenContext seen;
};

using Action = std::variant<Send, ReadKey, WriteKey, ListKeys, PersistLease, PersistEpoch, PersistFloor,
                            LearnTopology, StoreHint, EraseHint, FinishPut, FinishGet, SendBytes,
                            PersistTopology, ForsakeActor, LoadPartition, DropPartition, SwapTopology>;
using Actions = std::vector<Action>;

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_ACTION_H_
