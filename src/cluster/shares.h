// How many of a number of things each of several takers gets, by their weights: the whole numbers on both
// sides of the exact share.
#ifndef VARVE_CLUSTER_SHARES_H_
#define VARVE_CLUSTER_SHARES_H_

#include <cstdint>
#include <vector>

namespace varve::cluster {

// At least `least`, at most `most`, which differ by one, or not at all where the exact share is whole.
struct Share {
  uint32_t least = 0;
  uint32_t most = 0;
  friend bool operator==(const Share&, const Share&) = default;
};

// A taker and the group (rack) that it belongs to.
struct Taker {
  uint32_t weight = 1;
  uint32_t group = 0;
};

// The shares of `total` by weights, where no taker gets more than `limit` and no group more than
// `group_limit` times `limit`: who would, gets just that, and what is left over goes to the others by their
// weights. Shares are exact but for the rounding: the sum of `least` is at most `total`, that of `most` at
// least. Groups are numbered from 0.
// REQUIRES: weights above zero; for each group min(group_limit, its takers), added up and times `limit`, is at
// least `total`; fewer than 2^10 takers, limit < 2^15, total < 2^18. O(n^2) at worst; whole numbers only.
std::vector<Share> SharesByWeight(const std::vector<Taker>& takers, uint32_t total, uint32_t limit,
                                  uint32_t group_limit);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_SHARES_H_
