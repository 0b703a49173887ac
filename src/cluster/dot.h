// Dot: the name of one write, given by the replica that took it.
#ifndef VARVE_CLUSTER_DOT_H_
#define VARVE_CLUSTER_DOT_H_

#include <compare>
#include <cstdint>

#include "cluster/types.h"

namespace varve::cluster {

// The counter-th write of an actor in a partition; from 1 on, over all keys of the partition. No two writes
// in the life of the cluster have the same dot and key: see dot_source.h. Ordered by actor, which means
// nothing but a fixed order.
struct Dot {
  ActorId actor = kNoActor;
  uint64_t counter = 0;

  friend auto operator<=>(const Dot&, const Dot&) = default;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_DOT_H_
