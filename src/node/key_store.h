// KeyStore: what a node of a cluster keeps on disk, in a store of the public interface.
//
// Writes are in the store's log in the order of the calls, and so survive the end of the process; Sync makes all of them
// survive loss of power. Two namespaces:
//
//   "cluster.keys"   slot, 2 bytes with the high one first | key -> state, as replicas store it. So a partition is a range,
//                    and stays one when partitions are split
//   "cluster.meta"   "identity", "topology", "settings", "forsaken", "life", and of partitions "epoch", "lease", "floor" | its number,
//                    2 bytes; "hint" | its number, 8 bytes
#ifndef VARVE_NODE_KEY_STORE_H_
#define VARVE_NODE_KEY_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/action.h"
#include "cluster/node_core.h"
#include "cluster/types.h"
#include "varve/db.h"

namespace varve::node {

// A contiguous range of slots: [first, first + count).
struct SlotRange {
  uint16_t first = 0;
  uint32_t count = 0;
};

// What the last life knew of its cluster, for a start without the topology store.
struct KnownCluster {
  std::string topology;  // of the last PersistTopology
  std::string settings;  // of the last PutSettings
  uint64_t settings_revision = 0;
};

// Thread-safe.
class KeyStore {
 public:
  // std::nullopt: there was no life that knew both. kCorruption.
  static Result<std::optional<KnownCluster>> Recall(Db* db);

  // Borrows `db`. `boot` names the time since the machine's last start; empty: not known, as if it were another each
  // time. kInvalidArgument: the store belongs to another node or cluster.
  static Result<std::unique_ptr<KeyStore>> Open(Db* db, uint64_t cluster, cluster::NodeId self, const std::string& boot);

  // Nobody has used this store as a node before.
  bool is_new() const { return is_new_; }
  // How often it has been opened, this time included.
  uint64_t life() const { return life_; }
  // What the last life left. kCorruption.
  Result<cluster::NodeDurable> LoadDurable();

  Result<std::optional<std::string>> Read(uint16_t slot, std::string_view key);
  // std::nullopt: erases it.
  Status Write(uint16_t slot, std::string_view key, std::optional<std::string_view> bytes);
  // All keys of the slots, in the order of slots, until `visit` says false.
  using Visitor = std::function<bool(std::string_view key, std::string_view bytes)>;
  Status Visit(SlotRange slots, const Visitor& visit) { return Visit(slots, {}, visit); }
  // Only those behind the key `after` of slot `after->first`.
  using Place = std::optional<std::pair<uint16_t, std::string_view>>;
  Status Visit(SlotRange slots, const Place& after, const Visitor& visit);
  uint64_t CountKeys(SlotRange slots, uint64_t at_most);
  Status Drop(cluster::PartitionId partition, SlotRange slots);

  Status Put(const cluster::PersistLease& lease);
  Status Put(const cluster::PersistEpoch& epoch);
  Status Put(const cluster::PersistFloor& floor);
  Status Put(const cluster::PersistTopology& topology);
  // As text, and their revision in the topology store. Survives loss of power, as all that was written before.
  Status PutSettings(const std::string& settings, uint64_t revision);
  Status Put(const cluster::ForsakeActor& actor);
  Status Put(const cluster::StoreHint& hint);
  Status EraseHint(uint64_t hint);

  Status Sync() { return db_->Sync(); }
  // What may have been lost before does not matter any more: another actor is in use.
  Status ForgetLosses();
  // At an orderly end, behind all else: nothing is missing.
  Status NoteOrderlyEnd();

 private:
  KeyStore(Db* db, std::shared_ptr<Namespace> keys, std::shared_ptr<Namespace> meta)
      : db_(db), keys_(std::move(keys)), meta_(std::move(meta)) {}
  Status BeginLife(uint64_t cluster, cluster::NodeId self, const std::string& boot);
  Result<std::optional<std::string>> Meta(std::string_view name);

  Db* const db_;
  const std::shared_ptr<Namespace> keys_;
  const std::shared_ptr<Namespace> meta_;
  bool is_new_ = false;
  bool may_have_lost_writes_ = false;
  uint64_t life_ = 0;
};

}  // namespace varve::node

#endif  // VARVE_NODE_KEY_STORE_H_
