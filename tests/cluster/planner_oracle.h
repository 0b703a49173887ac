// What a plan must be, found in other ways than the planner's: whether a plan is legal; whether it is the cheapest, by a
// search for negative cycles in the whole flow network (partitions, racks of partitions, nodes); and bounds from
// below by counting alone.
#ifndef VARVE_TESTS_CLUSTER_PLANNER_ORACLE_H_
#define VARVE_TESTS_CLUSTER_PLANNER_ORACLE_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cluster/planner.h"

namespace varve::cluster::test {

inline PartitionId At(uint32_t partition) { return PartitionId{static_cast<uint16_t>(partition)}; }

class PlannerOracle {
 public:
  PlannerOracle(const Placement& before, std::vector<PlannerNode> nodes, uint32_t copies)
      : before_(before), partitions_(before.partitions()) {
    for (const PlannerNode& node : nodes) {
      if (node.weight > 0) nodes_.push_back(node);
    }
    copies_ = std::min<uint32_t>(copies, static_cast<uint32_t>(nodes_.size()));
    std::map<std::string, uint32_t> racks;
    for (const PlannerNode& node : nodes_) racks.emplace(node.rack, racks.size());
    for (const PlannerNode& node : nodes_) rack_.push_back(racks[node.rack]);
    racks_ = static_cast<uint32_t>(racks.size());
    while (RoomInRacks(rack_limit_) < copies_ || rack_limit_ * racks_ < copies_) ++rack_limit_;
    FindShares();
  }

  // Copies that must be made whatever one does: every node must have its least share, and all together
  // all copies. Knows neither racks nor that the copies of a partition lie on different nodes.
  uint32_t LeastMovement() const {
    int64_t below = 0;
    int64_t to_spare = 0;  // what nodes have anyway above their least shares, within their most
    int64_t least = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const int64_t held = HeldBefore(nodes_[i].id);
      least += least_[i];
      below += std::max<int64_t>(0, least_[i] - held);
      to_spare += std::clamp<int64_t>(held - least_[i], 0, most_[i] - least_[i]);
    }
    return static_cast<uint32_t>(
        below + std::max<int64_t>(0, int64_t{copies_} * partitions_ - least - to_spare));
  }

  // "" or what is wrong with the plan.
  std::string Violation(const Plan& plan) const {
    std::string wrong = IllegalIn(plan);
    if (wrong.empty()) wrong = MisreportedIn(plan);
    if (wrong.empty()) wrong = ImbalanceOfPrimariesIn(plan);
    const size_t vertices = partitions_ * (1 + racks_) + nodes_.size() + 1;
    if (wrong.empty() && HasNegativeCycle(Residual(plan.placement), vertices))
      wrong = "less could move";
    if (wrong.empty() && HasNegativeCycle(ResidualOfPrimaries(plan.placement), nodes_.size() + 1)) {
      wrong = "fewer primaries could change";
    }
    if (wrong.empty() && plan.copies_to_make < LeastMovement())
      wrong = "moves less than is possible: a wrong bound";
    return wrong;
  }

