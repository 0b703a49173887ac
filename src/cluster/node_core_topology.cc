// Topologies, the partitions that this node has under them, and its actor.
#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "cluster/node_core_impl.h"
#include "cluster/slot.h"

namespace varve::cluster {
namespace {

constexpr int kPartitionNumberShift = 40;  // below it the operations of one replica

}  // namespace

Status NodeCore::Impl::OnTopology(std::string_view bytes, std::optional<uint64_t> revision, Now now,
                                         Actions* actions) {
  Result<Topology> next = DecodeTopology(bytes);
  if (!next.ok()) return next.status();
  if (topology_) {
    if (next->cluster == topology_->cluster && next->epoch < topology_->epoch) return Status::Ok();
    const Status status = ValidateSuccession(*topology_, *next);
    if (!status.ok()) return status;
    if (next->placement.bits() != topology_->placement.bits()) {
      return Status::NotSupported("topology: partitions cannot be split while a node runs");
    }
  }
  const bool is_new = !topology_ || next->epoch > topology_->epoch;
  if (revision) mover_.OnStored(*revision, next->epoch);
  if (!is_new) return Status::Ok();
  actions->push_back(PersistTopology{std::string(bytes)});
  Adopt(*std::move(next), now.monotonic, actions);
  coordinator_.OnTopology(
      [this](const PutRequest& put) { return SetsFor(put.update.key, put.options.sloppy); }, now.monotonic, actions);
  RetryRequests(now, actions);
  return Status::Ok();
}

void NodeCore::Impl::OnSwapped(uint64_t swap, SwapOutcome outcome, uint64_t revision, Now now, Actions* actions) {
  const std::optional<std::string> bytes = mover_.OnSwapped(swap, outcome, now.monotonic);
  if (!bytes) return;
  ++counters_.topologies_swapped;
  static_cast<void>(OnTopology(*bytes, revision, now, actions));
}

void NodeCore::Impl::Adopt(Topology next, Nanos now, Actions* actions) {
  topology_ = std::move(next);
  request_sets_.assign(topology_->placement.partitions(), nullptr);
  mover_.OnTopology(now);
  for (uint32_t p = 0; p < topology_->placement.partitions(); ++p) {
    const PartitionId partition{static_cast<uint16_t>(p)};
    const ReplicaSets sets = topology_->SetsOf(partition);
    const auto held = partitions_.find(partition);
    if (!IsIn(options_.self, sets.current) && !IsIn(options_.self, sets.next)) {
      // A topology from before a crash may be older than what the partition has seen: then it may be this node's yet.
      const auto record = records_.find(partition);
      const bool is_old = record != records_.end() && record->second.epoch > sets.since;
      if (is_old && !VARVE_PLANTED_BUG("node.drops_by_an_old_topology")) continue;
      if (held != partitions_.end() || leftovers_.contains(partition)) Drop(partition, actions);
    } else if (held == partitions_.end()) {
      Hold(partition, actions);
    } else if (!held->second.is_loading) {
      held->second.replica->OnTopology(sets.since, actions);
    }
  }
  BequeathHints();
  TakeActor(actions);
}

void NodeCore::Impl::Hold(PartitionId partition, Actions* actions) {
  Partition& held = partitions_[partition];
  leftovers_.erase(partition);
  Load(partition, &held, actions);
}

void NodeCore::Impl::Load(PartitionId partition, Partition* held, Actions* actions) {
  const PartitionDurable& record = records_[partition];
  held->is_loading = true;
  held->is_failed = false;
  held->number = next_partition_number_++;
  Replica::Options options{.self = options_.self, .partition = partition, .policy_of = options_.policy_of};
  options.max_siblings = options_.max_siblings;
  options.max_queued = options_.max_queued;
  options.max_listed = options_.max_listed;
  options.lease_size = options_.lease_size;
  options.first_operation = held->number << kPartitionNumberShift;
  held->replica = std::make_unique<Replica>(
      options, Replica::Durable{ActorFor(partition), LeaseOf(partition), record.epoch, record.floor});
  actions->push_back(LoadPartition{partition});
}

// Of the present actor.
uint64_t NodeCore::Impl::LeaseOf(PartitionId partition) const {
  const auto record = records_.find(partition);
  return record != records_.end() && record->second.actor == actor_ ? record->second.lease_end : 0;
}

// A put covers all earlier dots of its maker. Of those that it has dropped some may be at one other replica alone, from which
// no move has filled it when it gets the partition again: then it would hide what it does not have. So it has another actor then.
bool NodeCore::Impl::IsSpent(PartitionId partition) const {
  const auto record = records_.find(partition);
  return record != records_.end() && record->second.actor != kNoActor && record->second.actor == actor_ &&
         record->second.lease_end == 0;
}

ActorId NodeCore::Impl::ActorFor(PartitionId partition) const { return IsSpent(partition) ? kNoActor : actor_; }

// Before the partition is dropped. `replica`: nullptr, when it is not known whether it has made any dots.
void NodeCore::Impl::Spend(PartitionId partition, const Replica* replica, Actions* actions) {
  const auto record = records_.find(partition);
  if (record == records_.end() || record->second.actor <= forsaken_) return;
  const bool has_made_none = replica != nullptr && replica->actor() == record->second.actor && replica->HasMadeNoDots();
  if (has_made_none || VARVE_PLANTED_BUG("node.claims_what_it_has_dropped")) return;
  record->second.lease_end = 0;
  actions->push_back(PersistLease{partition, record->second.actor, 0});
}

void NodeCore::Impl::Drop(PartitionId partition, Actions* actions) {
  const auto held = partitions_.find(partition);
  Spend(partition, held == partitions_.end() ? nullptr : held->second.replica.get(), actions);
  if (held != partitions_.end()) {
    if (held->second.is_loading && !held->second.is_failed) ++stale_loads_[partition];
    partitions_.erase(held);
  }
  leftovers_.erase(partition);
  // A floor without the data would say of all that others have that it is deleted.
  records_[partition].floor = {};
  actions->push_back(DropPartition{partition});
}

Replica* NodeCore::Impl::FindReplica(PartitionId partition) {
  const auto found = partitions_.find(partition);
  return found == partitions_.end() || found->second.is_loading ? nullptr : found->second.replica.get();
}

Replica* NodeCore::Impl::FindAsker(PartitionId partition, uint64_t operation) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end() || operation >> kPartitionNumberShift != found->second.number) return nullptr;
  return found->second.replica.get();
}

