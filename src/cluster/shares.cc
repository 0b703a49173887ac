#include "cluster/shares.h"

#include <algorithm>
#include <cstddef>

namespace varve::cluster {
namespace {

// The exact shares of some takers: of those that are full `limit`, of the others left * weight / sum.
struct FillLevel {
  std::vector<bool> is_full;
  uint64_t left = 0;
  uint64_t sum = 0;
};

// Who is full leaves more to the others, which may make another one full.
FillLevel FillLevelOf(const std::vector<Taker>& takers, const std::vector<size_t>& who, uint64_t total,
              uint64_t limit) {
  FillLevel level{std::vector<bool>(takers.size()), total, 0};
  for (const size_t i : who) level.sum += takers[i].weight;
  for (bool changed = true; changed;) {
    changed = false;
    for (const size_t i : who) {
      if (level.is_full[i] || level.left * takers[i].weight < limit * level.sum) continue;
      level.is_full[i] = changed = true;
      level.left -= limit;
      level.sum -= takers[i].weight;
    }
  }
  return level;
}

void GiveOut(const std::vector<Taker>& takers, const std::vector<size_t>& who, const FillLevel& level,
             uint32_t limit, std::vector<Share>* shares) {
  for (const size_t i : who) {
    if (level.is_full[i]) {
      (*shares)[i] = {limit, limit};
      continue;
    }
    const uint64_t product = level.left * takers[i].weight;
    const auto least = static_cast<uint32_t>(product / level.sum);
    (*shares)[i] = {least, least + (product % level.sum != 0 ? 1 : 0)};
  }
}

}  // namespace

std::vector<Share> SharesByWeight(const std::vector<Taker>& takers, uint32_t total, uint32_t limit,
                                  uint32_t group_limit) {
  std::vector<std::vector<size_t>> groups;
  std::vector<size_t> free;  // takers of groups that are not full
  for (size_t i = 0; i < takers.size(); ++i) {
    groups.resize(std::max(groups.size(), size_t{takers[i].group} + 1));
    groups[takers[i].group].push_back(i);
    free.push_back(i);
  }
  std::vector<Share> shares(takers.size());
  // As with takers: a full group leaves more to the others, which may make another one full.
  while (true) {
    const FillLevel level = FillLevelOf(takers, free, total, limit);
    const auto overfull =
        std::find_if(groups.begin(), groups.end(), [&](const std::vector<size_t>& group) {
          uint64_t weight = 0;
          uint64_t full = 0;
          for (const size_t i : group)
            (level.is_full[i] ? full : weight) += level.is_full[i] ? 1 : takers[i].weight;
          if (full > group_limit) return true;
          return level.left * weight > (group_limit - full) * limit * level.sum;
        });
    if (overfull == groups.end()) {
      GiveOut(takers, free, level, limit, &shares);
      return shares;
    }
    const uint32_t most = group_limit * limit;
    GiveOut(takers, *overfull, FillLevelOf(takers, *overfull, most, limit), limit, &shares);
    total -= most;
    for (const size_t i : *overfull) free.erase(std::find(free.begin(), free.end(), i));
    overfull->clear();
  }
}

}  // namespace varve::cluster
