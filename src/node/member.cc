#include "node/member.h"

#include <algorithm>
#include <iterator>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "node/member_impl.h"

namespace varve::node {
namespace {

constexpr Nanos kPublishEvery = 100 * kMilli;
// Messages go together when the events that are there have been dealt with, or there are so many.
constexpr size_t kMessagesAtOnce = 64;
constexpr Nanos kLongestWait = 1 * kSecond;
// Events that a thread takes which is not the member's own, and has other things to do.
constexpr size_t kEventsOfOthers = 64;
constexpr size_t kMovesPerNode = 16;
constexpr Nanos kMovePeriod = 100 * kMilli;


}  // namespace

Result<std::unique_ptr<Member>> Member::Start(MemberOptions options, ClusterState state, ClusterStore* cluster, Db* db,
                                              Env* env) {
  const cluster::Member* const self = state.topology.Find(options.self);
  if (self == nullptr) {
    return Status::InvalidArgument(NameOf(options.self) + " is no member of the cluster: 'varve cluster join' makes it one");
  }
  if (self->state == cluster::MemberState::kRemoved) {
    return Status::InvalidArgument(NameOf(options.self) + " was removed from the cluster, and its number does not come back");
  }
  VARVE_ASSIGN_OR_RETURN(const MemberAddress address, ParseMemberAddress(self->address));
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<KeyStore> keys,
                         KeyStore::Open(db, state.topology.cluster, options.self, options.boot));
  if (keys->is_new() && self->actor != cluster::kNoActor && !options.is_first_start && !VARVE_PLANTED_BUG("node.comes_back_without_data")) {
    return Status::InvalidArgument(NameOf(options.self) +
                                   " has had data, and this store has none: join it under another number, by "
                                   "'varve cluster replace'");
  }
  auto impl = std::make_unique<Impl>(std::move(options), cluster, std::move(keys), env);
  VARVE_RETURN_IF_ERROR(impl->Start(std::move(state), address));
  return std::unique_ptr<Member>(new Member(std::move(impl)));
}

