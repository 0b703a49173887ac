// Balance: makes an assignment of items to holders balanced, at the least cost.
//
// Given is any assignment. It is improved by cycles of moves, "an item from a to b, another one from b to c,
// ...", closed through a vertex that stands for gaining or losing one item within the holder's share, for
// as long as one makes the whole cheaper (cycle cancelling; Klein, 1967). Where no cycle does, the assignment is
// the best there is: it is a flow of minimum cost, whose costs are convex. Cycles are found among
// the holders, not among the items: of all items that could go from a to b only the cheapest matters.
//
// Costs have three ranks, of which a higher one is never paid for a lower one:
//   1 balance   items of a holder above `most` or below `least` of its share
//   2 rule      whatever the caller wants kept (not too many copies in one rack)
//   3 movement
#ifndef VARVE_CLUSTER_BALANCE_H_
#define VARVE_CLUSTER_BALANCE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/shares.h"

namespace varve::cluster {

// What is assigned, and what a move would cost. Holders and items are numbered from 0.
class Assignment {
 public:
  // By what a move changes the costs of rank 2 and 3: each -1, 0 or 1.
  struct Cost {
    int rule = 0;
    int movement = 0;
  };

  virtual ~Assignment() = default;
  virtual uint32_t items() const = 0;
  virtual const std::vector<uint32_t>& HoldersOf(uint32_t item) const = 0;
  // Of moving `item` from `from`, which holds it, to `to`; nothing when `to` must not have it (as one that
  // holds it already).
  virtual std::optional<Cost> CostOf(uint32_t item, uint32_t from, uint32_t to) const = 0;
  virtual void Move(uint32_t item, uint32_t from, uint32_t to) = 0;
};

// Changes `assignment` to a cheapest one. `shares` has one entry a holder. Of equally cheap moves those of items
// that a hash of `seed` prefers, so that neighbours spread.
// O(cycles * holders^2) for a few passes each: as many cycles as the assignment is moves away from
// balance, or less. REQUIRES: fewer than 2^16 holders, fewer than 2^20 moves of items in all.
void BalanceByExchange(Assignment* assignment, const std::vector<Share>& shares, uint64_t seed);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_BALANCE_H_
