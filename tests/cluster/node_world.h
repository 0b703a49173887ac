// NodeWorld: whole nodes (NodeCore), their disks, a topology store, and a network that loses, doubles and delays. One seed, one
// story.
#ifndef VARVE_TESTS_CLUSTER_NODE_WORLD_H_
#define VARVE_TESTS_CLUSTER_NODE_WORLD_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "cluster/key_namespace.h"
#include "cluster/node_core.h"
#include "cluster/planner.h"
#include "cluster/topology_change.h"
#include "tests/cluster/node_disk.h"
#include "tests/cluster/told.h"

namespace varve::cluster::test {

inline constexpr Nanos kMilliseconds = 1'000'000;
inline constexpr Nanos kSeconds = 1'000 * kMilliseconds;

class NodeWorld {
 public:
  struct Faults {
    double loss = 0;
    double doubling = 0;
  };
  struct Node {
    NodeId id{};
    NodeDisk disk;
    std::unique_ptr<NodeCore> core;
    std::deque<Action> storage;  // asked for and not yet done
    bool is_to_be_told = false;  // of the topology
    std::vector<size_t> requests;
    std::set<NodeId> unreachable;
  };

  // `members` of them from the start; the others may join.
  NodeWorld(uint64_t seed, size_t nodes, size_t members, uint32_t bits, uint32_t copies, ConflictPolicy policy,
            const NodeOptions& options = QuickOptions())
      : options_(options), random_(seed), policy_(policy), nodes_(nodes) {
    Topology topology = NewTopology(77, bits, copies);
    TopologyChange change(topology);
    for (size_t i = 0; i < nodes; ++i) {
      nodes_[i].id = NodeId{i + 1};
      Member member;
      member.id = nodes_[i].id;
      if (i >= members) continue;
      EXPECT_TRUE(change.AddMember(member).ok());
    }
    Aim(&change);
    store_ = EncodeTopology(change.topology());
    for (size_t i = 0; i < nodes; ++i) Boot(i);
  }

  Random& random() { return random_; }
  Nanos now() const { return now_; }
  std::vector<Node>& nodes() { return nodes_; }
  std::vector<Told>& told() { return told_; }
  NodeCore& core(size_t node) { return *nodes_[node].core; }
  Topology topology() const { return DecodeTopology(store_).value(); }
  uint64_t revision() const { return revision_; }
  void set_faults(const Faults& faults) { faults_ = faults; }
  void set_store_is_away(bool is_away) { store_is_away_ = is_away; }
  static NodeOptions QuickOptions() {
    NodeOptions options;
    options.tick = 50 * kMilliseconds;
    options.exchange_period = 2 * kSeconds;
    options.exchange_patience = 5 * kSeconds;
    options.floor_period = 5 * kSeconds;
    options.move_period = 200 * kMilliseconds;
    options.move_patience = 3 * kSeconds;
    options.lease_size = 16;
    return options;
  }

  void CutFromStore(size_t node) { away_from_store_.insert(nodes_[node].id); }

  void Cut(size_t a, size_t b) {
    cuts_.insert({nodes_[a].id, nodes_[b].id});
    cuts_.insert({nodes_[b].id, nodes_[a].id});
  }
  void Isolate(size_t node) {
    for (size_t other = 0; other < nodes_.size(); ++other) {
      if (other != node) Cut(node, other);
    }
  }
  void HealAll() { cuts_.clear(); }

  // Of the topology, by a store that is otherwise away.
  void TellOne(size_t node) {
    Actions actions;
    EXPECT_TRUE(nodes_[node].core->OnTopology(store_, revision_, time(), &actions).ok());
    Do(&nodes_[node], std::move(actions));
  }

  // Changes of an operator.
  void Change(const std::function<void(TopologyChange*)>& what) {
    TopologyChange change(topology());
    what(&change);
    store_ = EncodeTopology(change.topology());
    ++revision_;
    for (Node& node : nodes_) node.is_to_be_told = true;
  }
  static void Aim(TopologyChange* change) {
    std::vector<PlannerNode> nodes;
    for (const Member& member : change->topology().members) {
      if (member.state <= MemberState::kUp) nodes.push_back({member.id, member.weight, member.rack});
    }
    const auto plan = MakePlan(change->topology().placement, nodes, change->topology().target.copies());
    ASSERT_TRUE(plan.ok());
    ASSERT_TRUE(change->SetTarget(plan->placement).ok());
  }
  void Join(size_t node) {
    Change([&](TopologyChange* change) {
      Member member;
      member.id = nodes_[node].id;
      ASSERT_TRUE(change->AddMember(member).ok());
      Aim(change);
    });
  }
  void Leave(size_t node) {
    Change([&](TopologyChange* change) {
      ASSERT_TRUE(change->SetState(nodes_[node].id, MemberState::kLeaving).ok());
      Aim(change);
    });
  }

