// NodeCore: each event goes to what it is made of, and what comes of it is routed.
#include <utility>

#include "cluster/node_core_impl.h"

namespace varve::cluster {

NodeCore::NodeCore(NodeOptions options, NodeDurable durable)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(durable))) {}
NodeCore::~NodeCore() = default;

void NodeCore::Start(Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->Start(now, raised); });
}

void NodeCore::OnTime(Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->OnTime(now, raised); });
}

Nanos NodeCore::NextTime() const { return impl_->NextTime(); }

Status NodeCore::OnTopology(std::string_view bytes, uint64_t revision, Now now, Actions* actions) {
  Status status;
  impl_->Step(now, actions, [&](Actions* raised) { status = impl_->OnTopology(bytes, revision, now, raised); });
  return status;
}

void NodeCore::OnSwapped(uint64_t swap, SwapOutcome outcome, uint64_t revision, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->OnSwapped(swap, outcome, revision, now, raised); });
}

void NodeCore::OnMessage(NodeId from, std::string_view bytes, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->OnBytes(from, bytes, now, raised); });
}

void NodeCore::OnReachable(NodeId peer, bool is_reachable, Now /*now*/, Actions* /*actions*/) {
  impl_->OnReachable(peer, is_reachable);
}

void NodeCore::Put(uint64_t client_request, ClientPut put, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->Put(client_request, std::move(put), now, raised); });
}

void NodeCore::Get(uint64_t client_request, ClientGet get, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->Get(client_request, std::move(get), now, raised); });
}

void NodeCore::OnKeyRead(PartitionId partition, uint64_t operation, Result<std::optional<std::string>> bytes, Now now,
                         Actions* actions) {
  Replica* replica = impl_->FindAsker(partition, operation);
  if (replica == nullptr) return;
  impl_->Step(now, actions, [&](Actions* raised) { replica->OnKeyRead(operation, std::move(bytes), raised); });
}

void NodeCore::OnKeyWritten(PartitionId partition, uint64_t operation, const Status& status, Now now,
                            Actions* actions) {
  Replica* replica = impl_->FindAsker(partition, operation);
  if (replica == nullptr) return;
  impl_->Step(now, actions, [&](Actions* raised) { replica->OnKeyWritten(operation, status, raised); });
}

void NodeCore::OnKeysListed(PartitionId partition, uint64_t operation, Result<std::vector<KeysReply::Item>> keys,
                            Now now, Actions* actions) {
  Replica* replica = impl_->FindAsker(partition, operation);
  if (replica == nullptr) return;
  impl_->Step(now, actions, [&](Actions* raised) { replica->OnKeysListed(operation, std::move(keys), raised); });
}

void NodeCore::OnLeaseDurable(PartitionId partition, ActorId actor, uint64_t end, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->OnLeaseDurable(partition, actor, end, raised); });
}

void NodeCore::OnEpochDurable(PartitionId partition, Epoch epoch, Now /*now*/, Actions* /*actions*/) {
  impl_->OnEpochDurable(partition, epoch);
}

void NodeCore::OnFloorDurable(PartitionId partition, const VersionVector& floor, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->OnFloorDurable(partition, floor, raised); });
}

void NodeCore::OnActorForsaken(ActorId actor, Now /*now*/, Actions* /*actions*/) { impl_->OnActorForsaken(actor); }

void NodeCore::OnHintStored(uint64_t hint, bool is_durable, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->OnHintStored(hint, is_durable, raised); });
}

void NodeCore::OnKeyLoaded(PartitionId partition, std::string_view key, std::string_view bytes) {
  impl_->OnKeyLoaded(partition, key, bytes);
}

void NodeCore::OnPartitionLoaded(PartitionId partition, const Status& status, Now now, Actions* actions) {
  impl_->Step(now, actions, [&](Actions* raised) { impl_->OnPartitionLoaded(partition, status, raised); });
}

void NodeCore::Repair() { impl_->Repair(); }
void NodeCore::SetRules(const MoveRules& rules) { impl_->SetRules(rules); }
const Topology* NodeCore::topology() const { return impl_->topology(); }
PartitionId NodeCore::PartitionOf(std::string_view key) const { return impl_->PartitionOf(key); }
const Replica* NodeCore::replica(PartitionId partition) const { return impl_->FindReplica(partition); }
NodeStatus NodeCore::status() const { return impl_->status(); }

}  // namespace varve::cluster
