// What the driver of a simulated server does with the actions of its core.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "cluster/message_codec.h"
#include "sim/cluster_disk.h"
#include "sim/cluster_namespaces.h"
#include "sim/cluster_server.h"
#include "sim/cluster_versions.h"

namespace varve::sim {
void ClusterServer::Perform(cluster::Actions list) {
  while (true) {
    for (cluster::Action& action : list) {
      std::visit([this](auto& wanted) { Do(wanted); }, action);
    }
    if (ready_.empty()) return;
    list.clear();
    const Completion completion = std::move(ready_.front());
    ready_.pop_front();
    completion(&list);
  }
}

void ClusterServer::AfterSync(Completion completion) {
  const uint64_t number = next_number_++;
  syncs_[number] = std::move(completion);
  actions_->Sync(number);
}

// Mostly at once, but never from within a call; sometimes behind what comes later.
void ClusterServer::Soon(Completion completion) {
  if (!random_.Chance(100)) return ready_.push_back(std::move(completion));
  Later(2 * kMillisecond, std::move(completion));
}

// What this event writes is on the disk only when it is over.
void ClusterServer::Later(Nanos at_most, Completion completion) {
  const uint64_t number = next_number_++;
  timers_[number] = std::move(completion);
  actions_->SetTimer(number, random_.Uniform(at_most));
}

void ClusterServer::Do(cluster::Send&) { VARVE_CHECK(false); }  // only between the parts of a core

void ClusterServer::Do(cluster::SendBytes& send) {
  if (const Result<cluster::Message> message = cluster::DecodeMessage(send.bytes); message.ok()) {
    if (std::holds_alternative<cluster::UpdateRequest>(message->body)) {
      run_->Report(run_->acks.OnUpdateAsked(send.to, message->partition, message->epoch));
      GoAstray(*message, &send.to);
    } else {
      WatchReply(send.to, *message);
    }
  }
  const auto peer = peers_.find(send.to);
  if (peer == peers_.end()) return;
  if (IsStranger()) ++send.bytes[0];  // the version of the message
  if (SpeaksLaterTo(send.to)) ToLater(random_.Uniform(9), &send.bytes);
  actions_->Send(peer->second.endpoint, Encode(NodeFrame{id_, send.to, std::move(send.bytes)}));
}

// As who knows no better would send it: to one that is written to, and may not have everything.
void ClusterServer::GoAstray(const cluster::Message& update, cluster::NodeId* to) {
  if (run_->options.profile != Profile::kStrays || !random_.Chance(300)) return;
  const cluster::ReplicaSets* sets = run_->acks.SetsAt(update.partition, update.epoch);
  if (sets == nullptr) return;
  for (const cluster::NodeId node : sets->Writable()) {
    if (node != id_ && !cluster::IsIn(node, sets->Readable())) *to = node;
  }
}

void ClusterServer::Do(cluster::ReadKey& read) {
  Soon([this, read](cluster::Actions* list) {
    std::optional<std::string> bytes;
    if (const auto stored = disk_.Read(KeyName(read.partition, read.key))) bytes = std::string(*stored);
    core_->OnKeyRead(read.partition, read.operation, std::move(bytes), core_now(), list);
  });
}

void ClusterServer::Do(cluster::WriteKey& write) {
  if (write.bytes) {
    const auto state = cluster::KeyState::Decode(*write.bytes, FloorOf(disk_, write.partition));
    if (state.ok()) {
      WatchDots(write.partition, *state);
      WatchBounds(*state);
    }
    const std::string_view key = ClusterRun::ClientKeyOf(write.key);
    run_->Report(state.ok() ? run_->history.OnStored(key, *state) : state.status());
    if (write.key != run_->ReplicaKeyOf(key)) run_->Report(Status::Corruption("I3: another policy: " + write.key));
  }
  Keep(write, actions_);
  Completion written = [this, partition = write.partition, operation = write.operation](cluster::Actions* list) {
    core_->OnKeyWritten(partition, operation, Status::Ok(), core_now(), list);
  };
  if (run_->options.syncs) {
    AfterSync(std::move(written));
  } else {
    Later(kMillisecond / 4, std::move(written));
  }
}

void ClusterServer::Do(cluster::ListKeys& list_keys) {
  Soon([this, wanted = list_keys](cluster::Actions* list) {
    std::vector<cluster::KeysReply::Item> keys;
    ForEachKey(disk_, wanted.partition, [&](std::string_view key, std::string_view bytes) {
      const uint32_t leaf = cluster::HashTree::LeafOf(key);
      if (key <= wanted.after || keys.size() == wanted.at_most) return;
      if (std::binary_search(wanted.leaves.begin(), wanted.leaves.end(), leaf)) {
        keys.push_back({std::string(key), cluster::HashTree::HashOf(key, bytes)});
      }
    });
    core_->OnKeysListed(wanted.partition, wanted.operation, std::move(keys), core_now(), list);
  });
}

void ClusterServer::Do(cluster::PersistLease& lease) {
  Keep(lease, actions_);
  AfterSync([this, lease](cluster::Actions* list) {
    core_->OnLeaseDurable(lease.partition, lease.actor, lease.end, core_now(), list);
  });
}

void ClusterServer::Do(cluster::PersistEpoch& epoch) {
  run_->Report(run_->epochs.OnFenceWritten(id_, epoch.partition, epoch.epoch));
  Keep(epoch, actions_);
  AfterSync([this, epoch](cluster::Actions* list) {
    run_->epochs.OnFenceDurable(id_, epoch.partition, epoch.epoch);
    core_->OnEpochDurable(epoch.partition, epoch.epoch, core_now(), list);
  });
}

void ClusterServer::Do(cluster::PersistFloor& floor) {
  run_->history.OnFloor(floor.partition, floor.floor);
  Keep(floor, actions_);
  AfterSync([this, floor](cluster::Actions* list) {
    core_->OnFloorDurable(floor.partition, floor.floor, core_now(), list);
  });
}

void ClusterServer::Do(cluster::LearnTopology&) { actions_->ReadStore(0); }

// No partition's actions wait for it.
void ClusterServer::Do(cluster::PersistTopology& topology) {
  if (run_->options.topology_lag == 0) return Keep(topology, actions_);
  const bool is_coming = late_topology_.has_value();
  late_topology_ = std::move(topology);
  if (is_coming) return;
  Later(run_->options.topology_lag, [this](cluster::Actions*) {
    Keep(*late_topology_, actions_);
    late_topology_.reset();
  });
}

void ClusterServer::Do(cluster::ForsakeActor& forsake) {
  Keep(forsake, disk_, actions_);
  AfterSync([this, actor = forsake.actor](cluster::Actions* list) {
    core_->OnActorForsaken(actor, core_now(), list);
  });
}

void ClusterServer::Do(cluster::LoadPartition& load) {
  Later(20 * kMillisecond, [this, partition = load.partition](cluster::Actions* list) {
    ForEachKey(disk_, partition,
               [&](std::string_view key, std::string_view bytes) { core_->OnKeyLoaded(partition, key, bytes); });
    core_->OnPartitionLoaded(partition, Status::Ok(), core_now(), list);
  });
}

void ClusterServer::Do(cluster::DropPartition& drop) {
  WatchDrop(drop.partition);
  Drop(drop.partition, disk_, actions_);
}

void ClusterServer::Do(cluster::SwapTopology& swap) {
  const uint64_t number = next_number_++;
  swaps_[number] = swap.swap;
  WatchSwap(swap);
  actions_->SwapStore(number, swap.expected_revision, EncodeRecord(run_->options, {settings_text_, swap.bytes}));
  timers_[number] = [this, number](cluster::Actions* list) {
    const auto found = swaps_.extract(number);
    if (found.empty()) return;
    core_->OnSwapped(found.mapped(), cluster::SwapOutcome::kUnknown, 0, core_now(), list);
    actions_->ReadStore(0);
  };
  actions_->SetTimer(number, 500 * kMillisecond);
}

void ClusterServer::Do(cluster::StoreHint& hint) {
  Keep(hint, actions_);
  AfterSync([this, number = hint.hint](cluster::Actions* list) {
    core_->OnHintStored(number, true, core_now(), list);
  });
}

void ClusterServer::Do(cluster::EraseHint& hint) { Keep(hint, actions_); }

void ClusterServer::Do(cluster::FinishPut& finish) {
  AnswerTo(finish.client_request, {0, finish.outcome, std::move(finish.seen), {}});
}

void ClusterServer::Do(cluster::FinishGet& finish) {
  AnswerTo(finish.client_request, {0, finish.outcome, std::move(finish.seen), std::move(finish.values)});
}

void ClusterServer::AnswerTo(uint64_t request, ClientAnswer answer) {
  const auto call = calls_.find(request);
  if (call == calls_.end()) return run_->Report(Status::Corruption("I13: an answer that nobody asked for"));
  WatchDeadline(call->second);
  WatchAnswer(call->second, answer);
  answer.number = call->second.number;
  const Endpoint client = call->second.client;
  calls_.erase(call);
  actions_->Send(client, Encode(std::move(answer)));
}

}  // namespace varve::sim
