#include "main/cluster_bridge.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "cluster/key_namespace.h"
#include "cluster/slot.h"
#include "node/base64.h"
#include "node/member_address.h"

namespace varve {
namespace {

using cluster::ReplyCode;
using server::ClusterResult;
using server::ClusterView;

// The store's limit, less the slot in front of each key and what a namespace adds.
constexpr size_t kMaxKeyBytes = 65'532;
// Nodes hear of a new topology within less than a second of each other.
constexpr uint64_t kBetweenTries = 10'000'000;

std::string ReasonText(ReplyCode reason, std::string_view what) {
  switch (reason) {
    case ReplyCode::kOk: return "too few replicas have " + std::string(what) + " in time";
    case ReplyCode::kStaleEpoch:
    case ReplyCode::kUnknownEpoch:
    case ReplyCode::kFenced: return "the topology has just changed: try again";
    case ReplyCode::kCannotMakeDots: return "the replicas that are there may not write yet";
    case ReplyCode::kTooManySiblings: return "the key has too many values that nobody has settled: V.GET and V.PUT settle them";
    case ReplyCode::kOverloaded: return "replicas have too much to do";
    case ReplyCode::kMalformed: return "a replica could not make sense of it";
    case ReplyCode::kTooFewReplicas: return "too few replicas are there";
    case ReplyCode::kStorageFailed: return "the store of a replica has failed";
    default: return "replicas have refused";
  }
}

ClusterResult::Outcome OutcomeOf(cluster::Outcome outcome) {
  switch (outcome) {
    case cluster::Outcome::kOk: return ClusterResult::Outcome::kOk;
    case cluster::Outcome::kFailed: return ClusterResult::Outcome::kFailed;
    case cluster::Outcome::kUnknown: break;
  }
  return ClusterResult::Outcome::kUnknown;
}

cluster::Level LevelOf(const server::ClusterQuorum& quorum) {
  return quorum.is_linear ? cluster::Level::kLinear : cluster::Level::kQuorum;
}

std::string NameOf(uint64_t cluster, cluster::NodeId node) {
  std::string name;
  const auto append = [&name](uint64_t number) {
    for (int shift = 60; shift >= 0; shift -= 4) name.push_back("0123456789abcdef"[number >> shift & 15]);
  };
  append(cluster);
  append(Value(node));
  return name + std::string(8, '0');
}

ClusterView MakeView(const cluster::Topology& topology, const std::set<cluster::NodeId>& unreachable, cluster::NodeId self) {
  ClusterView view;
  view.epoch = Value(topology.epoch);
  std::map<cluster::NodeId, size_t> places;
  for (const cluster::Member& member : topology.members) {
    if (member.state == cluster::MemberState::kRemoved) continue;
    const Result<node::MemberAddress> address = node::ParseMemberAddress(member.address);
    if (!address.ok()) continue;
    places[member.id] = view.nodes.size();
    view.nodes.push_back({.number = Value(member.id),
                          .name = NameOf(topology.cluster, member.id),
                          .host = address->clients.host,
                          .port = address->clients.port,
                          .cluster_port = address->peers.port,
                          .is_self = member.id == self,
                          .is_reachable = !unreachable.contains(member.id)});
  }
  for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
    const cluster::PartitionId partition{static_cast<uint16_t>(p)};
    ClusterView::Range range;
    range.first = topology.placement.FirstSlot(partition);
    range.last = static_cast<uint16_t>(range.first + topology.placement.SlotsPerPartition() - 1);
    const cluster::ReplicaSets sets = topology.SetsOf(partition);
    for (const cluster::NodeId node : sets.Readable()) {
      if (const auto place = places.find(node); place != places.end()) range.nodes.push_back(place->second);
    }
    std::stable_partition(range.nodes.begin(), range.nodes.end(), [&](size_t node) { return view.nodes[node].is_reachable; });
    if (!view.ranges.empty() && view.ranges.back().nodes == range.nodes) {
      view.ranges.back().last = range.last;
    } else {
      view.ranges.push_back(std::move(range));
    }
  }
  return view;
}

ClusterResult ResultOf(cluster::Outcome outcome, cluster::ReplyCode reason, const char* replicas_did) {
  ClusterResult result{.outcome = OutcomeOf(outcome), .reason = {}, .values = {}, .context = {}};
  if (outcome != cluster::Outcome::kOk) result.reason = ReasonText(reason, replicas_did);
  return result;
}

}  // namespace

