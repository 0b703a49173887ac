#include "cluster/balance.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr int64_t kMovement = 1;
constexpr int64_t kRule = int64_t{1} << 21;
constexpr int64_t kBalance = int64_t{1} << 42;
constexpr int64_t kImpossible = int64_t{1} << 60;
constexpr size_t kClasses = 9;  // the costs that a move of an item can have
constexpr uint32_t kNoItem = ~0u;

size_t ClassOf(const Assignment::Cost& cost) {
  return static_cast<size_t>(3 * (cost.rule + 1) + cost.movement + 1);
}
int64_t CostOfClass(size_t cost_class) {
  return (static_cast<int64_t>(cost_class / 3) - 1) * kRule +
         (static_cast<int64_t>(cost_class % 3) - 1) * kMovement;
}

uint64_t Mix(uint64_t x) {
  x = (x ^ (x >> 33)) * 0xFF51AFD7ED558CCDull;
  x = (x ^ (x >> 33)) * 0xC4CEB9FE1A85EC53ull;
  return x ^ (x >> 33);
}

class Balancer {
 public:
  Balancer(Assignment* assignment, const std::vector<Share>& shares, uint64_t seed)
      : assignment_(assignment),
        shares_(shares),
        seed_(seed),
        holders_(shares.size()),
        vertices_(holders_ + 1),
        held_(holders_),
        counts_(holders_ * holders_ * kClasses),
        costs_(vertices_ * vertices_, kImpossible) {
    for (uint32_t item = 0; item < assignment_->items(); ++item) {
      for (const uint32_t holder : assignment_->HoldersOf(item)) held_[holder].push_back(item);
      Count(item, 1);
    }
    for (size_t from = 0; from < holders_; ++from) {
      for (size_t to = 0; to < holders_; ++to) UpdateArc(from, to);
      UpdateShareArcs(from);
    }
  }

  void Run() {
    for (std::vector<size_t> cycle = NegativeCycle(); !cycle.empty(); cycle = NegativeCycle()) {
      Apply(MovesOf(cycle));
    }
  }

 private:
  // One arc of a cycle. From or to the last vertex, which holds nothing: without an item.
  struct Hop {
    size_t from;
    size_t to;
    uint32_t item;
  };

  // Adds all that can be done with `item` to the counts, or takes it from them.
  void Count(uint32_t item, int change) {
    for (const uint32_t from : assignment_->HoldersOf(item)) {
      for (uint32_t to = 0; to < holders_; ++to) {
        const auto cost = assignment_->CostOf(item, from, to);
        if (!cost) continue;
        counts_[(from * holders_ + to) * kClasses + ClassOf(*cost)] +=
            static_cast<uint32_t>(change);
      }
    }
  }
  void UpdateArc(size_t from, size_t to) {
    const uint32_t* counts = &counts_[(from * holders_ + to) * kClasses];
    const size_t cheapest = static_cast<size_t>(
        std::find_if(counts, counts + kClasses, [](uint32_t count) { return count > 0; }) - counts);
    costs_[from * vertices_ + to] = cheapest == kClasses ? kImpossible : CostOfClass(cheapest);
  }
  // A holder may lose an item (an arc from the last vertex) or gain one (an arc to it) within its share;
  // beyond, doing so is what balance asks for.
  void UpdateShareArcs(size_t holder) {
    const size_t load = held_[holder].size();
    const Share& share = shares_[holder];
    const size_t last = holders_;
    costs_[last * vertices_ + holder] = load > share.most    ? -kBalance
                                        : load > share.least ? 0
                                                             : kImpossible;
    costs_[holder * vertices_ + last] = load < share.least  ? -kBalance
                                        : load < share.most ? 0
                                                            : kImpossible;
  }

  // The vertices of a cycle whose costs are below zero, in order; empty when there is none.
  // Bellman and Ford's, looking for a cycle of predecessors after each pass.
  std::vector<size_t> NegativeCycle() const {
    std::vector<int64_t> distance(vertices_);
    std::vector<size_t> previous(vertices_, vertices_);
    while (true) {
      bool changed = false;
      for (size_t from = 0; from < vertices_; ++from) {
        const int64_t* row = &costs_[from * vertices_];
        const int64_t base = distance[from];
        for (size_t to = 0; to < vertices_; ++to) {
          if (base + row[to] >= distance[to]) continue;
          distance[to] = base + row[to];
          previous[to] = from;
          changed = true;
        }
      }
      if (!changed) return {};
      std::vector<size_t> cycle = CycleOf(previous);
      if (!cycle.empty() || VARVE_PLANTED_BUG("balance.looks_once")) return cycle;
    }
  }
  std::vector<size_t> CycleOf(const std::vector<size_t>& previous) const {
    std::vector<size_t> seen_from(vertices_, vertices_);
    for (size_t start = 0; start < vertices_; ++start) {
      size_t at = start;
      while (at < vertices_ && seen_from[at] == vertices_) {
        seen_from[at] = start;
        at = previous[at];
      }
      if (at == vertices_ || seen_from[at] != start) continue;
      std::vector<size_t> cycle;
      const size_t first = at;
      do {
        cycle.push_back(at);
        at = previous[at];
      } while (at != first);
      std::reverse(cycle.begin(), cycle.end());
      return cycle;
    }
    return {};
  }

