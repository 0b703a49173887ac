// Where a simulated server keeps what NodeCore wants kept, as records of its disk:
//   t topology | f forsaken actor | b power cuts seen | h/<hint> | p/<partition>/e, l, f: epoch, lease, floor
//   k/<partition>/<key>: a state
#ifndef VARVE_SIM_CLUSTER_DISK_H_
#define VARVE_SIM_CLUSTER_DISK_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "cluster/action.h"
#include "cluster/node_core.h"
#include "cluster/types.h"
#include "sim/disk.h"
#include "sim/node.h"

namespace varve::sim {

// The name of a number in names of records: in hexadecimal, of fixed length, so that names are ordered as numbers.
std::string NumberName(uint64_t number);
std::string KeyName(cluster::PartitionId partition, std::string_view key);
std::string PartitionName(cluster::PartitionId partition, char what);

// What a new life finds.
cluster::NodeDurable LoadNode(const Disk& disk);
// All keys of a partition.
void ForEachKey(const Disk& disk, cluster::PartitionId partition,
                const std::function<void(std::string_view key, std::string_view bytes)>& visit);
// The actor of which dots of a partition are given, and the last one of the lease. kNoActor: of none.
std::pair<cluster::ActorId, uint64_t> LeaseOf(const Disk::Records& records, cluster::PartitionId partition);
cluster::VersionVector FloorOf(const Disk& disk, cluster::PartitionId partition);

void Keep(const cluster::PersistLease& lease, Actions* actions);
void Keep(const cluster::PersistEpoch& epoch, Actions* actions);
void Keep(const cluster::PersistFloor& floor, Actions* actions);
void Keep(const cluster::PersistTopology& topology, Actions* actions);
void Keep(const cluster::ForsakeActor& forsake, const Disk& disk, Actions* actions);
void Keep(const cluster::StoreHint& hint, Actions* actions);
void Keep(const cluster::EraseHint& hint, Actions* actions);
void Keep(const cluster::WriteKey& write, Actions* actions);
void Drop(cluster::PartitionId partition, const Disk& disk, Actions* actions);

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_DISK_H_