ClusterBridge::ClusterBridge(node::Member* member, Db* db, Env* env, uint64_t timeout_millis)
    : member_(member),
      db_(db),
      env_(env),
      timeout_millis_(timeout_millis),
      settings_(member->settings()),
      tokens_({{.id = 1, .key = settings_->secret}}) {}

uint64_t ClusterBridge::Deadline() const { return env_->clock()->MonotonicNanos() + timeout_millis_ * 1'000'000; }

Status ClusterBridge::CheckKey(std::string_view key) const {
  const std::optional<std::string_view> space = cluster::NamespaceOf(key);
  if (!space) return Status::Ok();
  if (!cluster::IsNamespaceName(*space)) {
    return Status::InvalidArgument("a key that begins with @ is one of a namespace: @NAME/KEY");
  }
  const auto settings = member_->settings();
  if (settings->namespaces.find(*space) != settings->namespaces.end()) return Status::Ok();
  return Status::InvalidArgument("there is no namespace '" + std::string(*space) +
                                 "': 'varve cluster namespace create' makes one");
}

ClusterBridge::Place ClusterBridge::PlaceOf(const std::string& key) const {
  // 0 says a majority of those that there are, which also holds while there are fewer than there should be.
  const auto replicas = [&](uint32_t quorum) { return quorum == settings_->copies / 2 + 1 ? 0 : quorum; };
  const std::optional<std::string_view> space = cluster::NamespaceOf(key);
  if (space) {
    const auto settings = member_->settings();
    if (const auto found = settings->namespaces.find(*space); found != settings->namespaces.end()) {
      const node::ClusterNamespace& its = found->second;
      return {cluster::ReplicaKey(key, its.policy), replicas(its.read_quorum), replicas(its.write_quorum)};
    }
  }
  return {key, replicas(settings_->read_quorum), replicas(settings_->write_quorum)};
}

std::string ClusterBridge::Seal(const std::string& key, const cluster::SeenContext& seen) const {
  return node::EncodeBase64(tokens_.Seal(0, key, seen));
}

// A request that is begun again, until its deadline, when only a change of the topology was in its way. It holds itself by
// the callbacks that it gives away.
class ClusterBridge::Retried : public std::enable_shared_from_this<ClusterBridge::Retried> {
 public:
  Retried(const ClusterBridge* bridge, std::string key, Done done)
      : bridge_(bridge),
        key_(std::move(key)),
        place_(bridge->PlaceOf(key_)),
        done_(std::move(done)),
        deadline_(bridge->Deadline()) {}

  void Read(server::ClusterQuorum quorum, bool wants_context) {
    bridge_->member_->Get({.key = place_.name,
                           .level = LevelOf(quorum),
                           .replicas = quorum.replicas != 0 ? quorum.replicas : place_.read,
                           .deadline = deadline_},
                          [self = shared_from_this(), quorum, wants_context](cluster::FinishGet finish) {
      const bool is_over = finish.outcome == cluster::Outcome::kOk || !IsPassing(finish.reason) ||
                           !self->Again([self, quorum, wants_context] { self->Read(quorum, wants_context); });
      if (!is_over) return;
      ClusterResult result = ResultOfRead(&finish);
      const bool seals = wants_context && finish.outcome == cluster::Outcome::kOk;
      if (seals) result.context = self->bridge_->Seal(self->key_, finish.seen);
      self->done_(std::move(result));
    });
  }