void NodeCore::Impl::OnKeyLoaded(PartitionId partition, std::string_view key, std::string_view bytes) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end() || stale_loads_.contains(partition)) return;
  found->second.replica->Load(key, bytes);
}

void NodeCore::Impl::OnPartitionLoaded(PartitionId partition, const Status& status, Actions* actions) {
  if (const auto stale = stale_loads_.find(partition); stale != stale_loads_.end()) {
    if (--stale->second == 0) stale_loads_.erase(stale);
    return;
  }
  const auto found = partitions_.find(partition);
  if (found == partitions_.end() || !found->second.is_loading) return;
  if (!status.ok()) {
    found->second.is_failed = true;  // the next tick asks again
    return;
  }
  found->second.is_loading = false;
  Replica* replica = found->second.replica.get();
  replica->TakeActor(ActorFor(partition), LeaseOf(partition), actions);
  replica->Start(actions);
  replica->OnTopology(SinceOf(partition), actions);
}

void NodeCore::Impl::OnLeaseDurable(PartitionId partition, ActorId actor, uint64_t end, Actions* actions) {
  // Events may overtake each other; what is on disk is the latest of a later actor.
  PartitionDurable& record = records_[partition];
  if (IsSpent(partition)) return;  // one that was on its way when the partition was dropped
  const bool is_later = actor > record.actor || (actor == record.actor && end > record.lease_end);
  // A former replica of the partition had asked for it, too, and that was done while this one was loaded.
  const bool is_known = !is_later && actor == record.actor && !VARVE_PLANTED_BUG("node.waits_for_a_lease_it_has");
  if (!is_later && !is_known && !VARVE_PLANTED_BUG("node.forgets_a_lease")) return;
  if (!is_known) {
    record.actor = actor;
    record.lease_end = end;
  }
  Replica* replica = FindReplica(partition);
  if (replica != nullptr && replica->actor() == actor) replica->OnLeaseDurable(end, actions);
}

void NodeCore::Impl::OnEpochDurable(PartitionId partition, Epoch epoch) {
  PartitionDurable& record = records_[partition];
  record.epoch = std::max(record.epoch, epoch);
  if (Replica* replica = FindReplica(partition)) replica->OnEpochDurable(epoch);
}

void NodeCore::Impl::OnFloorDurable(PartitionId partition, const VersionVector& floor, Actions* actions) {
  const auto found = partitions_.find(partition);
  if (found == partitions_.end()) return;
  // One that was asked for before the partition was dropped means nothing for what has come since.
  std::vector<VersionVector>& asked = found->second.floors;
  const auto it = std::find(asked.begin(), asked.end(), floor);
  if (it == asked.end()) return;
  asked.erase(it);
  records_[partition].floor.Merge(floor);
  found->second.replica->OnFloorDurable(floor);
  found->second.replica->Sweep(actions);
  ++counters_.floors_raised;
}

// Hints for nodes that are no replicas any more go to one that is.
void NodeCore::Impl::BequeathHints() {
  std::vector<std::pair<PartitionId, NodeId>> owners;
  for (const auto& [owner, count] : keeper_.owed()) owners.push_back(owner);
  for (const auto& [partition, owner] : owners) {
    if (Value(partition) >= topology_->placement.partitions()) continue;
    const ReplicaSets sets = topology_->SetsOf(partition);
    if (IsIn(owner, sets.Writable()) || sets.Readable().empty()) continue;
    keeper_.ChangeOwner(partition, owner, sets.Readable().back());
  }
}

void NodeCore::Impl::TakeActor(Actions* actions) {
  const Member* self = topology_ ? topology_->Find(options_.self) : nullptr;
  const bool may_use = self != nullptr && self->actor > forsaken_;
  actor_ = may_use ? self->actor : kNoActor;
  for (auto& [partition, held] : partitions_) {
    if (!held.is_loading) held.replica->TakeActor(ActorFor(partition), LeaseOf(partition), actions);
  }
}

// A replica that has met dots of its own which it does not know, or has dropped some.
void NodeCore::Impl::CheckActors(Actions* actions) {
  if (actor_ == kNoActor) return;
  const bool is_sound = std::all_of(partitions_.begin(), partitions_.end(), [](const auto& held) {
    return held.second.is_loading || held.second.replica->CanMakeDots();
  });
  if (is_sound) return;
  forsaken_ = actor_;
  actions->push_back(ForsakeActor{forsaken_});
  TakeActor(actions);
}

PartitionId NodeCore::Impl::PartitionOf(std::string_view key) const {
  const uint16_t slot = options_.slot_of ? options_.slot_of(key) : SlotOf(key);
  return topology_->placement.PartitionOfSlot(slot);
}

}  // namespace varve::cluster