  size_t Put(size_t node, const std::string& key, const std::string& value, const SeenContext& seen = {},
             Level level = Level::kQuorum, Nanos patience = 3 * kSeconds, bool sloppy = false) {
    ClientPut put{.key = key, .is_delete = value.empty(), .value = value, .seen = seen, .level = level};
    put.sloppy = sloppy;
    put.deadline = now_ + patience;
    told_.push_back({.key = key, .value = value, .brought = seen, .begun = now_});
    nodes_[node].requests.push_back(told_.size() - 1);
    Actions actions;
    nodes_[node].core->Put(told_.size() - 1, std::move(put), time(), &actions);
    Do(&nodes_[node], std::move(actions));
    return told_.size() - 1;
  }
  size_t Get(size_t node, const std::string& key, Level level = Level::kQuorum, Nanos patience = 3 * kSeconds) {
    told_.push_back({.is_get = true, .key = key, .begun = now_});
    nodes_[node].requests.push_back(told_.size() - 1);
    Actions actions;
    nodes_[node].core->Get(told_.size() - 1, {.key = key, .level = level, .deadline = now_ + patience}, time(),
                           &actions);
    Do(&nodes_[node], std::move(actions));
    return told_.size() - 1;
  }
  // As above, until they end.
  Told PutNow(size_t node, const std::string& key, const std::string& value, const SeenContext& seen = {},
              Level level = Level::kQuorum) {
    return Await(Put(node, key, value, seen, level));
  }
  Told GetNow(size_t node, const std::string& key, Level level = Level::kQuorum) {
    return Await(Get(node, key, level));
  }
  Told Await(size_t request) {
    const Nanos end = now_ + 10 * kSeconds;
    while (told_[request].finished == 0 && now_ < end) Step();
    return told_[request];
  }