  // What an attempt of unknown outcome has written, the next one has seen, or has it beside as an equal value.
  void Replace(const std::optional<std::string>& value, bool spares_conflicts) {
    bridge_->member_->Get({.key = place_.name, .replicas = place_.read, .deadline = deadline_},
                          [self = shared_from_this(), value, spares_conflicts](cluster::FinishGet finish) {
      const bool is_again = finish.outcome != cluster::Outcome::kOk && IsPassing(finish.reason) &&
                            self->Again([self, value, spares_conflicts] { self->Replace(value, spares_conflicts); });
      if (!is_again) self->OnRead(value, spares_conflicts, std::move(finish));
    });
  }

  // Of a write that takes place once at most.
  void Write(cluster::ClientPut put) {
    put.key = place_.name;
    if (put.replicas == 0) put.replicas = place_.write;
    put.deadline = deadline_;
    put_ = std::move(put);
    TryToWrite();
  }

 private:
  void TryToWrite() {
    bridge_->member_->Put(put_, [self = shared_from_this()](const cluster::FinishPut& finish) {
      const bool is_over = finish.outcome != cluster::Outcome::kFailed || !IsPassing(finish.reason) ||
                           !self->Again([self] { self->TryToWrite(); });
      if (!is_over) return;
      ClusterResult result = ResultOfWrite(finish);
      if (finish.outcome == cluster::Outcome::kOk) result.context = self->bridge_->Seal(self->key_, finish.seen);
      self->done_(std::move(result));
    });
  }

  static bool IsPassing(ReplyCode reason) {
    return reason == ReplyCode::kStaleEpoch || reason == ReplyCode::kUnknownEpoch || reason == ReplyCode::kFenced;
  }
  static ClusterResult ResultOfRead(cluster::FinishGet* finish) {
    ClusterResult result = ResultOf(finish->outcome, finish->reason, "answered");
    result.values = std::move(finish->values);
    return result;
  }
  static ClusterResult ResultOfWrite(const cluster::FinishPut& finish) {
    return ResultOf(finish.outcome, finish.reason, "said that they have it");
  }
  // False: there is no time.
  bool Again(std::function<void()> what) {
    if (bridge_->env_->clock()->MonotonicNanos() + kBetweenTries >= deadline_) return false;
    bridge_->member_->Later(kBetweenTries, std::move(what));
    return true;
  }

  void OnRead(const std::optional<std::string>& value, bool spares_conflicts, cluster::FinishGet finish) {
    ClusterResult before = ResultOfRead(&finish);
    if (!before_) before_ = before.values;
    // A write of unknown outcome came before: it is not certain any more that there is no effect.
    if (is_unsure_ && before.outcome == ClusterResult::Outcome::kFailed) before.outcome = ClusterResult::Outcome::kUnknown;
    const bool is_nothing_to_do = (!value && before.values.empty()) || (spares_conflicts && before.values.size() > 1);
    if (before.outcome != ClusterResult::Outcome::kOk || is_nothing_to_do) {
      before.values = *before_;
      return done_(std::move(before));
    }
    cluster::ClientPut put{.key = place_.name, .is_delete = !value, .value = value.value_or(""), .seen = std::move(finish.seen)};
    put.replicas = place_.write;
    put.deadline = deadline_;
    bridge_->member_->Put(std::move(put), [self = shared_from_this(), value, spares_conflicts](const cluster::FinishPut& written) {
      if (written.outcome == cluster::Outcome::kUnknown) self->is_unsure_ = true;
      const bool is_again = written.outcome != cluster::Outcome::kOk && IsPassing(written.reason) &&
                            self->Again([self, value, spares_conflicts] { self->Replace(value, spares_conflicts); });
      if (is_again) return;
      ClusterResult result = ResultOfWrite(written);
      if (self->is_unsure_ && result.outcome == ClusterResult::Outcome::kFailed) result.outcome = ClusterResult::Outcome::kUnknown;
      result.values = *self->before_;
      self->done_(std::move(result));
    });
  }