  uint32_t Excess(const Placement& placement) const {
    uint32_t excess = 0;
    for (uint32_t p = 0; p < partitions_; ++p) {
      for (uint32_t rack = 0; rack < racks_; ++rack) {
        const uint32_t count = InRack(placement, p, rack);
        excess += count > rack_limit_ ? count - rack_limit_ : 0;
      }
    }
    return excess;
  }
  // Whether every node has its share.
  bool IsBalanced(const Placement& placement) const {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const int64_t held = Held(placement, nodes_[i].id);
      if (held < least_[i] || held > most_[i]) return false;
    }
    return true;
  }
  const std::vector<PlannerNode>& nodes() const { return nodes_; }
  uint32_t copies() const { return copies_; }

 private:
  static int64_t Held(const Placement& placement, NodeId node) {
    int64_t count = 0;
    for (uint32_t p = 0; p < placement.partitions(); ++p)
      count += placement.IsReplica(At(p), node) ? 1 : 0;
    return count;
  }
  int64_t HeldBefore(NodeId node) const { return Held(before_, node); }
  uint32_t InRack(const Placement& placement, uint32_t p, uint32_t rack) const {
    uint32_t count = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (rack_[i] == rack && placement.IsReplica(At(p), nodes_[i].id)) ++count;
    }
    return count;
  }

  uint32_t RoomInRacks(uint32_t limit) const {
    uint32_t room = 0;
    for (uint32_t rack = 0; rack < racks_; ++rack) {
      room += std::min(limit, static_cast<uint32_t>(std::count(rack_.begin(), rack_.end(), rack)));
    }
    return room;
  }
  // What the nodes of a rack have at a level: each min(partitions, level * weight).
  double OfRack(uint32_t rack, double level) const {
    double sum = 0;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (rack_[i] == rack) sum += std::min<double>(partitions_, level * nodes_[i].weight);
    }
    return sum;
  }
  template <typename Sum>
  static double LevelAt(double total, Sum&& sum) {
    double low = 0;
    double high = total;
    for (int i = 0; i < 200; ++i) {
      const double level = (low + high) / 2;
      (sum(level) < total ? low : high) = level;
    }
    return high;
  }
  // By raising the level until all is given out; a rack that is full stays where it is.
  void FindShares() {
    const double of_full_rack = double{1} * rack_limit_ * partitions_;
    const double level = LevelAt(double{1} * copies_ * partitions_, [&](double at) {
      double sum = 0;
      for (uint32_t rack = 0; rack < racks_; ++rack)
        sum += std::min(of_full_rack, OfRack(rack, at));
      return sum;
    });
    for (size_t i = 0; i < nodes_.size(); ++i) {
      double own_level = level;
      if (OfRack(rack_[i], level) > of_full_rack) {
        own_level = LevelAt(of_full_rack, [&](double at) { return OfRack(rack_[i], at); });
      }
      const double exact = std::min<double>(partitions_, own_level * nodes_[i].weight);
      const auto nearest = static_cast<int64_t>(exact + 0.5);
      const bool is_whole = std::abs(exact - static_cast<double>(nearest)) < 1e-6;
      least_.push_back(is_whole ? nearest : static_cast<int64_t>(exact));
      most_.push_back(is_whole ? nearest : static_cast<int64_t>(exact) + 1);
    }
  }

  std::string IllegalIn(const Plan& plan) const {
    if (plan.placement.bits() != before_.bits()) return "another number of partitions";
    std::set<NodeId> usable;
    for (const PlannerNode& node : nodes_) usable.insert(node.id);
    for (uint32_t p = 0; p < partitions_; ++p) {
      const std::span<const NodeId> list = plan.placement.Replicas(At(p));
      if (list.size() != copies_) return "wrong number of copies of " + std::to_string(p);
      if (std::set<NodeId>(list.begin(), list.end()).size() != copies_) return "a node twice";
      for (const NodeId node : list) {
        if (!usable.contains(node)) return "a copy on a node that shall hold nothing";
      }
    }
    if (Excess(plan.placement) > 0) return "too many copies in a rack";
    return IsBalanced(plan.placement) ? "" : "not balanced";
  }
  std::string MisreportedIn(const Plan& plan) const {
    if (plan.copies != copies_) return "says another number of copies";
    if (plan.copies_to_make != CopiesToMake(before_, plan.placement))
      return "says another movement";
    if (plan.rack_limit != rack_limit_) return "says another limit of racks";
    if (plan.is_short_of_racks != (rack_limit_ > (copies_ + racks_ - 1) / racks_))
      return "says other racks";
    uint32_t changed = 0;
    for (uint32_t p = 0; p < partitions_; ++p) {
      const std::span<const NodeId> list = before_.Replicas(At(p));
      if (list.empty() || list.front() != plan.placement.Replicas(At(p)).front()) ++changed;
    }
    return plan.primaries_changed == changed ? "" : "says other primaries";
  }
  std::string ImbalanceOfPrimariesIn(const Plan& plan) const {
    for (const PlannerNode& node : nodes_) {
      uint32_t primary = 0;
      for (uint32_t p = 0; p < partitions_; ++p) {
        if (plan.placement.Replicas(At(p)).front() == node.id) ++primary;
      }
      const auto held = static_cast<uint32_t>(Held(plan.placement, node.id));
      if (primary < held / copies_ || primary > (held + copies_ - 1) / copies_)
        return "primaries not balanced";
    }
    return "";
  }

  struct Edge {
    uint32_t from;
    uint32_t to;
    int64_t cost;
  };
  // The residual network of the flow: what may change, and at what cost. Vertices: partitions, then their
  // racks, then nodes, then the end.
  std::vector<Edge> Residual(const Placement& placement) const {
    constexpr int64_t kExcess = 1'000'000;
    std::vector<Edge> edges;
    const auto node_vertex = [&](size_t i) {
      return static_cast<uint32_t>(partitions_ * (1 + racks_) + i);
    };
    const auto end = static_cast<uint32_t>(node_vertex(nodes_.size()));
    for (uint32_t p = 0; p < partitions_; ++p) {
      for (uint32_t rack = 0; rack < racks_; ++rack) {
        const uint32_t vertex = partitions_ + p * racks_ + rack;
        const uint32_t count = InRack(placement, p, rack);
        edges.push_back({p, vertex, count >= rack_limit_ ? kExcess : 0});
        if (count > 0) edges.push_back({vertex, p, count > rack_limit_ ? -kExcess : 0});
      }
      for (size_t i = 0; i < nodes_.size(); ++i) {
        const uint32_t vertex = partitions_ + p * racks_ + rack_[i];
        const int64_t cost = before_.IsReplica(At(p), nodes_[i].id) ? 0 : 1;
        if (placement.IsReplica(At(p), nodes_[i].id)) {
          edges.push_back({node_vertex(i), vertex, -cost});
        } else {
          edges.push_back({vertex, node_vertex(i), cost});
        }
      }
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const int64_t held = Held(placement, nodes_[i].id);
      if (held < most_[i]) edges.push_back({node_vertex(i), end, 0});
      if (held > least_[i]) edges.push_back({end, node_vertex(i), 0});
    }
    return edges;
  }
  // The same for the primaries: which partition could be led by which of its replicas instead.
  std::vector<Edge> ResidualOfPrimaries(const Placement& placement) const {
    std::vector<Edge> edges;
    std::map<NodeId, uint32_t> vertex;
    for (const PlannerNode& node : nodes_) vertex.emplace(node.id, vertex.size());
    const auto end = static_cast<uint32_t>(vertex.size());
    std::vector<int64_t> led(nodes_.size());
    for (uint32_t p = 0; p < partitions_; ++p) {
      const std::span<const NodeId> list = placement.Replicas(At(p));
      const std::span<const NodeId> old = before_.Replicas(At(p));
      const auto cost = [&](NodeId node) { return !old.empty() && old.front() == node ? 0 : 1; };
      ++led[vertex[list.front()]];
      for (const NodeId other : list.subspan(1)) {
        edges.push_back({vertex[list.front()], vertex[other], cost(other) - cost(list.front())});
      }
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const int64_t held = Held(placement, nodes_[i].id);
      const uint32_t at = vertex[nodes_[i].id];
      if (led[at] < (held + copies_ - 1) / copies_) edges.push_back({at, end, 0});
      if (led[at] > held / copies_) edges.push_back({end, at, 0});
    }
    return edges;
  }
  static bool HasNegativeCycle(const std::vector<Edge>& edges, size_t vertices) {
    std::vector<int64_t> distance(vertices);
    for (size_t pass = 0; pass <= vertices; ++pass) {
      bool changed = false;
      for (const Edge& edge : edges) {
        if (distance[edge.from] + edge.cost >= distance[edge.to]) continue;
        distance[edge.to] = distance[edge.from] + edge.cost;
        changed = true;
      }
      if (!changed) return false;
    }
    return true;
  }

  const Placement before_;
  const uint32_t partitions_;
  std::vector<PlannerNode> nodes_;  // with weight
  std::vector<uint32_t> rack_;
  uint32_t racks_ = 0;
  uint32_t copies_ = 0;
  uint32_t rack_limit_ = 1;
  std::vector<int64_t> least_;
  std::vector<int64_t> most_;
};

}  // namespace varve::cluster::test

#endif  // VARVE_TESTS_CLUSTER_PLANNER_ORACLE_H_
