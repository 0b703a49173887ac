// DotSource: gives out dots, none of them twice, whatever happens to the node.
#ifndef VARVE_CLUSTER_DOT_SOURCE_H_
#define VARVE_CLUSTER_DOT_SOURCE_H_

#include <cstdint>
#include <optional>

#include "cluster/causal_context.h"
#include "cluster/dot.h"
#include "cluster/types.h"

namespace varve::cluster {

// The counter of one actor in one partition. A dot given twice is how acknowledged writes vanish: the second
// bearer counts as known wherever the first one was (Riak's kv679). Three things prevent it:
//
//  - The counter belongs to the partition, not to the key: a key that is forgotten restarts nothing.
//  - Dots come out of a lease, whose end is on disk, synced, before its first dot is given; after a restart
//    the counter goes on at the end of the lease. What a crash takes can so not be given again.
//  - A node that cannot be sure of having all it wrote (data lost, restored, or a power cut before a sync)
//    gets a new actor. Should it miss that, it learns of its own dots beyond the lease from others, and
//    Observe ends its making of dots for good.
//
// What the owner must keep: a dot leaves the node, in a message or a reply, only after the state that holds
// it is in the node's store. Otherwise a crash leaves the others with a dot of which its maker knows nothing,
// and the next put of that key would cover it unseen.
//
// Deterministic. Thread-compatible.
class DotSource {
 public:
  // Dots that a lease holds: a restart costs that many numbers, and a sync is needed once in as many writes.
  static constexpr uint64_t kLeaseSize = uint64_t{1} << 20;

  // `actor`: kNoActor for a node that has none yet, which makes no dots. `lease_end`: the last one that was
  // made durable for this actor and partition; 0 when there is none.
  DotSource(ActorId actor, uint64_t lease_end, uint64_t lease_size = kLeaseSize)
      : actor_(actor), lease_size_(lease_size), last_(lease_end), lease_end_(lease_end) {}

  ActorId actor() const { return actor_; }
  // Whether its dots may be used: it has an actor that knows all its own writes.
  bool IsSound() const { return actor_ != kNoActor && !is_amnesiac_; }

  // The next dot; nothing when there is no sound actor, or the lease is used up.
  std::optional<Dot> Next();

  // The end of the lease to make durable now, or nothing while the present one will do for a while. The same
  // answer until OnLeaseDurable.
  std::optional<uint64_t> LeaseToExtend() const;
  // The lease is durable up to `end`.
  void OnLeaseDurable(uint64_t end);

  // Looks at what others know before it becomes part of the state: dots of this actor that it has never
  // given are proof that it has forgotten. False from then on.
  bool Observe(const CausalContext& context);

  // The last dot given; what others may know of is no later.
  uint64_t last() const { return last_; }

 private:
  ActorId actor_;
  uint64_t lease_size_;
  uint64_t last_;
  uint64_t lease_end_;
  bool is_amnesiac_ = false;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_DOT_SOURCE_H_