  const ClusterBridge* const bridge_;
  const std::string key_;
  const Place place_;
  const Done done_;
  const uint64_t deadline_;
  cluster::ClientPut put_;  // of Write
  std::optional<std::vector<std::string>> before_;  // what the first read has found
  bool is_unsure_ = false;
};

void ClusterBridge::Read(std::string key, server::ClusterQuorum quorum, bool wants_context, Done done) {
  std::make_shared<Retried>(this, std::move(key), std::move(done))->Read(quorum, wants_context);
}

Status ClusterBridge::Write(std::string key, std::optional<std::string> value, std::string_view context,
                            server::ClusterQuorum quorum, Done done) {
  const std::optional<std::string> token = node::DecodeBase64(context);
  if (!token) return Status::InvalidArgument("this is no context");
  VARVE_ASSIGN_OR_RETURN(const std::optional<cluster::SeenContext> seen, tokens_.Open(0, key, *token));
  cluster::ClientPut put{.is_delete = !value};
  if (value) put.value = *std::move(value);
  if (seen) put.seen = *seen;
  put.level = LevelOf(quorum);
  put.replicas = quorum.replicas;
  put.sloppy = quorum.is_sloppy;
  std::make_shared<Retried>(this, std::move(key), std::move(done))->Write(std::move(put));
  return Status::Ok();
}

void ClusterBridge::Replace(std::string key, std::optional<std::string> value, bool spares_conflicts, Done done) {
  std::make_shared<Retried>(this, std::move(key), std::move(done))->Replace(value, spares_conflicts);
}

uint16_t ClusterBridge::SlotOf(std::string_view key) const { return cluster::SlotOf(key); }
size_t ClusterBridge::max_key_bytes() const { return kMaxKeyBytes; }

std::shared_ptr<const ClusterView> ClusterBridge::View() const {
  const std::shared_ptr<const cluster::Topology> topology = member_->topology();
  const node::MemberStatus status = member_->status();
  MutexLock lock(&mu_);
  const bool is_current = view_ != nullptr && view_->epoch == Value(topology->epoch) && unreachable_in_view_ == status.unreachable;
  if (!is_current) {
    view_ = std::make_shared<const ClusterView>(MakeView(*topology, status.unreachable, member_->self()));
    unreachable_in_view_ = status.unreachable;
  }
  return view_;
}

bool ClusterBridge::IsReady() const {
  const node::MemberStatus status = member_->status();
  return status.core.epoch != cluster::kNoEpoch && status.core.partitions_loading == 0 && status.core.actor != cluster::kNoActor;
}

std::vector<std::pair<std::string, std::string>> ClusterBridge::Info() const {
  const node::MemberStatus status = member_->status();
  const Statistics stats = db_->Stats();
  std::string unreachable;
  for (const cluster::NodeId node : status.unreachable) {
    unreachable += (unreachable.empty() ? "" : ",") + std::to_string(Value(node));
  }
  const auto number = [](uint64_t value) { return std::to_string(value); };
  return {{"varve_node", number(Value(member_->self()))},
          {"varve_actor", number(Value(status.core.actor))},
          {"varve_partitions", number(status.core.partitions)},
          {"varve_partitions_loading", number(status.core.partitions_loading)},
          {"varve_partitions_filling", number(status.core.partitions_filling)},
          {"varve_requests", number(status.core.requests)},
          {"varve_hints", number(status.core.hints)},
          {"varve_hint_bytes", number(status.core.hint_bytes)},
          {"varve_exchanges", number(status.core.exchanges)},
          {"varve_keys_merged", number(status.core.keys_merged)},
          {"varve_bytes_filled", number(status.core.bytes_filled)},
          {"varve_stored_bytes", number(stats.segment_bytes + stats.value_log_bytes + stats.memtable_bytes)},
          {"varve_settings_revision", number(status.settings_revision)},
          {"varve_unreachable", unreachable},
          {"varve_topology_trouble", status.topology_trouble}};
}

}  // namespace varve
