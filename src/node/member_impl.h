// Member::Impl: what drives the core. For member*.cc alone.
//
// The core is one thread's at a time, whichever has brought an event when nobody ran it: the loop of a server that begins a
// request, the transport that has received messages. It also takes what others bring meanwhile, up to a share; what is more,
// and what is due at a time, is the member's own thread's.
#ifndef VARVE_NODE_MEMBER_IMPL_H_
#define VARVE_NODE_MEMBER_IMPL_H_

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "cluster/key_namespace.h"
#include "node/member.h"
#include "node/member_address.h"
#include "node/task_thread.h"

namespace varve::node {

class Member::Impl final : public TransportHandler, public TopologyWatcher {
 public:
  Impl(MemberOptions options, ClusterStore* cluster, std::unique_ptr<KeyStore> keys, Env* env);
  ~Impl() override { Stop(); }

  Status Start(ClusterState state, const MemberAddress& address);
  void Stop();

  void Put(cluster::ClientPut put, PutDone done);
  void Get(cluster::ClientGet get, GetDone done);
  void Later(Nanos after, std::function<void()> what);
  void Repair() {
    Post([this](cluster::Now, Actions*) { core_->Repair(); });
  }
  Status UseTls(const tls::Files& files) {
    // Half of the nodes with it and half without could not talk.
    if (options_.tls.certificate.empty()) return Status::InvalidArgument("nodes speak without TLS since the start");
    return transport_->UseTls(files);
  }
  std::shared_ptr<const ClusterSettings> settings() const VARVE_EXCLUDES(settings_mu_);
  cluster::NodeId self() const { return options_.self; }
  uint16_t port() const { return transport_->port(); }
  std::shared_ptr<const cluster::Topology> topology() const VARVE_EXCLUDES(mu_);
  MemberStatus status() const VARVE_EXCLUDES(mu_);
  uint64_t CountKeys(uint16_t slot) const { return keys_->CountKeys({slot, 1}, UINT64_MAX); }

  // In the transport's thread, and in the topology store's.
  void OnMessage(const Delivery& delivery) override;
  void OnMessagesEnd() override VARVE_EXCLUDES(mu_);
  void OnPeerChange(NodeId peer, bool is_reachable, Nanos since) override;
  void OnChanges(uint64_t revision, const Changes& changes) override;
  void OnTrouble(const std::string& reason) override VARVE_EXCLUDES(mu_);

 private:
  using Actions = cluster::Actions;
  // Tells the core something.
  using Task = std::function<void(cluster::Now now, Actions* actions)>;
  // What is told most.
  struct Arrived {
    cluster::NodeId from;
    std::string bytes;
  };
  struct KeyWasRead {
    cluster::PartitionId partition;
    uint64_t operation;
    Result<std::optional<std::string>> bytes;
  };
  // What the core is told, by who runs it.
  using Event = std::variant<Task, Arrived, KeyWasRead>;

  // The event happens within the call, or soon in another thread.
  void Post(Task event) VARVE_EXCLUDES(mu_);
  // True: the caller runs the core now, and calls RunEvents.
  bool BeginsToRun() VARVE_REQUIRES(mu_);
  // Ends the run when there are no events, or this many have been taken. REQUIRES: this thread runs the core.
  void RunEvents(size_t most) VARVE_EXCLUDES(mu_);
  bool TakeEvents(bool may_go_on, std::vector<Event>* events) VARVE_EXCLUDES(mu_);
  void RunWhatIsDue();
  // The member's thread.
  void Run() VARVE_EXCLUDES(mu_);
  // Until this thread is to run the core. False: the end.
  bool AwaitTurn() VARVE_EXCLUDES(mu_);
  void AwaitEndOfRun() VARVE_EXCLUDES(mu_);
  void Handle(Event event);
  void Tell(Event* event);
  cluster::Now Now() const;
  Nanos Monotonic() const { return env_->clock()->MonotonicNanos(); }
  // Doubtful peers that have not been heard of for too long; then what others ask is brought up to date.
  void LookAtPeers();
  void Publish() VARVE_EXCLUDES(mu_);
  void SetPeers(const cluster::Topology& topology);
  // What the store holds, or what of it has changed. By who runs the core.
  void TakeRecords(const std::map<std::string, Record>& records, cluster::Now now, Actions* actions);
  void TakeSettings(ClusterSettings settings, uint64_t revision) VARVE_EXCLUDES(settings_mu_);

