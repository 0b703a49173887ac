// What the core wants done, done.
#include <algorithm>

#include "cluster/hash_tree.h"
#include "node/member_impl.h"

namespace varve::node {
namespace {

// Requests and replies that are older help nobody: who waits for them has asked again, or has given up.
constexpr Nanos kMessageLife = 10 * kSecond;
// What is told of a partition at once while it is loaded.
constexpr size_t kLoadBytes = size_t{1} << 20;

}  // namespace

SlotRange Member::Impl::SlotsOf(cluster::PartitionId partition) const {
  const cluster::Topology* const topology = core_->topology();
  if (topology == nullptr) return {};
  return {topology->placement.FirstSlot(partition), topology->placement.SlotsPerPartition()};
}

void Member::Impl::Check(const Status& status) {
  if (status.ok() || has_failed_.exchange(true)) return;
  options_.log("what this node has to keep could not be stored: " + status.ToString());
  options_.on_failure(status);
}

// --- Syncing: one for all that wait

void Member::Impl::ReplyWhenSynced(Task event) { waiting_for_sync_.push_back(std::move(event)); }

void Member::Impl::StartSync() {
  if (is_syncing_ || waiting_for_sync_.empty()) return;
  is_syncing_ = true;
  auto waiting = std::make_shared<std::vector<Task>>(std::exchange(waiting_for_sync_, {}));
  syncs_.Post([this, waiting] {
    const Status status = keys_->Sync();
    Post([this, waiting, status](cluster::Now, Actions*) {
      is_syncing_ = false;
      // Without a sync nobody may be told that there was one.
      if (!status.ok()) return Check(status);
      for (Task& event : *waiting) Reply(std::move(event));
    });
  });
}

// --- Keys

void Member::Impl::Do(cluster::ReadKey& action) {
  Reply(KeyWasRead{action.partition, action.operation, keys_->Read(SlotOf(action.key), action.key)});
}

void Member::Impl::Do(cluster::WriteKey& action) {
  const Status status = keys_->Write(SlotOf(action.key), action.key, action.bytes);
  Task event = [this, partition = action.partition, operation = action.operation, status](cluster::Now now, Actions* actions) {
    core_->OnKeyWritten(partition, operation, status, now, actions);
  };
  if (options_.syncs && status.ok()) return ReplyWhenSynced(std::move(event));
  Reply(std::move(event));
}

void Member::Impl::Do(cluster::ListKeys& action) {
  using Keys = std::vector<cluster::KeysReply::Item>;
  scans_.Post([this, action, slots = SlotsOf(action.partition)] {
    auto keys = std::make_shared<Keys>();
    KeyStore::Place after;
    if (!action.after.empty()) after = {SlotOf(action.after), action.after};
    const Status status = keys_->Visit(slots, after, [&](std::string_view key, std::string_view bytes) {
      const uint32_t leaf = cluster::HashTree::LeafOf(key);
      if (std::binary_search(action.leaves.begin(), action.leaves.end(), leaf)) {
        keys->push_back({std::string(key), cluster::HashTree::HashOf(key, bytes)});
      }
      return keys->size() < action.at_most;
    });
    Post([this, partition = action.partition, operation = action.operation, keys, status](cluster::Now now, Actions* actions) {
      Result<Keys> result = status.ok() ? Result<Keys>(std::move(*keys)) : Result<Keys>(status);
      core_->OnKeysListed(partition, operation, std::move(result), now, actions);
    });
  });
}

void Member::Impl::Do(cluster::LoadPartition& action) {
  scans_.Post([this, partition = action.partition, slots = SlotsOf(action.partition)] { LoadInPieces(partition, slots); });
}

void Member::Impl::LoadInPieces(cluster::PartitionId partition, SlotRange slots) {
  using Piece = std::vector<std::pair<std::string, std::string>>;
  auto piece = std::make_shared<Piece>();
  size_t bytes_in_piece = 0;
  const auto tell = [&] {
    Post([this, partition, piece](cluster::Now, Actions*) {
      for (const auto& [key, bytes] : *piece) core_->OnKeyLoaded(partition, key, bytes);
    });
    piece = std::make_shared<Piece>();
    bytes_in_piece = 0;
  };
  const Status status = keys_->Visit(slots, [&](std::string_view key, std::string_view bytes) {
    piece->emplace_back(key, bytes);
    bytes_in_piece += key.size() + bytes.size();
    if (bytes_in_piece >= kLoadBytes) tell();
    return true;
  });
  tell();
  Post([this, partition, status](cluster::Now now, Actions* actions) {
    core_->OnPartitionLoaded(partition, status, now, actions);
  });
}

void Member::Impl::Do(cluster::DropPartition& action) { Check(keys_->Drop(action.partition, SlotsOf(action.partition))); }

// --- What has to survive

void Member::Impl::Do(cluster::PersistLease& action) {
  Check(keys_->Put(action));
  Task event = [this, action](cluster::Now now, Actions* actions) {
    core_->OnLeaseDurable(action.partition, action.actor, action.end, now, actions);
  };
  ReplyWhenSynced(std::move(event));
}

void Member::Impl::Do(cluster::PersistEpoch& action) {
  Check(keys_->Put(action));
  ReplyWhenSynced([this, action](cluster::Now now, Actions* actions) {
    core_->OnEpochDurable(action.partition, action.epoch, now, actions);
  });
}

void Member::Impl::Do(cluster::PersistFloor& action) {
  Check(keys_->Put(action));
  ReplyWhenSynced([this, action](cluster::Now now, Actions* actions) {
    core_->OnFloorDurable(action.partition, action.floor, now, actions);
  });
}

void Member::Impl::Do(cluster::PersistTopology& action) { Check(keys_->Put(action)); }

void Member::Impl::Do(cluster::ForsakeActor& action) {
  Check(keys_->Put(action));
  ReplyWhenSynced([this, action](cluster::Now now, Actions* actions) {
    Check(keys_->ForgetLosses());
    core_->OnActorForsaken(action.actor, now, actions);
  });
}

void Member::Impl::Do(cluster::StoreHint& action) {
  const Status status = keys_->Put(action);
  Task event = [this, hint = action.hint, is_durable = status.ok()](cluster::Now now, Actions* actions) {
    core_->OnHintStored(hint, is_durable, now, actions);
  };
  if (options_.syncs && status.ok()) return ReplyWhenSynced(std::move(event));
  Reply(std::move(event));
}

// One that stays is sent once more after the next start, which changes nothing.
void Member::Impl::Do(cluster::EraseHint& action) { static_cast<void>(keys_->EraseHint(action.hint)); }

// --- Others

void Member::Impl::Do(cluster::SendBytes& action) {
  outgoing_.push_back({.to = action.to, .bytes = std::move(action.bytes), .deadline = Monotonic() + kMessageLife});
}

void Member::Impl::Do(cluster::FinishPut& action) {
  const auto found = puts_.find(action.client_request);
  if (found == puts_.end()) return;
  const PutDone done = std::move(found->second);
  puts_.erase(found);
  done(std::move(action));
}

void Member::Impl::Do(cluster::FinishGet& action) {
  const auto found = gets_.find(action.client_request);
  if (found == gets_.end()) return;
  const GetDone done = std::move(found->second);
  gets_.erase(found);
  done(std::move(action));
}

}  // namespace varve::node
