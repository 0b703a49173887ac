// NodeDisk: what a node of NodeWorld has on disk, over its crashes.
#ifndef VARVE_TESTS_CLUSTER_NODE_DISK_H_
#define VARVE_TESTS_CLUSTER_NODE_DISK_H_

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/node_core.h"
#include "tests/cluster/stored_keys.h"

namespace varve::cluster::test {

struct NodeDisk {
  std::map<PartitionId, std::map<std::string, std::string>> keys;
  std::map<uint64_t, StoreHint> hints;
  NodeDurable durable;

  // Changes what is on disk.
  void Persist(const Action& action) {
    if (const auto* write = std::get_if<WriteKey>(&action)) {
      if (write->bytes) {
        keys[write->partition][write->key] = *write->bytes;
      } else {
        keys[write->partition].erase(write->key);
      }
    } else if (const auto* lease = std::get_if<PersistLease>(&action)) {
      durable.partitions[lease->partition].actor = lease->actor;
      durable.partitions[lease->partition].lease_end = lease->end;
    } else if (const auto* epoch = std::get_if<PersistEpoch>(&action)) {
      durable.partitions[epoch->partition].epoch = epoch->epoch;
    } else if (const auto* floor = std::get_if<PersistFloor>(&action)) {
      durable.partitions[floor->partition].floor = floor->floor;
    } else if (const auto* hint = std::get_if<StoreHint>(&action)) {
      hints[hint->hint] = *hint;
    } else if (const auto* erase = std::get_if<EraseHint>(&action)) {
      hints.erase(erase->hint);
    } else if (const auto* topology = std::get_if<PersistTopology>(&action)) {
      durable.topology = topology->bytes;
    } else if (const auto* actor = std::get_if<ForsakeActor>(&action)) {
      durable.forsaken = actor->actor;
    } else if (const auto* drop = std::get_if<DropPartition>(&action)) {
      keys.erase(drop->partition);
      durable.partitions[drop->partition].floor = {};
    }
  }
  // What the node is told when that is done.
  void Answer(const Action& action, Now now, NodeCore* core, Actions* actions) {
    if (const auto* read = std::get_if<ReadKey>(&action)) {
      const auto& stored = keys[read->partition];
      const auto found = stored.find(read->key);
      std::optional<std::string> bytes;
      if (found != stored.end()) bytes = found->second;
      core->OnKeyRead(read->partition, read->operation, bytes, now, actions);
    } else if (const auto* write = std::get_if<WriteKey>(&action)) {
      core->OnKeyWritten(write->partition, write->operation, Status::Ok(), now, actions);
    } else if (const auto* list = std::get_if<ListKeys>(&action)) {
      core->OnKeysListed(list->partition, list->operation, ListStored(keys[list->partition], *list), now, actions);
    } else if (const auto* lease = std::get_if<PersistLease>(&action)) {
      core->OnLeaseDurable(lease->partition, lease->actor, lease->end, now, actions);
    } else if (const auto* epoch = std::get_if<PersistEpoch>(&action)) {
      core->OnEpochDurable(epoch->partition, epoch->epoch, now, actions);
    } else if (const auto* floor = std::get_if<PersistFloor>(&action)) {
      core->OnFloorDurable(floor->partition, floor->floor, now, actions);
    } else if (const auto* hint = std::get_if<StoreHint>(&action)) {
      core->OnHintStored(hint->hint, true, now, actions);
    } else if (const auto* actor = std::get_if<ForsakeActor>(&action)) {
      core->OnActorForsaken(actor->actor, now, actions);
    } else if (const auto* load = std::get_if<LoadPartition>(&action)) {
      for (const auto& [key, bytes] : keys[load->partition]) {
        core->OnKeyLoaded(load->partition, key, bytes);
      }
      core->OnPartitionLoaded(load->partition, Status::Ok(), now, actions);
    }
  }
};

}  // namespace varve::cluster::test

#endif  // VARVE_TESTS_CLUSTER_NODE_DISK_H_