  // Actions (member_actions.cc).
  void Do(cluster::Send&) {}
  void Do(cluster::SendBytes& action);
  void Do(cluster::ReadKey& action);
  void Do(cluster::WriteKey& action);
  void Do(cluster::ListKeys& action);
  void Do(cluster::PersistLease& action);
  void Do(cluster::PersistEpoch& action);
  void Do(cluster::PersistFloor& action);
  void Do(cluster::LearnTopology& action);
  void Do(cluster::StoreHint& action);
  void Do(cluster::EraseHint& action);
  void Do(cluster::FinishPut& action);
  void Do(cluster::FinishGet& action);
  void Do(cluster::PersistTopology& action);
  void Do(cluster::ForsakeActor& action);
  void Do(cluster::LoadPartition& action);
  void Do(cluster::DropPartition& action);
  void Do(cluster::SwapTopology& action);

  uint16_t SlotOf(std::string_view key) const { return cluster::SlotOfReplicaKey(key); }
  SlotRange SlotsOf(cluster::PartitionId partition) const;
  // The core is told in this turn, behind what it does now.
  template <typename What>
  void Reply(What event) {
    replies_.emplace_back(std::move(event));
  }
  // The core is told when all that has been written so far survives loss of power.
  void ReplyWhenSynced(Task event);
  void StartSync();
  void Check(const Status& status);
  void LoadInPieces(cluster::PartitionId partition, SlotRange slots);
  void Swap(const cluster::SwapTopology& action, uint64_t settings_revision);

  const MemberOptions options_;
  ClusterStore* const cluster_;
  const std::unique_ptr<KeyStore> keys_;
  Env* const env_;
  const std::string topology_key_;
  const std::string settings_key_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<TopologyWatch> watch_;
  TaskThread syncs_;
  TaskThread scans_;
  TaskThread store_;
  std::atomic<bool> has_failed_{false};

  // Of who runs the core, from Start on.
  std::unique_ptr<cluster::NodeCore> core_;
  uint64_t settings_revision_ = 0;
  Actions actions_;
  std::deque<Event> replies_;
  std::vector<Task> waiting_for_sync_;
  bool is_syncing_ = false;
  bool is_learning_ = false;
  uint64_t next_request_ = 1;
  std::map<uint64_t, PutDone> puts_;
  std::map<uint64_t, GetDone> gets_;
  std::map<cluster::NodeId, PeerAddress> peers_;
  std::map<cluster::NodeId, Nanos> unheard_;  // peers of which nothing was heard yet, and when to doubt them
  std::set<cluster::NodeId> unreachable_;
  std::multimap<Nanos, std::function<void()>> later_;
  Nanos publish_at_ = 0;
  cluster::Epoch published_epoch_ = cluster::kNoEpoch;
  std::vector<Transport::Outgoing> outgoing_;

  // Of the transport's thread.
  std::vector<Event> incoming_;

  mutable Mutex mu_;
  CondVar wakes_;
  bool is_stopping_ VARVE_GUARDED_BY(mu_) = false;
  bool is_running_ VARVE_GUARDED_BY(mu_) = true;     // somebody runs the core; at first the member's thread, once it is there
  bool is_for_thread_ VARVE_GUARDED_BY(mu_) = false;  // the next run is the member's thread's
  Nanos due_at_ VARVE_GUARDED_BY(mu_) = 0;            // when the core wants to be called; while nobody runs it
  Nanos sleeps_until_ VARVE_GUARDED_BY(mu_) = 0;      // the member's thread; 0: it is awake
  std::vector<Event> events_ VARVE_GUARDED_BY(mu_);
  std::shared_ptr<const cluster::Topology> topology_ VARVE_GUARDED_BY(mu_);
  MemberStatus status_ VARVE_GUARDED_BY(mu_);
  // Of its own, since each request of a namespace asks for them.
  mutable Mutex settings_mu_;
  std::shared_ptr<const ClusterSettings> settings_ VARVE_GUARDED_BY(settings_mu_);
  std::unique_ptr<Thread> thread_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_MEMBER_IMPL_H_
