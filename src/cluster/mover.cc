#include "cluster/mover.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

constexpr Nanos kMilli = 1'000'000;
constexpr Nanos kSwapPatience = 5'000 * kMilli;
constexpr size_t kChangesAtOnce = 64;


}  // namespace

bool Mover::IsDriver(Nanos now) const {
  Nanos rank = 0;
  for (const Member& member : context_->topology()->members) {
    if (member.id == context_->self()) {
      const bool is_up = member.state != MemberState::kRemoved;
      return is_up && (rank == 0 || now >= last_change_ + rank * context_->options().move_patience);
    }
    if (member.state != MemberState::kRemoved && !context_->IsSuspect(member.id)) ++rank;
  }
  return false;
}

void Mover::OnTime(Nanos now, bool needs_actor, Actions* actions) {
  if (swap_ && now >= swapped_at_ + kSwapPatience) OnSwapped(swap_number_, SwapOutcome::kUnknown, now);
  const bool is_driver = IsDriver(now);
  if (is_driver && now >= next_ask_) {
    next_ask_ = now + context_->options().move_period;
    AskReplicas(actions);
  }
  if ((is_driver || needs_actor) && !swap_ && now >= next_swap_) Swap(now, needs_actor, actions);
}

void Mover::AskReplicas(Actions* actions) {
  std::map<PartitionId, Evidence> evidence;
  for (const Move& move : context_->topology()->moves) {
    const ReplicaSets sets = context_->topology()->SetsOf(move.partition);
    const auto known = evidence_.find(move.partition);
    Evidence& present = evidence[move.partition];
    if (known != evidence_.end() && known->second.since == sets.since) present = std::move(known->second);
    present.since = sets.since;
    for (const NodeId node : sets.Writable()) {
      if (context_->IsSuspect(node)) continue;
      context_->Ask(node, move.partition, ProgressRequest{}, actions);
    }
  }
  evidence_ = std::move(evidence);
}

void Mover::OnMessage(const Message& reply) {
  const auto* progress = std::get_if<ProgressReply>(&reply.body);
  if (progress == nullptr) return;
  const auto found = evidence_.find(reply.partition);
  if (found == evidence_.end() || !progress->is_replica) return;
  if (progress->durable_epoch != found->second.since) return;
  MoveEvidence& evidence = found->second.evidence;
  if (!IsIn(reply.from, evidence.fenced)) evidence.fenced.push_back(reply.from);
  for (const NodeId source : progress->merged) {
    const MoveEvidence::Merge merge{reply.from, source};
    if (std::find(evidence.merged.begin(), evidence.merged.end(), merge) == evidence.merged.end()) {
      evidence.merged.push_back(merge);
    }
  }
}

// For what a replica has acknowledged alone, while it answers. One that is lost must not keep its place, nor one that never
// gets through to who could take its copy over.
bool Mover::WaitsForLeavers(const ReplicaSets& sets, const MoveRules& rules, Nanos now, Evidence* known) const {
  if (sets.stage != MoveStage::kCopy || VARVE_PLANTED_BUG("mover.waits_for_nobody_who_leaves")) return false;
  const std::vector<NodeId> left_out = LeftOut(sets, known->evidence);
  const bool is_heard = std::any_of(left_out.begin(), left_out.end(),
                                    [this](NodeId node) { return !context_->IsSuspect(node); });
  if (!is_heard || !CanAdvance(sets, rules, known->evidence).ok()) return false;
  if (!known->waits_since) known->waits_since = now;
  return now < *known->waits_since + context_->options().leaver_patience;
}

bool Mover::AdvanceMoves(Nanos now, TopologyChange* change) {
  size_t changes = 0;
  for (auto& [partition, known] : evidence_) {
    const ReplicaSets sets = context_->topology()->SetsOf(partition);
    if (changes == kChangesAtOnce || sets.stage == MoveStage::kNone || sets.since != known.since) continue;
    const MoveRules rules = context_->rules();
    const MoveEvidence evidence =
        VARVE_PLANTED_BUG("mover.advances_at_once")
            ? MoveEvidence{sets.Writable(),
                           [&sets] {
                             std::vector<MoveEvidence::Merge> all;
                             for (const NodeId target : sets.next) {
                               for (const NodeId source : sets.current) all.push_back({target, source});
                             }
                             return all;
                           }()}
            : known.evidence;
    if (WaitsForLeavers(sets, rules, now, &known) && !VARVE_PLANTED_BUG("mover.advances_at_once")) continue;
    changes += change->AdvanceMove(partition, rules, evidence).ok();
  }
  return changes > 0;
}

