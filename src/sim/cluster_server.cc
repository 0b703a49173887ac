#include "sim/cluster_server.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "cluster/message_codec.h"
#include "sim/cluster_disk.h"
#include "sim/cluster_namespaces.h"
#include "sim/cluster_versions.h"

namespace varve::sim {
namespace {

constexpr uint64_t kCoreTimer = 1;
constexpr uint64_t kPingTimer = 2;
constexpr uint64_t kStoreTimer = 3;
constexpr Nanos kPingEvery = 250 * kMillisecond;
constexpr Nanos kSilence = kSecond;  // from then on a peer is taken for dead

cluster::NodeOptions CoreOptions(cluster::NodeId self, uint64_t seed, const ClusterOptions& chosen) {
  cluster::NodeOptions options;
  options.self = self;
  options.random_seed = seed;
  options.policy_of = [policy = chosen.policy](std::string_view key) { return cluster::PolicyOfReplicaKey(key, policy); };
  options.slot_of = cluster::SlotOfReplicaKey;
  options.lease_size = chosen.lease_size;
  options.max_listed = 1 + seed % 5;  // exchanges in several pieces
  options.max_siblings = chosen.max_siblings;
  options.max_queued = chosen.max_queued;
  options.max_requests = chosen.max_requests;
  options.max_hint_bytes = chosen.hint_bytes;
  options.max_hint_bytes_of_owner = chosen.hint_bytes / 2;
  options.tick = 50 * kMillisecond;
  options.gossip_period = chosen.gossip_period;
  options.exchange_period = chosen.exchange_period;
  options.exchange_patience = chosen.exchange_patience;
  options.floor_period = chosen.floor_period;
  options.move_period = 100 * kMillisecond;
  options.move_patience = kSecond;
  // Where level one is promised to last, who answers is never left out. Where copies go anywhere quorums stand alone.
  options.leaver_patience = chosen.reshapes > 0 ? 0 : chosen.wipes ? kSecond : 3600 * kSecond;
  return options;
}

}  // namespace

std::string AddressOf(Endpoint endpoint, uint64_t wipes) {
  return std::to_string(endpoint) + "." + std::to_string(wipes);
}

// An event has come. Its core looks at the time 20 times a second, unless the process stands still.
void ClusterServer::Awake(Time now, Actions* actions) {
  const bool has_stood_still = now_.monotonic + 100 * kMillisecond < now.monotonic;
  if (awake_since_ == 0 || has_stood_still) awake_since_ = now.monotonic;
  now_ = now;
  actions_ = actions;
}

void ClusterServer::OnStart(Time now, Actions* actions) {
  Awake(now, actions);
  run_->wipes[self_] = disk_.wipes();
  // Of what a process that crashed had written a part may not be durable yet. Nobody hears of it before it is.
  AfterSync([this](cluster::Actions*) { Start(); });
}

void ClusterServer::Start() {
  has_begun_ = true;
  if (run_->options.watches) actions_->WatchStore();
  actions_->ReadStore(0);
  actions_->SetTimer(kStoreTimer, run_->options.store_period);
  actions_->SetTimer(kPingTimer, random_.Uniform(kPingEvery));
  if (const auto topology = disk_.Read("t")) {
    if (const auto decoded = cluster::DecodeTopology(*topology); decoded.ok()) Begin(*decoded);
  }
}

// Becomes the member that the topology names, if there is one.
void ClusterServer::Begin(const cluster::Topology& topology) {
  const std::string address = AddressOf(self_, disk_.wipes());
  for (const cluster::Member& member : topology.members) {
    if (member.address == address) id_ = member.id;
  }
  if (id_ == cluster::kNoNode) return;
  cluster::NodeDurable durable = LoadNode(disk_);
  for (const auto& [partition, record] : durable.partitions) run_->epochs.OnFenceDurable(id_, partition, record.epoch);
  core_ = std::make_unique<cluster::NodeCore>(CoreOptions(id_, seed_, run_->options), std::move(durable));
  run_->versions[id_] = KnownVersion();
  if (const auto settings = disk_.Read("s")) TakeSettings(*settings, 0);
  cluster::Actions list;
  core_->Start(core_now(), &list);
  Perform(std::move(list));
  LookForPeers();
}

void ClusterServer::TakeTopology(std::string_view bytes, uint64_t revision) {
  if (!has_begun_) return;
  const StoreRecord record = SplitRecord(run_->options, bytes);
  if (core_ == nullptr) {
    if (const auto decoded = cluster::DecodeTopology(record.topology); decoded.ok()) Begin(*decoded);
  }
  if (core_ == nullptr) return;
  cluster::Actions list;
  run_->Report(core_->OnTopology(record.topology, revision, core_now(), &list));
  Perform(std::move(list));
  // Behind the topology that was there when they came, also on the disk.
  if (!record.settings.empty() && revision > settings_revision_) TakeSettings(record.settings, revision);
  LookForPeers();
}

void ClusterServer::TakeSettings(std::string_view text, uint64_t revision) {
  settings_revision_ = revision;
  if (text == settings_text_) return;
  auto settings = cluster::DecodeClusterSettings(text);
  if (!settings.ok()) return run_->Report(settings.status());
  settings_ = *std::move(settings);
  settings_text_ = text;
  core_->SetRules(MoveRulesOf(settings_));
  actions_->Write("s", settings_text_);
  run_->settings[self_] = settings_text_;
}

void ClusterServer::LookForPeers() {
  if (core_->topology() == nullptr) return;
  for (const cluster::Member& member : core_->topology()->members) {
    if (member.id == id_ || member.state == cluster::MemberState::kRemoved || peers_.contains(member.id)) continue;
    peers_[member.id] = {static_cast<Endpoint>(std::stoul(member.address)), now_.monotonic};
  }
}

void ClusterServer::Ping() {
  for (auto& [id, peer] : peers_) {
    actions_->Send(peer.endpoint, Encode(NodeFrame{id_, id, {}}));
    const bool is_reachable = now_.monotonic - peer.heard < kSilence;
    if (is_reachable == peer.is_reachable) continue;
    peer.is_reachable = is_reachable;
    cluster::Actions list;
    core_->OnReachable(id, is_reachable, core_now(), &list);
    Perform(std::move(list));
  }
}

void ClusterServer::OnMessage(Endpoint from, std::string_view bytes, Time now, Actions* actions) {
  Awake(now, actions);
  ClusterMessage message = DecodeClusterMessage(bytes);
  if (const auto* call = std::get_if<ClientCall>(&message)) {
    TakeCall(from, *call);
  } else {
    TakeFrame(std::get<NodeFrame>(std::move(message)));
  }
  if (run_->options.profile == Profile::kBounds && core_ != nullptr) Watch();
  SetCoreTimer();
}

void ClusterServer::TakeFrame(NodeFrame frame) {
  // Who a frame is for, the handshake of a real connection finds out.
  if (core_ == nullptr || frame.to != id_) return;
  if (const auto peer = peers_.find(frame.from); peer != peers_.end()) {
    peer->second.heard = now_.monotonic;
    if (!peer->second.is_reachable) {
      peer->second.is_reachable = true;
      cluster::Actions list;
      core_->OnReachable(frame.from, true, core_now(), &list);
      Perform(std::move(list));
    }
  }
  if (frame.bytes.empty() || IsStranger()) return;
  if (KnownVersion() == kLaterVersion && IsLater(frame.bytes)) {
    ++run_->later_messages;
    if (!FromLater(&frame.bytes)) return;
  }
  WatchRequest(frame);
  cluster::Actions list;
  core_->OnMessage(frame.from, frame.bytes, core_now(), &list);
  CheckRefused(frame, list);
  Perform(std::move(list));
}

// Of the messages: the same in a whole life.
char ClusterServer::KnownVersion() const {
  return run_->options.is_rolling && (seed_ >> 32) % 2 == 0 ? kLaterVersion : kThisVersion;
}

// As both ends of a connection have agreed in their hellos.
bool ClusterServer::SpeaksLaterTo(cluster::NodeId peer) const {
  if (KnownVersion() != kLaterVersion) return false;
  const auto known = run_->versions.find(peer);
  return (known != run_->versions.end() && known->second == kLaterVersion) || VARVE_PLANTED_BUG("sim.speaks_what_peers_do_not_know");
}

// A kind of message that only the later version has, to whom it knows, and by mistake to others.
void ClusterServer::SayNews() {
  if (KnownVersion() != kLaterVersion) return;
  for (const auto& [id, peer] : peers_) {
    if (SpeaksLaterTo(id) || random_.Chance(200)) {
      actions_->Send(peer.endpoint, Encode(NodeFrame{id_, id, News(random_.Chance(500))}));
    }
  }
}

// I14: what a node cannot know has no effect.
void ClusterServer::CheckRefused(const NodeFrame& frame, const cluster::Actions& list) {
  if (!run_->options.is_rolling || list.empty() || cluster::DecodeMessage(frame.bytes).ok()) return;
  run_->Report(Status::Corruption("I14: " + std::to_string(Value(id_)) + " acts on a message that it does not know"));
}

// Whether it is of a later version, to which the others cannot talk. It is put right when the faults are over.
bool ClusterServer::IsStranger() const {
  return run_->options.profile == Profile::kVersions && !run_->options.is_rolling && run_->calm_since == 0 &&
         (seed_ >> 32) % 4 == 0;
}

void ClusterServer::TakeCall(Endpoint client, const ClientCall& call) {
  if (!seen_calls_.insert({client, call.number}).second) return;
  if (core_ == nullptr) {
    return Refuse(client, call);
  }
  // By the settings as this node knows them.
  cluster::ConflictPolicy policy = run_->options.policy;
  uint32_t replicas = 0;
  if (const auto name = cluster::NamespaceOf(call.key)) {
    const auto space = settings_.namespaces.find(*name);
    if (space == settings_.namespaces.end()) return Refuse(client, call);
    policy = space->second.policy;
    const bool is_read = call.kind == ClientOperation::Kind::kGet;
    const bool goes_by_numbers = call.level == cluster::Level::kQuorum;
    if (goes_by_numbers) replicas = is_read ? space->second.read_quorum : space->second.write_quorum;
    const bool is_promised = space->second.read_quorum + space->second.write_quorum > settings_.copies;
    run_->history.OnCoordinated(call.number, replicas, is_promised || !goes_by_numbers);
  }
  ++run_->taken;
  std::string key = cluster::ReplicaKey(call.key, policy);
  const uint64_t number = next_call_++;
  const Nanos deadline = now_.monotonic + call.patience;
  calls_[number] = {client, call.number, deadline};
  cluster::Actions list;
  if (call.kind == ClientOperation::Kind::kGet) {
    core_->Get(number, {.key = std::move(key), .level = call.level, .replicas = replicas, .deadline = deadline},
               core_now(), &list);
  } else {
    core_->Put(number,
               {.key = std::move(key), .is_delete = call.kind == ClientOperation::Kind::kDelete, .value = call.value,
                .seen = call.brought, .level = call.level, .replicas = replicas, .sloppy = call.sloppy,
                .deadline = deadline},
               core_now(), &list);
  }
  Perform(std::move(list));
}

void ClusterServer::Refuse(Endpoint client, const ClientCall& call) {
  actions_->Send(client, Encode(ClientAnswer{call.number, cluster::Outcome::kFailed, {}, {}}));
}

void ClusterServer::OnTimer(uint64_t id, Time now, Actions* actions) {
  Awake(now, actions);
  if (id == kStoreTimer) {
    actions->ReadStore(0);
    actions->SetTimer(kStoreTimer, run_->options.store_period);
  } else if (id == kPingTimer) {
    if (core_ != nullptr) {
      Ping();
      SayNews();
      Watch();
    }
    actions->SetTimer(kPingTimer, kPingEvery);
  } else if (id == kCoreTimer) {
    cluster::Actions list;
    core_->OnTime(core_now(), &list);
    Perform(std::move(list));
  } else {
    ready_.push_back(std::move(timers_.extract(id).mapped()));
    Perform({});
  }
  SetCoreTimer();
}

// What failed is tried again: nobody is told that it is durable before it is.
void ClusterServer::OnSynced(uint64_t id, bool ok, Time now, Actions* actions) {
  Awake(now, actions);
  if (!ok) {
    Completion completion = std::move(syncs_.extract(id).mapped());
    const uint64_t timer = next_number_++;
    timers_[timer] = [this, completion = std::move(completion)](cluster::Actions*) mutable {
      AfterSync(std::move(completion));
    };
    return actions->SetTimer(timer, 20 * kMillisecond);
  }
  ready_.push_back(std::move(syncs_.extract(id).mapped()));
  Perform({});
  SetCoreTimer();
}

void ClusterServer::OnStore(const StoreReply& reply, Time now, Actions* actions) {
  Awake(now, actions);
  TakeTopology(reply.bytes, reply.revision);
  const auto swap = reply.kind == StoreReply::Kind::kCompareAndSwap ? swaps_.find(reply.id) : swaps_.end();
  if (swap != swaps_.end()) {
    const uint64_t number = swaps_.extract(swap).mapped();
    const auto outcome = reply.is_swapped ? cluster::SwapOutcome::kDone : cluster::SwapOutcome::kConflict;
    cluster::Actions list;
    core_->OnSwapped(number, outcome, reply.revision, core_now(), &list);
    Perform(std::move(list));
  }
  SetCoreTimer();
}

void ClusterServer::SetCoreTimer() {
  if (core_ == nullptr) return;
  const Nanos next = core_->NextTime();
  actions_->SetTimer(kCoreTimer, next > now_.monotonic ? next - now_.monotonic : 0);
}

}  // namespace varve::sim