  // One thing happens: a message comes, a disk is ready, the store tells, or time goes by.
  void Step() {
    std::vector<size_t> busy;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].core && (!nodes_[i].storage.empty() || nodes_[i].is_to_be_told)) busy.push_back(i);
    }
    const size_t choices = network_.size() + busy.size();
    if (choices == 0 || random_.OneIn(24)) {
      Pass(choices == 0 ? 10 * kMilliseconds : kMilliseconds * random_.Uniform(8));
      return;
    }
    const size_t choice = random_.Uniform(choices);
    if (choice < network_.size()) {
      Deliver(choice);
      return;
    }
    Node& node = nodes_[busy[choice - network_.size()]];
    if (node.is_to_be_told && (node.storage.empty() || random_.OneIn(2))) {
      node.is_to_be_told = false;
      Tell(&node);
    } else if (!node.storage.empty()) {
      DoStorage(&node);
    }
  }
  void Pass(Nanos nanos) {
    now_ += nanos;
    for (Node& node : nodes_) {
      if (!node.core || now_ < node.core->NextTime()) continue;
      Actions actions;
      node.core->OnTime(time(), &actions);
      Do(&node, std::move(actions));
    }
  }
  void Run(Nanos nanos) {
    const Nanos end = now_ + nanos;
    while (now_ < end) Step();
  }
  // Until `is_so`, or so long.
  bool RunUntil(const std::function<bool()>& is_so, Nanos patience = 120 * kSeconds) {
    const Nanos end = now_ + patience;
    while (now_ < end) {
      if (is_so()) return true;
      for (int i = 0; i < 50; ++i) Step();
    }
    return is_so();
  }
  bool IsSettled() const {
    const Topology now = topology();
    if (!now.moves.empty() || now.target != now.placement) return false;
    return std::all_of(nodes_.begin(), nodes_.end(), [&now](const Node& node) {
      if (!node.core) return true;
      const Member* member = now.Find(node.id);
      if (member == nullptr || member->state == MemberState::kRemoved) return true;
      const NodeStatus status = node.core->status();
      return member->state == MemberState::kUp && status.epoch == now.epoch && status.actor == member->actor &&
             status.actor != kNoActor && status.partitions_loading == 0;
    });
  }
  // What every replica of a partition has, is the same.
  bool AreReplicasEqual() const {
    const Topology now = topology();
    for (uint32_t p = 0; p < now.placement.partitions(); ++p) {
      const PartitionId partition{static_cast<uint16_t>(p)};
      const std::map<std::string, std::string>* first = nullptr;
      for (const NodeId id : now.placement.Replicas(partition)) {
        static const std::map<std::string, std::string> kNone;
        const auto& keys = nodes_[Value(id) - 1].disk.keys;
        const auto found = keys.find(partition);
        const auto* stored = found == keys.end() ? &kNone : &found->second;
        if (first != nullptr && *stored != *first) return false;
        first = stored;
      }
    }
    return true;
  }
  size_t StoredKeys(size_t node) const {
    size_t keys = 0;
    for (const auto& [partition, stored] : nodes_[node].disk.keys) keys += stored.size();
    return keys;
  }

  // The process ends. What was asked of the disk may have happened, in its order.
  void Crash(size_t index) {
    Node& node = nodes_[index];
    size_t done = random_.Uniform(node.storage.size() + 1);
    for (const Action& action : std::exchange(node.storage, {})) {
      if (done == 0) break;
      --done;
      node.disk.Persist(action);
    }
    node.core.reset();
    std::erase_if(network_, [&node](const Packet& packet) { return packet.to == node.id; });
    for (const size_t request : std::exchange(node.requests, {})) {
      if (told_[request].finished == 0) told_[request].node_died = true;
    }
    for (Node& other : nodes_) Reach(&other, node.id, false);
  }
  void Boot(size_t index, bool may_have_lost_writes = false) {
    Node& node = nodes_[index];
    NodeOptions mine = options_;
    mine.self = node.id;
    mine.random_seed = random_.Next();
    mine.policy_of = [policy = policy_](std::string_view key) { return PolicyOfReplicaKey(key, policy); };
    mine.slot_of = SlotOfReplicaKey;
    NodeDurable durable = node.disk.durable;
    for (const auto& [number, hint] : node.disk.hints) durable.hints.push_back(hint);
    durable.may_have_lost_writes = may_have_lost_writes;
    node.core = std::make_unique<NodeCore>(mine, std::move(durable));
    node.is_to_be_told = true;
    node.unreachable.clear();
    Actions actions;
    node.core->Start(time(), &actions);
    Do(&node, std::move(actions));
    for (Node& other : nodes_) {
      Reach(&other, node.id, true);
      if (!other.core) Reach(&node, other.id, false);
    }
  }

 private:
  Now time() { return {now_, 1'000'000 + now_ / 1000 + random_.Uniform(100)}; }

  void Reach(Node* node, NodeId peer, bool is_reachable) {
    if (!node->core || node->id == peer) return;
    Actions actions;
    node->core->OnReachable(peer, is_reachable, time(), &actions);
    Do(node, std::move(actions));
  }

  void Do(Node* node, Actions actions) {
    for (Action& action : actions) {
      if (auto* send = std::get_if<SendBytes>(&action)) {
        if (!cuts_.contains({node->id, send->to})) network_.push_back({node->id, send->to, std::move(send->bytes)});
      } else if (const auto* put = std::get_if<FinishPut>(&action)) {
        Finish(put->client_request, put->outcome, put->reason).seen = put->seen;
      } else if (auto* get = std::get_if<FinishGet>(&action)) {
        Told& told = Finish(get->client_request, get->outcome, get->reason);
        told.seen = get->seen;
        told.values = std::move(get->values);
      } else if (std::holds_alternative<LearnTopology>(action)) {
        node->is_to_be_told = true;
      } else {
        node->storage.push_back(std::move(action));
      }
    }
  }
  Told& Finish(uint64_t request, Outcome outcome, ReplyCode reason) {
    Told& told = told_[request];
    ++told.finished;
    told.outcome = outcome;
    told.reason = reason;
    told.ended = now_;
    return told;
  }

  void Deliver(size_t choice) {
    Packet packet = network_[choice];
    if (random_.NextDouble() >= faults_.doubling) {
      network_[choice] = std::move(network_.back());
      network_.pop_back();
      if (random_.NextDouble() < faults_.loss) return;
    }
    Node& node = nodes_[Value(packet.to) - 1];
    if (!node.core || cuts_.contains({packet.from, packet.to})) return;
    Actions actions;
    node.core->OnMessage(packet.from, packet.bytes, time(), &actions);
    Do(&node, std::move(actions));
  }

  void Tell(Node* node) {
    if (store_is_away_ || away_from_store_.contains(node->id)) return;
    Actions actions;
    EXPECT_TRUE(node->core->OnTopology(store_, revision_, time(), &actions).ok());
    Do(node, std::move(actions));
  }

  void DoStorage(Node* node) {
    const Action action = std::move(node->storage.front());
    node->storage.pop_front();
    node->disk.Persist(action);
    Actions actions;
    if (const auto* swap = std::get_if<SwapTopology>(&action)) {
      Swap(node, *swap, &actions);
    } else {
      node->disk.Answer(action, time(), node->core.get(), &actions);
    }
    Do(node, std::move(actions));
  }
  void Swap(Node* node, const SwapTopology& swap, Actions* actions) {
    if (store_is_away_ || away_from_store_.contains(node->id)) return;  // and nobody says so
    const bool is_done = swap.expected_revision == revision_;
    if (is_done) {
      EXPECT_TRUE(ValidateSuccession(topology(), DecodeTopology(swap.bytes).value()).ok());
      store_ = swap.bytes;
      ++revision_;
      for (Node& other : nodes_) other.is_to_be_told = true;
    }
    node->core->OnSwapped(swap.swap, is_done ? SwapOutcome::kDone : SwapOutcome::kConflict, revision_, time(), actions);
  }

  struct Packet {
    NodeId from;
    NodeId to;
    std::string bytes;
  };
  const NodeOptions options_;
  Random random_;
  const ConflictPolicy policy_;
  std::vector<Node> nodes_;
  std::string store_;
  uint64_t revision_ = 1;
  bool store_is_away_ = false;
  std::set<NodeId> away_from_store_;
  Faults faults_;
  Nanos now_ = 1;
  std::set<std::pair<NodeId, NodeId>> cuts_;
  std::vector<Packet> network_;
  std::vector<Told> told_;
};

}  // namespace varve::cluster::test

#endif  // VARVE_TESTS_CLUSTER_NODE_WORLD_H_