// Those that the operator does not want any more.
bool Mover::AbortMoves(TopologyChange* change) const {
  const std::vector<Move> moves = change->topology().moves;
  size_t changes = 0;
  for (const Move& move : moves) {
    const auto wanted = change->topology().target.Replicas(move.partition);
    const bool is_wanted = wanted.size() == move.next.size() && CountIn(wanted, move.next) == wanted.size();
    if (is_wanted || move.stage != MoveStage::kCopy) continue;
    changes += change->AbortMove(move.partition).ok();
  }
  return changes > 0;
}

// As many as the nodes that get copies may have at once. None to a node that does not answer.
bool Mover::StartMoves(TopologyChange* change) const {
  std::map<NodeId, size_t> moves_to;
  for (const Move& move : change->topology().moves) {
    const auto current = change->topology().placement.Replicas(move.partition);
    for (const NodeId node : move.next) moves_to[node] += IsIn(node, current) ? 0 : 1;
  }
  const uint32_t partitions = change->topology().placement.partitions();
  size_t changes = 0;
  for (uint32_t p = 0; p < partitions && changes < kChangesAtOnce; ++p) {
    if (change->topology().FindMove(PartitionIdOf(p)) != nullptr) continue;
    const auto from = change->topology().placement.Replicas(PartitionIdOf(p));
    const auto to = change->topology().target.Replicas(PartitionIdOf(p));
    if (std::ranges::equal(from, to)) continue;
    std::vector<NodeId> fresh;
    for (const NodeId node : to) {
      if (!IsIn(node, from)) fresh.push_back(node);
    }
    const bool has_room = std::all_of(fresh.begin(), fresh.end(), [&](NodeId node) {
      return !context_->IsSuspect(node) && moves_to[node] < context_->options().moves_per_node;
    });
    if (!has_room || !change->StartMove(PartitionIdOf(p)).ok()) continue;
    for (const NodeId node : fresh) ++moves_to[node];
    ++changes;
  }
  return changes > 0;
}

// Who holds all that it shall is up, unless that is nothing: one that the target has dropped before it had anything is given up,
// though a move may be on its way to it yet. Who leaves, and neither holds anything nor shall, is gone.
bool Mover::ChangeMembers(TopologyChange* change) const {
  const Topology& topology = *context_->topology();
  bool has_changed = false;
  for (const Member& member : topology.members) {
    if (member.state == MemberState::kLeaving && !change->topology().IsUsed(member.id)) {
      has_changed = change->SetState(member.id, MemberState::kRemoved).ok() || has_changed;
    }
    if (member.state != MemberState::kJoining || member.actor == kNoActor) continue;
    bool has_any = false;
    bool has_all = true;
    for (uint32_t p = 0; p < topology.placement.partitions(); ++p) {
      const bool holds = topology.placement.IsReplica(PartitionIdOf(p), member.id);
      has_any = has_any || holds;
      has_all = has_all && (holds || !topology.target.IsReplica(PartitionIdOf(p), member.id));
    }
    if (has_any && has_all) has_changed = change->SetState(member.id, MemberState::kUp).ok() || has_changed;
  }
  return has_changed;
}

void Mover::Swap(Nanos now, bool needs_actor, Actions* actions) {
  const Topology& topology = *context_->topology();
  TopologyChange change(topology);
  bool has_changed = needs_actor && change.GiveActor(context_->self()).ok();
  if (IsDriver(now)) {
    has_changed = AdvanceMoves(now, &change) || has_changed;
    has_changed = AbortMoves(&change) || has_changed;
    has_changed = StartMoves(&change) || has_changed;
    has_changed = ChangeMembers(&change) || has_changed;
  }
  if (!has_changed) return;
  if (stored_epoch_ != topology.epoch) {
    // Its revision is not known.
    next_swap_ = now + 500 * kMilli;
    actions->push_back(LearnTopology{topology.epoch, context_->self()});
    return;
  }
  swap_ = EncodeTopology(change.topology());
  swapped_at_ = now;
  actions->push_back(SwapTopology{++swap_number_, revision_, *swap_});
}

std::optional<std::string> Mover::OnSwapped(uint64_t swap, SwapOutcome outcome, Nanos now) {
  if (!swap_ || swap != swap_number_) return std::nullopt;
  std::optional<std::string> bytes = std::exchange(swap_, std::nullopt);
  if (outcome == SwapOutcome::kDone) return bytes;
  // By chance, so that those who try at the same time do not do so again.
  const Nanos pause = outcome == SwapOutcome::kRefused ? 10'000 * kMilli : 50 * kMilli;
  next_swap_ = now + pause + context_->random()->Uniform(200 * kMilli);
  if (outcome != SwapOutcome::kRefused) stored_epoch_ = kNoEpoch;  // it is asked for anew
  return std::nullopt;
}

}  // namespace varve::cluster
