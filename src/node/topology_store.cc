#include "node/topology_store.h"

#include <set>
#include <utility>

#include "base/planted_bug.h"

namespace varve::node {

const char* OutcomeName(CommitResult::Outcome outcome) {
  switch (outcome) {
    case CommitResult::Outcome::kDone: return "done";
    case CommitResult::Outcome::kConflict: return "conflict";
    case CommitResult::Outcome::kUnavailable: return "unavailable";
    case CommitResult::Outcome::kUnknown: return "unknown";
    case CommitResult::Outcome::kRefused: return "refused";
  }
  return "?";
}

std::optional<CommitResult> CheckCommit(const TopologyCommit& commit) {
  const auto refused = [](std::string reason) {
    return CommitResult{.outcome = CommitResult::Outcome::kRefused, .reason = std::move(reason)};
  };
  if (commit.changes.empty()) return refused("a commit that changes nothing");
  if (commit.changes.size() > kMaxCommitOperations || commit.conditions.size() > kMaxCommitOperations) {
    return refused("a commit of more than " + std::to_string(kMaxCommitOperations) + " operations");
  }
  size_t bytes = 0;
  bool has_bad_key = false;
  std::set<std::string_view> keys;
  for (const TopologyCommit::Condition& condition : commit.conditions) {
    bytes += condition.key.size();
    has_bad_key |= condition.key.empty() || condition.key.size() > kMaxRecordKeyBytes;
  }
  for (const TopologyCommit::Change& change : commit.changes) {
    bytes += change.key.size() + (change.value ? change.value->size() : 0);
    has_bad_key |= change.key.empty() || change.key.size() > kMaxRecordKeyBytes || !keys.insert(change.key).second;
  }
  if (has_bad_key) return refused("a key that is empty, too long, or changed twice");
  if (bytes > kMaxCommitBytes) return refused("a commit of more than " + std::to_string(kMaxCommitBytes) + " bytes");
  return std::nullopt;
}

std::optional<TopologyWatcher::Changes> TopologyMirror::Advance(TopologySnapshot now) {
  if (now.revision < state_.revision && !VARVE_PLANTED_BUG("topology.goes_back_in_time")) return std::nullopt;
  TopologyWatcher::Changes changes;
  for (const auto& [key, record] : state_.records) {
    if (!now.records.contains(key) && !VARVE_PLANTED_BUG("topology.deletions_unseen")) changes[key] = std::nullopt;
  }
  for (const auto& [key, record] : now.records) {
    const auto before = state_.records.find(key);
    if (before == state_.records.end() || before->second != record) changes[key] = record;
  }
  state_ = std::move(now);
  return changes;
}

TopologyWatcher::Changes TopologyMirror::Apply(uint64_t revision,
                                               std::map<std::string, std::optional<Record>> changed) {
  if (revision <= state_.revision && !VARVE_PLANTED_BUG("topology.old_events_applied")) return {};
  for (const auto& [key, record] : changed) {
    if (record) {
      state_.records[key] = *record;
    } else {
      state_.records.erase(key);
    }
  }
  state_.revision = revision;
  return changed;
}

}  // namespace varve::node
