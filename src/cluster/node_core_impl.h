// What NodeCore is made of. Included by its parts alone: node_core.cc (events and time), node_core_messages.cc,
// node_core_topology.cc, node_core_requests.cc.
#ifndef VARVE_CLUSTER_NODE_CORE_IMPL_H_
#define VARVE_CLUSTER_NODE_CORE_IMPL_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "cluster/coordinator.h"
#include "cluster/exchange_pool.h"
#include "cluster/filler.h"
#include "cluster/floor_rounds.h"
#include "cluster/hint_keeper.h"
#include "cluster/mover.h"
#include "cluster/node_context.h"
#include "cluster/node_core.h"

namespace varve::cluster {

// Replies find who has asked by the upper two bits of the number of the request.
enum class RequestKind : uint8_t { kCoordinator = 0, kHint = 1, kExchange = 2, kOther = 3 };
inline constexpr int kRequestKindShift = 62;
constexpr RequestKind KindOf(uint64_t request) { return static_cast<RequestKind>(request >> kRequestKindShift); }

class NodeCore::Impl final : public NodeContext {
 public:
  Impl(NodeOptions options, NodeDurable durable);

  // NodeContext.
  const NodeOptions& options() const override { return options_; }
  const Topology* topology() const override { return topology_ ? &*topology_ : nullptr; }
  bool IsSuspect(NodeId node) const override { return suspects_.contains(node); }
  Replica* FindReplica(PartitionId partition) override;
  Random* random() override { return &random_; }
  const MoveRules& rules() const override { return rules_; }
  uint64_t NextRequest() override { return next_request_++; }

  // As in NodeCore; actions are not yet routed.
  void Start(Now now, Actions* actions);
  void OnTime(Now now, Actions* actions);
  Nanos NextTime() const;
  Status OnTopology(std::string_view bytes, std::optional<uint64_t> revision, Now now, Actions* actions);
  void OnSwapped(uint64_t swap, SwapOutcome outcome, uint64_t revision, Now now, Actions* actions);
  void OnBytes(NodeId from, std::string_view bytes, Now now, Actions* actions);
  void OnReachable(NodeId peer, bool is_reachable);
  void Put(uint64_t client_request, ClientPut put, Now now, Actions* actions);
  void Get(uint64_t client_request, ClientGet get, Now now, Actions* actions);
  // The replica that has asked for a storage operation; nullptr when it is no more.
  Replica* FindAsker(PartitionId partition, uint64_t operation);
  void OnLeaseDurable(PartitionId partition, ActorId actor, uint64_t end, Actions* actions);
  void OnEpochDurable(PartitionId partition, Epoch epoch);
  void OnFloorDurable(PartitionId partition, const VersionVector& floor, Actions* actions);
  void OnActorForsaken(ActorId actor);
  void OnHintStored(uint64_t hint, bool is_durable, Actions* actions);
  void OnKeyLoaded(PartitionId partition, std::string_view key, std::string_view bytes);
  void OnPartitionLoaded(PartitionId partition, const Status& status, Actions* actions);
  void Repair();
  void SetRules(const MoveRules& rules) { rules_ = rules; }
  PartitionId PartitionOf(std::string_view key) const;
  NodeStatus status() const;

  // Does `what`, which is given the list to append actions to, and turns what the parts want into what the driver does.
  template <typename What>
  void Step(Now now, Actions* to, const What& what) {
    VARVE_CHECK(raised_.empty());  // one at a time
    what(&raised_);
    Route(now, to);
    raised_.clear();
    if (raised_.capacity() > kRaisedKept) Actions().swap(raised_);
  }

 private:
  // More room than this is not kept for the next event.
  static constexpr size_t kRaisedKept = 256;
  struct Partition {
    std::unique_ptr<Replica> replica;
    bool is_loading = true;
    bool is_failed = false;    // loading has; to be tried again
    uint64_t number = 0;       // of the replica, as the upper bits of its operations
    std::vector<VersionVector> floors;  // on their way to disk
    Nanos next_exchange = 0;
    size_t exchanges = 0;      // begun with one peer after the other
    size_t repairs = 0;        // that are to follow at once
  };
  struct Request {
    std::variant<ClientPut, ClientGet> what;
    bool waits = false;  // for a topology
    Nanos deadline() const {
      return std::visit([](const auto& request) { return request.deadline; }, what);
    }
  };

