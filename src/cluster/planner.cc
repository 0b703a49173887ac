#include "cluster/planner.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"
#include "cluster/balance.h"
#include "cluster/shares.h"

namespace varve::cluster {
namespace {

constexpr uint32_t kNobody = ~0u;


// Where nodes and partitions are not told apart by anything else: the same everywhere, and unlike for
// neighbours.
uint64_t SpreadHash(uint32_t partition, NodeId node) {
  char bytes[12];
  StoreFixed(bytes, partition);
  StoreFixed(bytes + 4, Value(node));
  return Hash64(std::string_view(bytes, sizeof(bytes)));
}

bool Contains(const std::vector<uint32_t>& list, uint32_t item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

// The nodes with weight, in the order of their ids, by numbers from 0.
struct Nodes {
  std::vector<PlannerNode> all;
  std::vector<uint32_t> rack;  // a number from 0
  uint32_t racks = 0;

  uint32_t size() const { return static_cast<uint32_t>(all.size()); }
  uint32_t NumberOf(NodeId id) const {
    const auto it = std::lower_bound(all.begin(), all.end(), id,
                                     [](const PlannerNode& node, NodeId b) { return node.id < b; });
    return it != all.end() && it->id == id ? static_cast<uint32_t>(it - all.begin()) : kNobody;
  }
  std::vector<uint32_t> NumbersOf(std::span<const NodeId> ids) const {
    std::vector<uint32_t> numbers;
    for (const NodeId id : ids) {
      if (NumberOf(id) != kNobody) numbers.push_back(NumberOf(id));
    }
    return numbers;
  }
};

Result<Nodes> NodesOf(const std::vector<PlannerNode>& nodes) {
  if (nodes.size() > kMaxNodes) return Status::InvalidArgument("plan: more than 1000 nodes");
  Nodes result;
  std::set<NodeId> ids;
  std::map<std::string, uint32_t> racks;
  for (const PlannerNode& node : nodes) {
    if (node.id == kNoNode) return Status::InvalidArgument("plan: a node without an id");
    if (!ids.insert(node.id).second) {
      return Status::InvalidArgument("plan: node " + std::to_string(Value(node.id)) +
                                     " is named twice");
    }
    if (node.weight > 0) result.all.push_back(node);
  }
  if (result.all.empty()) return Status::InvalidArgument("plan: no node that may hold data");
  std::sort(result.all.begin(), result.all.end(),
            [](const PlannerNode& a, const PlannerNode& b) { return a.id < b.id; });
  for (const PlannerNode& node : result.all) {
    result.rack.push_back(
        racks.try_emplace(node.rack, static_cast<uint32_t>(racks.size())).first->second);
  }
  result.racks = static_cast<uint32_t>(racks.size());
  return result;
}

// Which nodes hold the copies of the partitions.
class Copies : public Assignment {
 public:
  Copies(const Nodes& nodes, const Placement& current, uint32_t rack_limit)
      : nodes_(nodes),
        rack_limit_(rack_limit),
        load_(nodes.size()),
        in_rack_(size_t{current.partitions()} * nodes.racks) {
    for (uint32_t partition = 0; partition < current.partitions(); ++partition) {
      before_.push_back(nodes.NumbersOf(current.Replicas(PartitionIdOf(partition))));
      std::sort(before_.back().begin(), before_.back().end());
    }
    holders_.resize(before_.size());
    for (uint32_t partition = 0; partition < before_.size(); ++partition) {
      for (const uint32_t node : before_[partition]) Add(partition, node);
    }
  }

  // Brings every partition to `copies` copies: near to balance, so that little is left to exchange.
  void Fill(uint32_t copies, const std::vector<Share>& shares) {
    for (uint32_t partition = 0; partition < items(); ++partition) {
      while (holders_[partition].size() > copies) DropOne(partition, shares);
    }
    for (uint32_t partition = 0; partition < items(); ++partition) {
      while (holders_[partition].size() < copies) AddOne(partition, shares);
    }
  }

  uint32_t items() const override { return static_cast<uint32_t>(holders_.size()); }
  const std::vector<uint32_t>& HoldersOf(uint32_t partition) const override {
    return holders_[partition];
  }
  std::optional<Cost> CostOf(uint32_t partition, uint32_t from, uint32_t to) const override {
    if (Contains(holders_[partition], to)) return std::nullopt;
    Cost cost;
    cost.movement = WasHolder(partition, from) - WasHolder(partition, to);
    if (VARVE_PLANTED_BUG("planner.moves_for_nothing")) cost.movement = 0;
    if (nodes_.rack[from] != nodes_.rack[to] && !VARVE_PLANTED_BUG("planner.racks_ignored")) {
      cost.rule = (InRack(partition, nodes_.rack[to]) >= rack_limit_ ? 1 : 0) -
                  (InRack(partition, nodes_.rack[from]) > rack_limit_ ? 1 : 0);
    }
    return cost;
  }
  void Move(uint32_t partition, uint32_t from, uint32_t to) override {
    Remove(partition, from);
    Add(partition, to);
  }

  uint32_t Made() const {
    uint32_t made = 0;
    for (uint32_t partition = 0; partition < items(); ++partition) {
      for (const uint32_t node : holders_[partition]) made += WasHolder(partition, node) ? 0 : 1;
    }
    return made;
  }

 private:
  bool WasHolder(uint32_t partition, uint32_t node) const {
    return std::binary_search(before_[partition].begin(), before_[partition].end(), node);
  }
  uint16_t& InRack(uint32_t partition, uint32_t rack) {
    return in_rack_[size_t{partition} * nodes_.racks + rack];
  }
  uint16_t InRack(uint32_t partition, uint32_t rack) const {
    return in_rack_[size_t{partition} * nodes_.racks + rack];
  }
  void Add(uint32_t partition, uint32_t node) {
    holders_[partition].push_back(node);
    ++load_[node];
    ++InRack(partition, nodes_.rack[node]);
  }
  void Remove(uint32_t partition, uint32_t node) {
    std::vector<uint32_t>& holders = holders_[partition];
    holders.erase(std::find(holders.begin(), holders.end(), node));
    --load_[node];
    --InRack(partition, nodes_.rack[node]);
  }
  // From the node with the most to spare, of a rack with too many if there is one.
  void DropOne(uint32_t partition, const std::vector<Share>& shares) {
    const auto rank = [&](uint32_t node) {
      return std::tuple(InRack(partition, nodes_.rack[node]) > rack_limit_,
                        int64_t{load_[node]} - shares[node].most, node);
    };
    const std::vector<uint32_t>& holders = holders_[partition];
    Remove(partition, *std::max_element(holders.begin(), holders.end(),
                                        [&](uint32_t a, uint32_t b) { return rank(a) < rank(b); }));
  }
  // To the node with the most room, of a rack that has room if there is one.
  void AddOne(uint32_t partition, const std::vector<Share>& shares) {
    uint32_t best = kNobody;
    std::tuple<bool, bool, int64_t, uint64_t> best_rank;
    for (uint32_t node = 0; node < nodes_.size(); ++node) {
      if (Contains(holders_[partition], node)) continue;
      const int64_t room = int64_t{shares[node].most} - load_[node];
      const std::tuple rank(room > 0, InRack(partition, nodes_.rack[node]) < rack_limit_, room,
                            SpreadHash(partition, nodes_.all[node].id));
      if (best != kNobody && rank <= best_rank) continue;
      best = node;
      best_rank = rank;
    }
    Add(partition, best);
  }

  const Nodes& nodes_;
  const uint32_t rack_limit_;
  std::vector<std::vector<uint32_t>> before_;  // in ascending order
  std::vector<std::vector<uint32_t>> holders_;
  std::vector<uint32_t> load_;
  std::vector<uint16_t> in_rack_;  // partition, rack: copies there
};

// Which replica of each partition is its primary.
class Primaries : public Assignment {
 public:
  Primaries(const Nodes& nodes, const Placement& current, const Copies& copies) : copies_(copies) {
    std::vector<uint32_t> load(nodes.size());
    for (uint32_t partition = 0; partition < current.partitions(); ++partition) {
      const std::vector<uint32_t>& replicas = copies.HoldersOf(partition);
      const std::span<const NodeId> list = current.Replicas(PartitionIdOf(partition));
      const uint32_t before = list.empty() ? kNobody : nodes.NumberOf(list.front());
      uint32_t primary = before;
      if (!Contains(replicas, before)) {
        primary = *std::min_element(replicas.begin(), replicas.end(), [&](uint32_t a, uint32_t b) {
          return std::pair(load[a], SpreadHash(partition, nodes.all[a].id)) <
                 std::pair(load[b], SpreadHash(partition, nodes.all[b].id));
        });
      }
      ++load[primary];
      before_.push_back(before);
      primary_.push_back({primary});
    }
  }

  uint32_t items() const override { return static_cast<uint32_t>(primary_.size()); }
  const std::vector<uint32_t>& HoldersOf(uint32_t partition) const override {
    return primary_[partition];
  }
  std::optional<Cost> CostOf(uint32_t partition, uint32_t from, uint32_t to) const override {
    if (from == to || !Contains(copies_.HoldersOf(partition), to)) return std::nullopt;
    if (VARVE_PLANTED_BUG("planner.changes_primaries_for_nothing")) return Cost{};
    return Cost{0, (from == before_[partition] ? 1 : 0) - (to == before_[partition] ? 1 : 0)};
  }
  void Move(uint32_t partition, uint32_t /*from*/, uint32_t to) override {
    primary_[partition] = {to};
  }

  uint32_t Of(uint32_t partition) const { return primary_[partition].front(); }

 private:
  const Copies& copies_;
  std::vector<uint32_t> before_;
  std::vector<std::vector<uint32_t>> primary_;  // lists of one
};

std::vector<Share> SharesOfPrimaries(const Copies& assignment, uint32_t nodes, uint32_t copies) {
  std::vector<uint32_t> load(nodes);
  for (uint32_t partition = 0; partition < assignment.items(); ++partition) {
    for (const uint32_t node : assignment.HoldersOf(partition)) ++load[node];
  }
  std::vector<Share> shares;
  for (const uint32_t held : load) shares.push_back({held / copies, (held + copies - 1) / copies});
  return shares;
}

// The least number of copies in a rack with which all can be placed.
uint32_t RackLimit(const Nodes& nodes, uint32_t copies) {
  std::vector<uint32_t> size(nodes.racks);
  for (const uint32_t rack : nodes.rack) ++size[rack];
  for (uint32_t limit = (copies + nodes.racks - 1) / nodes.racks;; ++limit) {
    uint32_t room = 0;
    for (const uint32_t count : size) room += std::min(limit, count);
    if (room >= copies) return limit;
  }
}

// The primary first; the others in an order that spreads over nodes what a dead primary leaves.
void Order(const Nodes& nodes, const Copies& assignment, const Primaries& primaries,
           Placement* placement) {
  for (uint32_t partition = 0; partition < placement->partitions(); ++partition) {
    std::vector<NodeId> list;
    for (const uint32_t node : assignment.HoldersOf(partition)) list.push_back(nodes.all[node].id);
    const NodeId primary = nodes.all[primaries.Of(partition)].id;
    std::sort(list.begin(), list.end(), [&](NodeId a, NodeId b) {
      return std::tuple(a != primary, SpreadHash(partition, a), a) <
             std::tuple(b != primary, SpreadHash(partition, b), b);
    });
    placement->SetReplicas(PartitionIdOf(partition), list);
  }
}

}  // namespace

Result<Plan> MakePlan(const Placement& current, const std::vector<PlannerNode>& nodes,
                      uint32_t copies) {
  if (copies < 1 || copies > kMaxCopies) {
    return Status::InvalidArgument("plan: the number of copies is not in 1 to 15");
  }
  Result<Nodes> usable = NodesOf(nodes);
  if (!usable.ok()) return usable.status();

  Plan plan;
  plan.placement = Placement(current.bits(), copies);
  plan.copies = std::min(copies, usable->size());
  plan.is_short_of_nodes = plan.copies < copies;
  plan.rack_limit = RackLimit(*usable, plan.copies);
  plan.is_short_of_racks = plan.rack_limit > (plan.copies + usable->racks - 1) / usable->racks;
  std::vector<Taker> takers;
  for (uint32_t i = 0; i < usable->size(); ++i)
    takers.push_back({usable->all[i].weight, usable->rack[i]});
  const uint32_t total = plan.copies * current.partitions();
  const std::vector<Share> shares =
      SharesByWeight(takers, total, current.partitions(), plan.rack_limit);
  plan.is_bound_by_racks =
      shares != SharesByWeight(takers, total, current.partitions(), usable->size());

  Copies assignment(*usable, current, plan.rack_limit);
  assignment.Fill(plan.copies, shares);
  BalanceByExchange(&assignment, shares, 1);
  plan.copies_to_make = assignment.Made();

  Primaries primaries(*usable, current, assignment);
  BalanceByExchange(&primaries, SharesOfPrimaries(assignment, usable->size(), plan.copies), 2);
  Order(*usable, assignment, primaries, &plan.placement);
  for (uint32_t partition = 0; partition < current.partitions(); ++partition) {
    const std::span<const NodeId> before = current.Replicas(PartitionIdOf(partition));
    if (before.empty() || before.front() != plan.placement.Replicas(PartitionIdOf(partition)).front()) {
      ++plan.primaries_changed;
    }
  }
  return plan;
}

}  // namespace varve::cluster
