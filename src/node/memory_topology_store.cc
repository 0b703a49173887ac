#include "node/memory_topology_store.h"

#include <utility>

#include "node/polling_watch.h"


namespace varve::node {

namespace {
constexpr uint64_t kPollMicros = 2'000;
}  // namespace

CommitResult ApplyCommit(const TopologyCommit& commit, TopologySnapshot* state) {
  CommitResult result{.outcome = CommitResult::Outcome::kDone};
  for (const TopologyCommit::Condition& condition : commit.conditions) {
    const auto found = state->records.find(condition.key);
    if (found != state->records.end()) result.current.insert(*found);
    const uint64_t revision = found == state->records.end() ? 0 : found->second.revision;
    if (revision != condition.revision) result.outcome = CommitResult::Outcome::kConflict;
  }
  if (result.outcome == CommitResult::Outcome::kConflict) {
    result.revision = state->revision;
    result.reason = "somebody else has changed it";
    return result;
  }
  result.current.clear();
  result.revision = ++state->revision;
  for (const TopologyCommit::Change& change : commit.changes) {
    if (change.value) {
      state->records[change.key] = {*change.value, state->revision};
    } else {
      state->records.erase(change.key);
    }
  }
  return result;
}

TopologySnapshot UnderPrefix(const TopologySnapshot& state, const std::string& prefix) {
  TopologySnapshot found{.revision = state.revision, .records = {}};
  for (auto at = state.records.lower_bound(prefix); at != state.records.end() && at->first.starts_with(prefix); ++at) {
    found.records.insert(*at);
  }
  return found;
}

Result<TopologySnapshot> MemoryTopologyStore::Read(const std::string& prefix) {
  MutexLock lock(&mu_);
  if (fault_ == Fault::kUnavailable) return Status::Unavailable("as told");
  return UnderPrefix(state_, prefix);
}

CommitResult MemoryTopologyStore::Commit(const TopologyCommit& commit) {
  if (std::optional<CommitResult> refused = CheckCommit(commit)) return *std::move(refused);
  MutexLock lock(&mu_);
  if (fault_ == Fault::kUnavailable) return {.outcome = CommitResult::Outcome::kUnavailable, .reason = "as told"};
  const CommitResult unknown{.outcome = CommitResult::Outcome::kUnknown, .reason = "as told"};
  if (fault_ == Fault::kUnknownLost) return unknown;
  CommitResult result = ApplyCommit(commit, &state_);
  return fault_ == Fault::kUnknownApplied ? unknown : result;
}

void MemoryTopologyStore::SetFault(Fault fault) {
  MutexLock lock(&mu_);
  fault_ = fault;
}

std::unique_ptr<TopologyWatch> MemoryTopologyStore::Watch(const std::string& prefix, TopologySnapshot known,
                                                          TopologyWatcher* watcher) {
  return PollingWatch::Start(env_, this, prefix, std::move(known), watcher, kPollMicros);
}

}  // namespace varve::node