  // node_core_messages.cc
  // What is raised: messages to this node are taken here, others become bytes, and clients' requests that met a change of the
  // topology begin again.
  void Route(Now now, Actions* to);
  void OnMessage(Message message, Now now, Actions* actions);
  void OnReply(Message reply, Now now, Actions* actions);
  void ToReplica(Message message, Now now, Actions* actions);
  void Reply(const Message& request, Message::Body body, Actions* actions) const;
  void OnProgressRequest(const Message& request, Actions* actions);
  void OnFloorRequest(const Message& request, Actions* actions);
  void Refuse(const Message& message, ReplyCode code, Actions* actions);
  bool Learn(NodeId from, Nanos now, Actions* to);
  Epoch SinceOf(PartitionId partition) const;

  // node_core_topology.cc
  void Adopt(Topology next, Nanos now, Actions* actions);
  void Hold(PartitionId partition, Actions* actions);
  void Drop(PartitionId partition, Actions* actions);
  uint64_t LeaseOf(PartitionId partition) const;
  bool IsSpent(PartitionId partition) const;
  ActorId ActorFor(PartitionId partition) const;
  void Spend(PartitionId partition, const Replica* replica, Actions* actions);
  void Load(PartitionId partition, Partition* held, Actions* actions);
  void BequeathHints();
  void TakeActor(Actions* actions);
  void CheckActors(Actions* actions);

  // node_core_requests.cc
  void Dispatch(uint64_t client_request, Request* request, Now now, Actions* actions);
  SharedSets SetsFor(const std::string& key, bool is_sloppy);
  const SharedSets& SetsOf(PartitionId partition);
  SharedSets WithFallbacks(RequestSets sets) const;
  void RetryRequests(Now now, Actions* actions);
  // False: it is not over.
  bool IsOver(uint64_t client_request, Outcome outcome, ReplyCode reason, Nanos now);

  // node_core.cc
  void Tick(Now now, Actions* actions);
  void AskAround(Nanos now, Actions* actions);
  void CompareWithPeers(Nanos now, Actions* actions);
  void TakeEndedExchanges(Nanos now, Actions* actions);

  const NodeOptions options_;
  MoveRules rules_;
  Random random_;
  uint64_t next_request_;
  std::optional<Topology> topology_;
  const std::string durable_topology_;
  const bool may_have_lost_writes_;
  ActorId forsaken_;          // and all before it
  ActorId actor_ = kNoActor;  // in use
  std::map<PartitionId, PartitionDurable> records_;  // as on disk
  std::map<PartitionId, Partition> partitions_;
  std::vector<SharedSets> request_sets_;  // of partitions under the topology, without fallbacks; nullptr until it is asked for
  std::set<PartitionId> leftovers_;  // that a former life may not have dropped
  std::map<PartitionId, size_t> stale_loads_;  // of replicas dropped while they were loaded
  uint64_t next_partition_number_ = 1;
  std::set<NodeId> suspects_;
  std::map<uint64_t, Request> requests_;
  std::set<std::pair<NodeId, uint64_t>> refused_updates_;
  std::deque<std::pair<NodeId, uint64_t>> refused_by_age_;
  Coordinator coordinator_;
  HintKeeper keeper_;
  ExchangePool pool_;
  Filler filler_;
  FloorRounds floors_;
  Mover mover_;
  std::set<uint64_t> comparisons_;  // exchanges that compare with peers
  Nanos next_tick_ = 0;
  Nanos next_coordinator_time_ = 0;
  Nanos next_learning_ = 0;
  Nanos next_gossip_ = 0;
  NodeStatus counters_;
  Actions raised_;  // by the event that is being dealt with
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_NODE_CORE_IMPL_H_