  std::vector<Hop> MovesOf(const std::vector<size_t>& cycle) const {
    std::vector<Hop> hops;
    for (size_t i = 0; i < cycle.size(); ++i) {
      const size_t from = cycle[i];
      const size_t to = cycle[(i + 1) % cycle.size()];
      hops.push_back({from, to, from == holders_ || to == holders_ ? kNoItem : ItemFor(from, to)});
    }
    return hops;
  }
  // The cheapest item that can go from `from` to `to`.
  uint32_t ItemFor(size_t from, size_t to) const {
    const int64_t cheapest = costs_[from * vertices_ + to];
    uint32_t best = kNoItem;
    uint64_t best_hash = 0;
    for (const uint32_t item : held_[from]) {
      const auto cost =
          assignment_->CostOf(item, static_cast<uint32_t>(from), static_cast<uint32_t>(to));
      if (!cost || CostOfClass(ClassOf(*cost)) != cheapest) continue;
      const uint64_t hash = Mix(seed_ ^ Mix(item) ^ (from << 48 | to << 32));
      if (best != kNoItem && hash >= best_hash) continue;
      best = item;
      best_hash = hash;
    }
    VARVE_CHECK(best != kNoItem);
    return best;
  }
  int64_t CostOfHop(const Hop& hop) const {
    if (hop.item == kNoItem) return costs_[hop.from * vertices_ + hop.to];
    const auto cost = assignment_->CostOf(hop.item, static_cast<uint32_t>(hop.from),
                                          static_cast<uint32_t>(hop.to));
    VARVE_CHECK(cost.has_value());
    return CostOfClass(ClassOf(*cost));
  }
  int64_t CostOfAll(const std::vector<Hop>& hops) const {
    int64_t sum = 0;
    for (const Hop& hop : hops) sum += CostOfHop(hop);
    return sum;
  }

  // Makes the moves of a cycle. Where two of them are of one item (a to b and c to d), what they cost may
  // depend on each other. Then the cycle falls into two that each move it once (c to b; a to d), which
  // together cost no more; so one of them is below zero. Where these cost more, the two moves do not
  // depend on each other: they share no place of the flow network.
  void Apply(std::vector<Hop> hops) {
    for (size_t i = 0; i < hops.size(); ++i) {
      for (size_t j = i + 1; j < hops.size(); ++j) {
        if (hops[i].item == kNoItem || hops[i].item != hops[j].item) continue;
        std::vector<Hop> inner(hops.begin() + static_cast<ptrdiff_t>(i) + 1,
                               hops.begin() + static_cast<ptrdiff_t>(j));
        inner.push_back({hops[j].from, hops[i].to, hops[i].item});
        std::vector<Hop> outer(hops.begin() + static_cast<ptrdiff_t>(j) + 1, hops.end());
        outer.insert(outer.end(), hops.begin(), hops.begin() + static_cast<ptrdiff_t>(i));
        outer.push_back({hops[i].from, hops[j].to, hops[i].item});
        const int64_t inner_cost = CostOfAll(inner);
        const int64_t outer_cost = CostOfAll(outer);
        if (inner_cost + outer_cost > CostOfAll(hops)) continue;
        return Apply(inner_cost < outer_cost ? std::move(inner) : std::move(outer));
      }
    }
    VARVE_CHECK(CostOfAll(hops) < 0);
    for (const Hop& hop : hops) {
      if (hop.item != kNoItem) Move(hop);
    }
    for (const Hop& hop : hops) {
      if (hop.from != holders_) UpdateShareArcs(hop.from);
    }
  }
  void Move(const Hop& hop) {
    const std::vector<uint32_t> before = assignment_->HoldersOf(hop.item);
    Count(hop.item, -1);
    assignment_->Move(hop.item, static_cast<uint32_t>(hop.from), static_cast<uint32_t>(hop.to));
    Count(hop.item, 1);
    std::vector<uint32_t>& held = held_[hop.from];
    *std::find(held.begin(), held.end(), hop.item) = held.back();
    held.pop_back();
    held_[hop.to].push_back(hop.item);
    for (const std::vector<uint32_t>* holders : {&before, &assignment_->HoldersOf(hop.item)}) {
      for (const uint32_t from : *holders) {
        for (size_t to = 0; to < holders_; ++to) UpdateArc(from, to);
      }
    }
  }

  Assignment* const assignment_;
  const std::vector<Share>& shares_;
  const uint64_t seed_;
  const size_t holders_;
  const size_t vertices_;                    // the holders, and one more
  std::vector<std::vector<uint32_t>> held_;  // the items of each holder
  std::vector<uint32_t> counts_;  // from, to, class: how many items could go there at that cost
  std::vector<int64_t> costs_;    // from, to: of the cheapest
};

}  // namespace

void BalanceByExchange(Assignment* assignment, const std::vector<Share>& shares, uint64_t seed) {
  Balancer(assignment, shares, seed).Run();
}

}  // namespace varve::cluster