Member::Member(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Member::~Member() = default;
void Member::Stop() { impl_->Stop(); }
void Member::Put(cluster::ClientPut put, PutDone done) { impl_->Put(std::move(put), std::move(done)); }
void Member::Get(cluster::ClientGet get, GetDone done) { impl_->Get(std::move(get), std::move(done)); }
void Member::Later(Nanos after, std::function<void()> what) { impl_->Later(after, std::move(what)); }
void Member::Repair() { impl_->Repair(); }
Status Member::UseTls(const tls::Files& files) { return impl_->UseTls(files); }
std::shared_ptr<const ClusterSettings> Member::settings() const { return impl_->settings(); }
cluster::NodeId Member::self() const { return impl_->self(); }
uint16_t Member::port() const { return impl_->port(); }
std::shared_ptr<const cluster::Topology> Member::topology() const { return impl_->topology(); }
MemberStatus Member::status() const { return impl_->status(); }
uint64_t Member::CountKeys(uint16_t slot) const { return impl_->CountKeys(slot); }

// --- Beginning and end

Member::Impl::Impl(MemberOptions options, ClusterStore* cluster, std::unique_ptr<KeyStore> keys, Env* env)
    : options_(std::move(options)),
      cluster_(cluster),
      keys_(std::move(keys)),
      env_(env),
      topology_key_(cluster->topology_key()),
      settings_key_(cluster->settings_key()) {}

Status Member::Impl::Start(ClusterState state, const MemberAddress& address) {
  VARVE_ASSIGN_OR_RETURN(cluster::NodeDurable durable, keys_->LoadDurable());
  cluster::NodeOptions core;
  core.self = options_.self;
  core.random_seed = env_->RandomSeed();
  core.policy_of = [of_default = state.settings.policy](std::string_view key) {
    return cluster::PolicyOfReplicaKey(key, of_default);
  };
  core.slot_of = cluster::SlotOfReplicaKey;
  // What limits moves is the bytes a second; many at once make the rounds through the topology store fewer.
  core.moves_per_node = kMovesPerNode;
  core.move_period = kMovePeriod;
  core_ = std::make_unique<cluster::NodeCore>(core, std::move(durable));
  TakeSettings(std::move(state.settings), state.settings_revision);
  TransportOptions transport = options_.transport;
  transport.identity = {.cluster = std::to_string(state.topology.cluster),
                        .node = options_.self,
                        .incarnation = keys_->life()};
  transport.seed = env_->RandomSeed();
  transport.log = options_.log;
  if (transport.port == 0) transport.port = address.peers.port;
  transport_ = std::make_unique<Transport>(std::move(transport), env_, this);
  if (!options_.tls.certificate.empty()) VARVE_RETURN_IF_ERROR(transport_->UseTls(options_.tls));
  VARVE_RETURN_IF_ERROR(syncs_.Start(env_, "varve-sync"));
  VARVE_RETURN_IF_ERROR(scans_.Start(env_, "varve-scan"));
  VARVE_RETURN_IF_ERROR(store_.Start(env_, "varve-topology"));
  Post([this, bytes = cluster::EncodeTopology(state.topology), revision = state.topology_revision](
           cluster::Now now, Actions* actions) {
    core_->Start(now, actions);
    if (revision == 0) return;  // it is what the last life knew, as the core does
    const Status taken = core_->OnTopology(bytes, revision, now, actions);
    if (!taken.ok()) options_.log("the topology is not taken: " + taken.ToString());
  });
  {
    MutexLock lock(&mu_);
    topology_ = std::make_shared<const cluster::Topology>(std::move(state.topology));
    SetPeers(*topology_);
  }
  VARVE_RETURN_IF_ERROR(transport_->Start());
  thread_ = env_->StartThread("varve-member", [this] { Run(); });
  if (thread_ == nullptr) return Status::Unavailable("no thread can be started");
  watch_ = cluster_->store()->Watch(cluster_->prefix(), {}, this);
  return watch_ == nullptr ? Status::Unavailable("no thread can be started") : Status::Ok();
}

void Member::Impl::Stop() {
  watch_.reset();
  if (transport_ != nullptr) transport_->Stop();
  {
    MutexLock lock(&mu_);
    if (std::exchange(is_stopping_, true)) return;
    wakes_.NotifyAll();
  }
  const bool has_run = thread_ != nullptr;
  thread_.reset();  // joins
  if (has_run && !VARVE_PLANTED_BUG("member.stops_while_another_runs_it")) AwaitEndOfRun();
  store_.Stop();
  scans_.Stop();
  syncs_.Stop();
  if (!has_run || has_failed_.load()) return;
  if (const Status status = keys_->NoteOrderlyEnd(); !status.ok()) options_.log("ended without a sync: " + status.ToString());
}

// --- Who runs the core

cluster::Now Member::Impl::Now() const { return {Monotonic(), env_->clock()->WallMillis() * 1000}; }

void Member::Impl::Post(Task event) {
  {
    MutexLock lock(&mu_);
    if (is_stopping_) return;
    events_.emplace_back(std::move(event));
    if (!BeginsToRun()) return;
  }
  RunEvents(kEventsOfOthers);
}

bool Member::Impl::BeginsToRun() {
  if (is_running_ || is_for_thread_) return false;
  is_running_ = true;
  return true;
}

void Member::Impl::RunEvents(size_t most) {
  std::vector<Event> events;
  size_t taken = 0;
  while (TakeEvents(taken < most, &events)) {
    taken += events.size();
    for (Event& event : events) {
      Handle(std::move(event));
      if (outgoing_.size() >= kMessagesAtOnce) transport_->SendAll(&outgoing_);
    }
    transport_->SendAll(&outgoing_);
  }
}

bool Member::Impl::TakeEvents(bool may_go_on, std::vector<Event>* events) {
  events->clear();  // not under the lock: what they hold may want it
  MutexLock lock(&mu_);
  if (may_go_on && !events_.empty() && !is_stopping_) {
    events->swap(events_);
    return true;
  }
  is_running_ = false;
  is_for_thread_ = is_for_thread_ || !events_.empty();
  due_at_ = std::min(core_->NextTime(), publish_at_);
  if (!later_.empty()) due_at_ = std::min(due_at_, later_.begin()->first);
  // Under the lock: who waits for the end of the run may destroy this.
  if (is_stopping_ || is_for_thread_ || due_at_ < sleeps_until_) wakes_.NotifyAll();
  return false;
}

void Member::Impl::Run() {
  do {
    RunWhatIsDue();
    RunEvents(SIZE_MAX);
  } while (AwaitTurn());
}

bool Member::Impl::AwaitTurn() {
  MutexLock lock(&mu_);
  while (!is_stopping_) {
    const Nanos now = Monotonic();
    is_for_thread_ = is_for_thread_ || now >= due_at_;
    if (is_for_thread_ && !is_running_) {
      is_running_ = true;
      is_for_thread_ = false;
      sleeps_until_ = 0;
      return true;
    }
    sleeps_until_ = is_for_thread_ ? now + kLongestWait : std::min(due_at_, now + kLongestWait);
    wakes_.WaitFor(&mu_, (sleeps_until_ - now) / 1000 + 1);
  }
  return false;
}

void Member::Impl::AwaitEndOfRun() {
  MutexLock lock(&mu_);
  while (is_running_) wakes_.Wait(&mu_);
}

void Member::Impl::RunWhatIsDue() {
  for (auto due = later_.begin(); due != later_.end() && due->first <= Monotonic(); due = later_.begin()) {
    const std::function<void()> what = std::move(due->second);
    later_.erase(due);
    what();
  }
  if (Monotonic() >= core_->NextTime()) {
    Handle(Task([this](cluster::Now now, Actions* actions) { core_->OnTime(now, actions); }));
  }
  if (Monotonic() >= publish_at_) {
    publish_at_ = Monotonic() + kPublishEvery;
    LookAtPeers();
    Publish();
  }
  transport_->SendAll(&outgoing_);
}

void Member::Impl::Handle(Event event) {
  Tell(&event);
  while (!replies_.empty()) {
    Event reply = std::move(replies_.front());
    replies_.pop_front();
    Tell(&reply);
  }
  StartSync();
}

void Member::Impl::Tell(Event* event) {
  actions_.clear();
  if (auto* arrived = std::get_if<Arrived>(event)) {
    core_->OnMessage(arrived->from, arrived->bytes, Now(), &actions_);
  } else if (auto* read = std::get_if<KeyWasRead>(event)) {
    core_->OnKeyRead(read->partition, read->operation, std::move(read->bytes), Now(), &actions_);
  } else {
    std::get<Task>(*event)(Now(), &actions_);
  }
  for (cluster::Action& action : actions_) std::visit([this](auto& what) { Do(what); }, action);
}

void Member::Impl::LookAtPeers() {
  const Nanos now = Monotonic();
  std::vector<cluster::NodeId> doubtful;
  for (const auto& [peer, at] : unheard_) {
    if (now >= at) doubtful.push_back(peer);
  }
  for (const cluster::NodeId peer : doubtful) {
    unheard_.erase(peer);
    unreachable_.insert(peer);
    Handle(Task([this, peer](cluster::Now at, Actions* actions) { core_->OnReachable(peer, false, at, actions); }));
  }
}

void Member::Impl::Publish() {
  const cluster::Topology* const topology = core_->topology();
  const bool is_other = topology != nullptr && topology->epoch != published_epoch_;
  std::shared_ptr<const cluster::Topology> copy;
  if (is_other) {
    published_epoch_ = topology->epoch;
    copy = std::make_shared<const cluster::Topology>(*topology);
    SetPeers(*copy);
  }
  const cluster::NodeStatus core = core_->status();
  MutexLock lock(&mu_);
  if (copy != nullptr) topology_ = std::move(copy);
  status_.core = core;
  status_.unreachable = unreachable_;
  status_.settings_revision = settings_revision_;
}

void Member::Impl::SetPeers(const cluster::Topology& topology) {
  std::map<cluster::NodeId, PeerAddress> wanted;
  for (const cluster::Member& member : topology.members) {
    if (member.id == options_.self || member.state == cluster::MemberState::kRemoved) continue;
    const Result<MemberAddress> address = ParseMemberAddress(member.address);
    if (address.ok()) wanted[member.id] = address->peers;
  }
  for (const auto& [id, address] : peers_) {
    if (wanted.contains(id)) continue;
    transport_->RemovePeer(id);
    unheard_.erase(id);
    unreachable_.erase(id);
  }
  for (const auto& [id, address] : wanted) {
    const auto known = peers_.find(id);
    if (known != peers_.end() && known->second == address) continue;
    transport_->SetPeer(id, address);
    if (known == peers_.end()) unheard_[id] = Monotonic() + options_.transport.suspect_after;
  }
  peers_ = std::move(wanted);
}

// --- What others tell

void Member::Impl::OnMessage(const Delivery& delivery) {
  incoming_.emplace_back(Arrived{delivery.from, std::string(delivery.bytes)});
}

void Member::Impl::OnMessagesEnd() {
  if (incoming_.empty()) return;
  {
    MutexLock lock(&mu_);
    if (!is_stopping_) std::move(incoming_.begin(), incoming_.end(), std::back_inserter(events_));
    incoming_.clear();
    if (is_stopping_ || !BeginsToRun()) return;
  }
  RunEvents(kEventsOfOthers);
}

void Member::Impl::OnPeerChange(NodeId peer, bool is_reachable, Nanos) {
  OnMessagesEnd();  // what came before is before it
  Post([this, peer, is_reachable](cluster::Now now, Actions* actions) {
    if (!peers_.contains(peer)) return;
    unheard_.erase(peer);
    if (is_reachable) {
      unreachable_.erase(peer);
    } else {
      unreachable_.insert(peer);
    }
    core_->OnReachable(peer, is_reachable, now, actions);
  });
}

void Member::Impl::Put(cluster::ClientPut put, PutDone done) {
  Post([this, put = std::move(put), done = std::move(done)](cluster::Now now, Actions* actions) mutable {
    const uint64_t request = next_request_++;
    puts_.emplace(request, std::move(done));
    core_->Put(request, std::move(put), now, actions);
  });
}

void Member::Impl::Get(cluster::ClientGet get, GetDone done) {
  Post([this, get = std::move(get), done = std::move(done)](cluster::Now now, Actions* actions) mutable {
    const uint64_t request = next_request_++;
    gets_.emplace(request, std::move(done));
    core_->Get(request, std::move(get), now, actions);
  });
}

void Member::Impl::Later(Nanos after, std::function<void()> what) {
  Post([this, at = Monotonic() + after, what = std::move(what)](cluster::Now, Actions*) mutable {
    later_.emplace(at, std::move(what));
  });
}

std::shared_ptr<const cluster::Topology> Member::Impl::topology() const {
  MutexLock lock(&mu_);
  return topology_;
}

MemberStatus Member::Impl::status() const {
  MutexLock lock(&mu_);
  return status_;
}

}  // namespace varve::node
