// Member: a node of a cluster, running. Drives a cluster::NodeCore by a transport, a topology store, a key store and the
// clock.
//
// One thread of its own calls the core. Writes go to the log of the store at once and in the order of the core's actions;
// what has to be synced is confirmed by a second thread, one sync for all that wait, which also reads whole partitions. A
// third one asks the topology store, which may take long.
#ifndef VARVE_NODE_MEMBER_H_
#define VARVE_NODE_MEMBER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/node_core.h"
#include "cluster/topology.h"
#include "env/env.h"
#include "node/cluster_store.h"
#include "node/key_store.h"
#include "node/transport.h"
#include "varve/db.h"

namespace varve::node {

struct MemberOptions {
  cluster::NodeId self = cluster::kNoNode;
  TransportOptions transport;  // its identity, port and hosts are the member's business unless they are set
  tls::Files tls;              // empty: nodes speak without
  bool syncs = false;          // what is acknowledged survives loss of power, and not only the end of the process
  std::string boot;            // of KeyStore::Open
  bool is_first_start = false; // the store may be empty though the topology has a name for the writes of this node
  // Lines for people. Called in any thread.
  std::function<void(const std::string&)> log = [](const std::string&) {};
  // A write could not be brought to disk: what was promised may not hold. Must end the process soon.
  std::function<void(const Status&)> on_failure = [](const Status&) {};
};

// What of a member is asked by others. A snapshot.
struct MemberStatus {
  cluster::NodeStatus core;
  std::set<cluster::NodeId> unreachable;
  uint64_t settings_revision = 0;
  std::string topology_trouble;  // why the topology store cannot be asked; empty: it can
};

// Thread-safe, except that Start, Stop and the destructor are for one thread.
class Member {
 public:
  // What the topology store says; while it cannot be asked, what the last life in `db` knew, without a revision of the
  // topology: such a node catches up as one does that runs. Without either the store's error.
  static Result<ClusterState> ReadOrRecall(ClusterStore* cluster, Db* db);
  // Begins by a state of ReadOrRecall. Borrows the rest. kInvalidArgument: `self` is no member of it, or the store in `db`
  // is another's, or empty though the member was there before.
  static Result<std::unique_ptr<Member>> Start(MemberOptions options, ClusterState state, ClusterStore* cluster, Db* db,
                                               Env* env);
  ~Member();
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  // Requests that are under way are not answered any more. Idempotent.
  void Stop();

  // `done` is called once, in any thread, also within the call, unless Stop comes before; it does not block. Deadlines are by the clock of the Env.
  using PutDone = std::function<void(cluster::FinishPut)>;
  using GetDone = std::function<void(cluster::FinishGet)>;
  void Put(cluster::ClientPut put, PutDone done);
  void Get(cluster::ClientGet get, GetDone done);
  // Calls `what`, in any thread, after a while, unless Stop comes before.
  void Later(cluster::Nanos after, std::function<void()> what);
  // Compares all copies with the others' as soon as may be.
  void Repair();
  // Connections with other nodes that begin from now on speak TLS with these; those that are there keep what they have.
  // kInvalidArgument: one of the files is wrong, or this node began without; then nothing changes.
  Status UseTls(const tls::Files& files);
  // The last that it took; not nullptr.
  std::shared_ptr<const ClusterSettings> settings() const;
  cluster::NodeId self() const;
  uint16_t port() const;  // for other nodes

  // The last that the core took.
  std::shared_ptr<const cluster::Topology> topology() const;
  MemberStatus status() const;
  // Keys stored here, of a slot; those of deletes that are not forgotten yet count.
  uint64_t CountKeys(uint16_t slot) const;

 private:
  class Impl;
  explicit Member(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_MEMBER_H_
