#include "cluster/move.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve::cluster {
namespace {

std::string Name(NodeId node) { return "node " + std::to_string(Value(node)); }

Status CanSettle(const ReplicaSets& sets, const MoveRules& rules, const MoveEvidence& evidence) {
  const size_t needed = SourcesNeeded(sets, rules);
  for (const NodeId target : TargetsToFill(sets, rules)) {
    std::vector<NodeId> sources;
    if (IsIn(target, sets.current) && IsIn(target, evidence.fenced)) sources.push_back(target);
    for (const MoveEvidence::Merge& merge : evidence.merged) {
      if (merge.target == target && !IsIn(merge.source, sources)) sources.push_back(merge.source);
    }
    const size_t count = CountIn(sources, sets.current);
    if (count < needed) {
      return Status::Unavailable(Name(target) + " has merged from " + std::to_string(count) +
                                 " of the " + std::to_string(needed) + " replicas that it needs");
    }
  }
  return Status::Ok();
}

Status CanFinish(const ReplicaSets& sets, const MoveRules& rules, const MoveEvidence& evidence) {
  if (VARVE_PLANTED_BUG("move.leaves_before_readers_are_fenced")) return Status::Ok();
  const size_t count = CountIn(evidence.fenced, sets.current);
  const size_t needed = FencesNeeded(sets, rules);
  if (count >= needed) return Status::Ok();
  return Status::Unavailable(std::to_string(count) + " of the " + std::to_string(needed) +
                             " replicas needed know that they are not read from any more");
}

}  // namespace

std::vector<NodeId> TargetsToFill(const ReplicaSets& sets, const MoveRules& rules) {
  const size_t written = QuorumOf(sets.current.size(), rules.write_quorum);
  const size_t read = QuorumOf(sets.next.size(), rules.read_quorum);
  const bool is_read = written + read > sets.current.size();
  // As many as the move after this one counts on.
  const bool is_kept = written + sets.next.size() >= sets.current.size() + QuorumOf(sets.next.size(), rules.write_quorum) ||
                       VARVE_PLANTED_BUG("move.keeps_what_reads_need");
  if (!(is_read && is_kept) && !VARVE_PLANTED_BUG("move.shrinks_like_it_grows")) return sets.next;
  std::vector<NodeId> fresh;
  for (const NodeId node : sets.next) {
    if (!IsIn(node, sets.current)) fresh.push_back(node);
  }
  return fresh;
}

std::vector<NodeId> Heirs(const ReplicaSets& sets, const MoveRules& rules) {
  std::vector<NodeId> targets = TargetsToFill(sets, rules);
  return targets.empty() ? sets.next : targets;
}

size_t SourcesNeeded(const ReplicaSets& sets, const MoveRules& rules) {
  const size_t needed = sets.current.size() - QuorumOf(sets.current.size(), rules.write_quorum) + 1;
  return VARVE_PLANTED_BUG("move.fills_from_one_replica_too_few") ? needed - 1 : needed;
}

size_t FencesNeeded(const ReplicaSets& sets, const MoveRules& rules) {
  return sets.current.size() - QuorumOf(sets.current.size(), rules.read_quorum) + 1;
}

Status CanAdvance(const ReplicaSets& sets, const MoveRules& rules, const MoveEvidence& evidence) {
  VARVE_CHECK(sets.stage != MoveStage::kNone);
  return sets.stage == MoveStage::kCopy ? CanSettle(sets, rules, evidence)
                                        : CanFinish(sets, rules, evidence);
}

std::vector<NodeId> LeftOut(const ReplicaSets& sets, const MoveEvidence& evidence) {
  std::vector<NodeId> nodes;
  for (const NodeId node : sets.current) {
    const bool is_merged = std::any_of(evidence.merged.begin(), evidence.merged.end(), [&](const MoveEvidence::Merge& merge) {
      return merge.source == node && IsIn(merge.target, sets.next);
    });
    if (!IsIn(node, sets.next) && !is_merged) nodes.push_back(node);
  }
  return nodes;
}

}  // namespace varve::cluster
