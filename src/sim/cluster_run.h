// ClusterRun: what all endpoints of one simulated cluster share: its options, the oracles that they feed, and the first
// violation. No part of what is simulated.
#ifndef VARVE_SIM_CLUSTER_RUN_H_
#define VARVE_SIM_CLUSTER_RUN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/key_namespace.h"
#include "cluster/key_state.h"
#include "cluster/slot.h"
#include "sim/cluster_acks.h"
#include "sim/cluster_checks.h"
#include "sim/cluster_history.h"
#include "sim/node.h"
#include "sim/topology_watch.h"
#include "sim/world.h"

namespace varve::sim {

// What a world is made to show (cluster_profile.h).
enum class Profile : uint8_t {
  kMixed,   // everything at once
  kHints,   // nothing but hints brings a write to who has missed it: and they bring every one that was acknowledged
  kRepair,  // nothing but reads does: and what all replicas were read from is equal then
  kFloors,  // nothing but the rounds for the floor does; writes to one replica of many keys
  kMoves,   // nothing but moves does: copies go from any nodes to any others, and change in number
  kNews,    // moves as well, and nodes hear of them late, or find an old topology when they start again
  kStrays,  // moves as well, and updates go to replicas that must refuse them
  kVersions,  // some machines speak a later version for a while, which the others refuse, and refuse theirs; or they
              // are upgraded one after the other, and two that know the later version speak it with each other
  kRestored,  // machines are put back to an earlier state, and do not know. What was written then is not promised
  kNamespaces,  // keys of namespaces with policies and quorums of their own, which change, while copies move
  kBounds,  // nodes with room for little, under clients that ask for much and settle nothing
};
inline constexpr size_t kProfiles = 11;

// A namespace of the cluster, as it is made.
struct NamespaceOptions {
  std::string name;
  cluster::ConflictPolicy policy = cluster::ConflictPolicy::kSiblings;
  uint32_t read_quorum = 1;
  uint32_t write_quorum = 1;
  bool comes_later = false;
};

struct ClusterOptions {
  Profile profile = Profile::kMixed;
  uint32_t nodes = 5;           // at first
  uint32_t spares = 0;          // machines that may join
  uint32_t clients = 4;
  uint32_t copies = 3;
  uint32_t partition_bits = 1;
  uint32_t keys = 4;
  cluster::ConflictPolicy policy = cluster::ConflictPolicy::kSiblings;
  std::vector<NamespaceOptions> namespaces = {};  // to which keys belong in turn, the first one to none of them
  bool sloppy = false;          // some writes
  uint64_t sloppy_writes = 300; // of 1000, then
  bool wipes = false;           // machines may lose their disks; they are replaced
  bool syncs = true;            // writes before they are acknowledged; otherwise a loss of power takes some
  uint32_t linear = 25;         // of 100 requests
  uint32_t reads = 45;          // of 100 requests
  uint32_t small = 20;          // of 100 that are not linear: level one
  uint64_t blind = 250;         // of 1000 writes: they bring no context
  uint32_t all = 14;            // of 100 that are not linear: level all
  Nanos patience = 1500 * kMillisecond;  // at most, of a client
  Nanos idle = 40 * kMillisecond;  // at most, of a client between two requests
  uint32_t racks = 0;           // of the machines, in turn; 0: none has a name
  bool is_weighted = false;     // machines shall hold unequal shares
  uint32_t changes = 0;         // joins and leaves that the operator tries
  uint32_t reshapes = 0;        // changes of the placement to any other, which the operator tries
  uint64_t small_sets = 0;      // of 1000 that it makes: of one or two copies
  bool keeps_copies = false;    // all that it makes have as many as they should
  uint64_t lease_size = 16;
  // As in cluster::NodeOptions.
  Nanos exchange_period = 2 * kSecond;
  Nanos exchange_patience = 2 * kSecond;
  Nanos floor_period = 3 * kSecond;
  Nanos gossip_period = 2 * kSecond;
  size_t hint_bytes = 1 << 16;
  size_t max_siblings = 100;
  size_t max_queued = 1024;
  size_t max_requests = 10'000;
  bool is_rolling = false;         // each life of a node knows the later version of the messages or does not
  bool watches = true;             // the topology store tells of changes; it is asked from time to time in any case
  Nanos store_period = kSecond;    // how often
  Nanos topology_lag = 0;          // until a topology is written to the disk, at most
  // As in WorldOptions and FaultOptions: until then there may be faults, and then there is calm.
  Nanos least = 5 * kSecond;
  Nanos calm = 15 * kSecond;
};

struct ClusterRun {
  explicit ClusterRun(const ClusterOptions& chosen) : options(chosen), history(HistoryOptionsOf(chosen)) {}

