// HintKeeper: states that one node keeps for others that did not answer, until they have them.
#ifndef VARVE_CLUSTER_HINT_KEEPER_H_
#define VARVE_CLUSTER_HINT_KEEPER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "cluster/action.h"
#include "cluster/message.h"
#include "cluster/types.h"

namespace varve::cluster {

// A hint is acknowledged when it is durable, and forgotten when its owner has acknowledged the state. What would
// exceed the bounds is refused, never dropped: its coordinator then knows that it is not kept, and the partition waits
// for anti-entropy. Thread-compatible.
class HintKeeper {
 public:
  struct Options {
    NodeId self;
    uint64_t first_hint;                    // numbers as in CoordinatorOptions::first_operation
    size_t max_bytes = size_t{256} << 20;   // keys and states, over all owners
    size_t max_bytes_of_owner = size_t{64} << 20;
    size_t window = 32;                     // hints on their way to one owner
    Nanos resend_every = 1'000'000'000;
  };

  using EpochOf = std::function<Epoch(PartitionId)>;

  explicit HintKeeper(Options options) : options_(options), next_hint_(options.first_hint) {}

  // A hint of the last run, before the first event; `hint` as in StoreHint.
  void Load(uint64_t hint, NodeId owner, PartitionId partition, std::string key, std::string state);

  // A HintRequest, or a MergeReply to a hint. Others are ignored.
  void OnMessage(const Message& message, Actions* actions);
  void OnHintStored(uint64_t hint, bool is_durable, Actions* actions);
  // Sends what is due to all owners that are not suspects, under the epoch that `epoch_of` says of each partition. To be
  // called now and then.
  void OnTime(Nanos now, const EpochOf& epoch_of, const std::set<NodeId>& suspects, Actions* actions);
  // What is due to one. To be called when it has acknowledged some.
  void SendTo(NodeId owner, Nanos now, const EpochOf& epoch_of, Actions* actions);
  // `owner` has left, and `heir` has what was its partition: gets the hints instead.
  void ChangeOwner(PartitionId partition, NodeId owner, NodeId heir);

  // How many are kept for whom in which partition.
  const std::map<std::pair<PartitionId, NodeId>, size_t>& owed() const { return owed_; }
  size_t HintsOf(PartitionId partition) const;
  size_t hints() const { return hints_.size(); }
  size_t bytes() const { return bytes_; }
  // Refused for want of room since the start.
  uint64_t refused() const { return refused_; }

 private:
  struct Hint {
    NodeId owner;
    PartitionId partition;
    std::string key;
    std::string state;
    bool is_durable = false;
    Nanos sent_at = 0;     // 0: not yet
    Message request;       // to be answered when it is durable
    size_t size() const { return key.size() + state.size(); }
  };

  void Count(uint64_t number, const Hint& hint, bool is_new);
  void Erase(std::map<uint64_t, Hint>::iterator hint);
  void Reply(const Message& request, ReplyCode code, Actions* actions) const;

  const Options options_;
  uint64_t next_hint_;
  std::map<uint64_t, Hint> hints_;
  std::map<NodeId, std::set<uint64_t>> of_owner_;  // hints, the oldest first
  std::map<NodeId, size_t> bytes_of_;
  std::map<std::pair<PartitionId, NodeId>, size_t> owed_;
  size_t bytes_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_HINT_KEEPER_H_
