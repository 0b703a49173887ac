// What a member hears of its cluster from the topology store, and tells it.
#include <utility>

#include "base/status_macros.h"
#include "node/member_impl.h"

namespace varve::node {
namespace {

bool CannotBeAsked(const Status& status) {
  return status.code() == StatusCode::kUnavailable || status.code() == StatusCode::kTimedOut;
}

}  // namespace

Result<ClusterState> Member::ReadOrRecall(ClusterStore* cluster, Db* db) {
  Result<ClusterState> read = cluster->Read();
  if (read.ok() || !CannotBeAsked(read.status())) return read;
  VARVE_ASSIGN_OR_RETURN(const std::optional<KnownCluster> known, KeyStore::Recall(db));
  if (!known) return read;
  ClusterState state;
  VARVE_ASSIGN_OR_RETURN(state.topology, cluster::DecodeTopology(known->topology));
  VARVE_ASSIGN_OR_RETURN(state.settings, DecodeClusterSettings(known->settings));
  state.settings_revision = known->settings_revision;
  return state;
}

// Settings are taken with the topology that was there when they came, or a later one: a node that writes by a quorum that has
// just been allowed, under a topology from before a move that did not know of it, could leave a write behind.
void Member::Impl::TakeRecords(const std::map<std::string, Record>& records, cluster::Now now, Actions* actions) {
  if (const auto record = records.find(topology_key_); record != records.end()) {
    const Status status = core_->OnTopology(record->second.value, record->second.revision, now, actions);
    publish_at_ = 0;
    if (!status.ok()) return options_.log("the topology is not taken: " + status.ToString());
  }
  const auto record = records.find(settings_key_);
  if (record == records.end() || record->second.revision <= settings_revision_) return;
  Result<ClusterSettings> settings = DecodeClusterSettings(record->second.value);
  if (!settings.ok()) return options_.log("the settings are not taken: " + settings.status().ToString());
  TakeSettings(*std::move(settings), record->second.revision);
}

void Member::Impl::TakeSettings(ClusterSettings settings, uint64_t revision) {
  core_->SetRules(MoveRulesOf(settings));
  settings_revision_ = revision;
  publish_at_ = 0;
  // Behind the topology, which is among the actions, so that no start finds these without it.
  Reply([this, text = EncodeClusterSettings(settings), revision](cluster::Now, Actions*) {
    Check(keys_->PutSettings(text, revision));
  });
  auto taken = std::make_shared<const ClusterSettings>(std::move(settings));
  MutexLock lock(&settings_mu_);
  settings_ = std::move(taken);
}

std::shared_ptr<const ClusterSettings> Member::Impl::settings() const {
  MutexLock lock(&settings_mu_);
  return settings_;
}

void Member::Impl::OnChanges(uint64_t, const Changes& changes) {
  {
    MutexLock lock(&mu_);
    status_.topology_trouble.clear();
  }
  std::map<std::string, Record> records;
  for (const auto& [key, record] : changes) {
    if (record && (key == topology_key_ || key == settings_key_)) records.emplace(key, *record);
  }
  if (records.empty()) return;
  Post([this, records = std::move(records)](cluster::Now now, Actions* actions) { TakeRecords(records, now, actions); });
}

void Member::Impl::OnTrouble(const std::string& reason) {
  MutexLock lock(&mu_);
  status_.topology_trouble = reason;
}

void Member::Impl::Do(cluster::LearnTopology&) {
  if (std::exchange(is_learning_, true)) return;
  store_.Post([this] {
    Result<TopologySnapshot> snapshot = cluster_->store()->Read(cluster_->prefix());
    Post([this, snapshot = std::move(snapshot)](cluster::Now now, Actions* actions) {
      is_learning_ = false;
      if (snapshot.ok()) TakeRecords(snapshot->records, now, actions);
    });
  });
}

// By the settings that the core knew when it asked for it.
void Member::Impl::Do(cluster::SwapTopology& action) {
  store_.Post([this, action, settings_revision = settings_revision_] { Swap(action, settings_revision); });
}

void Member::Impl::Swap(const cluster::SwapTopology& action, uint64_t settings_revision) {
  using Outcome = CommitResult::Outcome;
  const CommitResult result = cluster_->AdvanceTopology(action.expected_revision, settings_revision, action.bytes);
  if (result.outcome == Outcome::kRefused) options_.log("the topology cannot be changed: " + result.reason);
  Post([this, swap = action.swap, result](cluster::Now now, Actions* actions) {
    TakeRecords(result.current, now, actions);
    const cluster::SwapOutcome outcome = result.outcome == Outcome::kDone       ? cluster::SwapOutcome::kDone
                                         : result.outcome == Outcome::kConflict ? cluster::SwapOutcome::kConflict
                                         : result.outcome == Outcome::kRefused  ? cluster::SwapOutcome::kRefused
                                                                                : cluster::SwapOutcome::kUnknown;
    core_->OnSwapped(swap, outcome, result.revision, now, actions);
    publish_at_ = 0;
  });
}

}  // namespace varve::node