  // The first violation stays.
  void Report(const Status& found) {
    if (status.ok()) status = found;
  }
  Nanos now() const { return world == nullptr ? 0 : world->now(); }
  // The clients work; then they are silent; at last they read everything once.
  bool MayWork() const { return calm_since == 0 || now() < calm_since + kSecond; }
  bool IsLastRound() const { return calm_since != 0 && now() > calm_since + options.calm - 5 * kSecond; }
  cluster::PartitionId PartitionOf(std::string_view key) const { return PartitionOf(options, key); }
  // The name by which replicas know a key of clients, and back.
  std::string ReplicaKeyOf(std::string_view key) const { return cluster::ReplicaKey(key, PolicyOf(options, key)); }
  static std::string_view ClientKeyOf(std::string_view replica_key) {
    return replica_key.substr(0, replica_key.size() - (replica_key.starts_with('@') ? 1 : 0));
  }

  // By its namespace, which keeps it for ever.
  static cluster::ConflictPolicy PolicyOf(const ClusterOptions& options, std::string_view key) {
    const std::optional<std::string_view> name = cluster::NamespaceOf(key);
    for (const NamespaceOptions& space : options.namespaces) {
      if (name == space.name) return space.policy;
    }
    return options.policy;
  }

  static cluster::PartitionId PartitionOf(const ClusterOptions& options, std::string_view key) {
    const uint32_t shift = cluster::kSlotBits - options.partition_bits;
    return cluster::PartitionId{static_cast<uint16_t>(cluster::SlotOf(key) >> shift)};
  }
  static HistoryOptions HistoryOptionsOf(const ClusterOptions& options) {
    HistoryOptions history;
    history.copies = options.copies;
    history.moves = options.changes > 0 || options.wipes || options.reshapes > 0;
    history.losses = options.wipes || options.reshapes > 0;
    history.repeats = options.profile == Profile::kRestored;
    history.forgets = !options.syncs;
    history.policy_of = [options](std::string_view key) { return PolicyOf(options, key); };
    history.partition_of = [options](std::string_view key) { return PartitionOf(options, key); };
    return history;
  }

  const ClusterOptions options;
  const World* world = nullptr;
  Nanos calm_since = 0;  // 0: there are faults yet
  ClusterHistory history;
  EpochWatch epochs;
  AckWatch acks;
  TopologyWatch topologies;
  BoundsWatch bounds;
  Status status;
  std::map<std::string, std::vector<cluster::SeenContext>> contexts;  // of earlier replies, for any client
  std::map<cluster::NodeId, char> versions;   // of messages, that nodes know, as their hello says
  std::map<Endpoint, std::string> settings;  // of servers that are up: what they say that they have taken
  std::map<Endpoint, uint64_t> wipes;                                 // of machines, as their operator sees
  size_t last_reads = 0;                                              // of the last round, that went well
  std::set<std::pair<cluster::NodeId, cluster::PartitionId>> unheard;  // replicas that a move has given up without hearing them
  size_t taken = 0;                                                   // requests, by nodes that are members
  size_t later_messages = 0;                                          // that were spoken and understood
  size_t changes_made = 0;                                            // joins, leaves and replacements
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_RUN_H_
