// ClusterServer: one life of a server in a simulated cluster: a NodeCore with a driver that knows network, disk, clock and
// topology store as the simulator gives them. The real node's driver keeps the same contract with threads and sockets.
#ifndef VARVE_SIM_CLUSTER_SERVER_H_
#define VARVE_SIM_CLUSTER_SERVER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cluster/message.h"
#include "cluster/node_core.h"
#include "cluster/settings.h"
#include "sim/cluster_run.h"
#include "sim/cluster_wire.h"
#include "sim/disk.h"
#include "sim/node.h"
#include "sim/stream.h"

namespace varve::sim {

// A machine becomes the member whose address is that of its disk: "endpoint.wipes". So one whose disk is lost is
// nobody until the operator makes it another member.
std::string AddressOf(Endpoint endpoint, uint64_t wipes);

// Writes are acknowledged when they are synced. All that a server says to another one or to a client goes over a
// connection: never to another life (WorldOptions::connections).
class ClusterServer : public Node {
 public:
  ClusterServer(Endpoint self, const Disk* disk, ClusterRun* run, uint64_t seed)
      : self_(self), disk_(*disk), run_(run), random_(seed, 1), seed_(seed) {}
  ~ClusterServer() override { run_->settings.erase(self_); }

  void OnStart(Time now, Actions* actions) override;
  void OnMessage(Endpoint from, std::string_view bytes, Time now, Actions* actions) override;
  void OnTimer(uint64_t id, Time now, Actions* actions) override;
  void OnSynced(uint64_t id, bool ok, Time now, Actions* actions) override;
  void OnStore(const StoreReply& reply, Time now, Actions* actions) override;

  // kNoNode, nullptr: a machine that is no member.
  cluster::NodeId id() const { return id_; }
  const cluster::NodeCore* core() const { return core_.get(); }
  // Requests of clients without an answer.
  size_t calls() const { return calls_.size(); }

 private:
  struct Call {
    Endpoint client;
    uint64_t number;
    Nanos deadline;  // on its own clock
  };
  // What is heard of a peer, and said to it.
  struct Peer {
    Endpoint endpoint;
    Nanos heard;
    bool is_reachable = true;
  };
  // What a peer has asked for.
  struct Asked {
    cluster::Epoch epoch = cluster::kNoEpoch;
    std::string key = {};
    cluster::CausalContext context = {};  // of the state that it brought
    bool is_ambiguous = false;            // it has brought several
  };
  // An event for the core, when a sync or a timer is done.
  using Completion = std::function<void(cluster::Actions*)>;

  void Start();
  void Begin(const cluster::Topology& topology);
  void TakeTopology(std::string_view bytes, uint64_t revision);
  void TakeSettings(std::string_view text, uint64_t revision);
  void LookForPeers();
  void Ping();
  void TakeCall(Endpoint client, const ClientCall& call);
  void Refuse(Endpoint client, const ClientCall& call);
  void TakeFrame(NodeFrame frame);
  void AnswerTo(uint64_t request, ClientAnswer answer);
  bool IsStranger() const;
  char KnownVersion() const;
  bool SpeaksLaterTo(cluster::NodeId peer) const;
  void SayNews();
  void CheckRefused(const NodeFrame& frame, const cluster::Actions& list);
  void Awake(Time now, Actions* actions);
  void WatchDeadline(const Call& call);
  void Watch();
  void WatchBounds(const cluster::KeyState& stored);
  Figures Limits() const;
  void WatchRequest(const NodeFrame& frame);
  void WatchReply(cluster::NodeId to, const cluster::Message& message);
  bool HasDurably(cluster::PartitionId partition, const std::string& key, const cluster::CausalContext& context) const;
  void CheckDurable(cluster::PartitionId partition, const std::string& key, const cluster::CausalContext& context);
  void WatchAnswer(const Call& call, const ClientAnswer& answer);
  void MeetItself(cluster::PartitionId partition, const cluster::CausalContext& context);
  void WatchSwap(const cluster::SwapTopology& swap);
  void WatchDrop(cluster::PartitionId partition);
  void WatchDots(cluster::PartitionId partition, const cluster::KeyState& state);
  void GoAstray(const cluster::Message& update, cluster::NodeId* to);

  // Hands the actions of one event to the simulator, and what can be done at once back to the core.
  void Perform(cluster::Actions list);
  void Do(cluster::SendBytes& send);
  void Do(cluster::ReadKey& read);
  void Do(cluster::WriteKey& write);
  void Do(cluster::ListKeys& list);
  void Do(cluster::PersistLease& lease);
  void Do(cluster::PersistEpoch& epoch);
  void Do(cluster::PersistFloor& floor);
  void Do(cluster::LearnTopology& learn);
  void Do(cluster::PersistTopology& topology);
  void Do(cluster::ForsakeActor& forsake);
  void Do(cluster::LoadPartition& load);
  void Do(cluster::DropPartition& drop);
  void Do(cluster::SwapTopology& swap);
  void Do(cluster::StoreHint& hint);
  void Do(cluster::EraseHint& hint);
  void Do(cluster::FinishPut& finish);
  void Do(cluster::FinishGet& finish);
  void Do(cluster::Send& send);

  void AfterSync(Completion completion);
  void Soon(Completion completion);
  void Later(Nanos at_most, Completion completion);
  void SetCoreTimer();
  cluster::Now core_now() const { return {now_.monotonic, now_.wall / 1000}; }

  const Endpoint self_;
  const Disk& disk_;
  ClusterRun* const run_;
  Stream random_;
  const uint64_t seed_;

  cluster::NodeId id_ = cluster::kNoNode;
  std::unique_ptr<cluster::NodeCore> core_;
  cluster::ClusterSettings settings_;  // in worlds with namespaces
  std::string settings_text_;
  uint64_t settings_revision_ = 0;  // of the record that they were last found in
  std::map<cluster::NodeId, Peer> peers_;
  EpochsAsked epochs_asked_;  // requests of peers
  std::unordered_map<AskedBy, Asked, HashAskedBy> asked_;     // requests of peers
  std::set<std::pair<cluster::PartitionId, cluster::ActorId>> met_;  // its own, of which it has met dots that it does not know
  std::optional<cluster::PersistTopology> late_topology_;            // not on the disk yet
  bool has_begun_ = false;                                           // what it has found is durable
  std::map<uint64_t, Call> calls_;                          // by the core's number
  std::set<std::pair<Endpoint, uint64_t>> seen_calls_;      // the network may double them
  uint64_t next_call_ = 1;
  std::map<uint64_t, Completion> syncs_;
  std::map<uint64_t, Completion> timers_;
  std::deque<Completion> ready_;
  uint64_t next_number_ = 100;  // of syncs and timers; below are the fixed timers
  std::map<uint64_t, uint64_t> swaps_;  // under way: the simulator's number -> the core's

  // Of the event that is being handled.
  Time now_;
  Nanos awake_since_ = 0;  // on its own clock: nothing has held it up from then on
  Actions* actions_ = nullptr;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_SERVER_H_
