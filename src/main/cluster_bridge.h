// ClusterBridge: what the commands of the server ask of the cluster, asked of a member of it.
#ifndef VARVE_MAIN_CLUSTER_BRIDGE_H_
#define VARVE_MAIN_CLUSTER_BRIDGE_H_

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "cluster/context_token.h"
#include "env/env.h"
#include "node/member.h"
#include "server/cluster_face.h"
#include "varve/db.h"

namespace varve {

// Thread-safe.
class ClusterBridge final : public server::ClusterFace {
 public:
  // Borrows all of it.
  ClusterBridge(node::Member* member, Db* db, Env* env, uint64_t timeout_millis);

  void Read(std::string key, server::ClusterQuorum quorum, bool wants_context, Done done) override;
  Status Write(std::string key, std::optional<std::string> value, std::string_view context,
               server::ClusterQuorum quorum, Done done) override;
  void Replace(std::string key, std::optional<std::string> value, bool spares_conflicts, Done done) override;
  uint64_t timeout_millis() const override { return timeout_millis_; }
  void Repair() override { member_->Repair(); }
  uint16_t SlotOf(std::string_view key) const override;
  std::vector<std::pair<std::string, std::string>> Info() const override;
  std::shared_ptr<const server::ClusterView> View() const override VARVE_EXCLUDES(mu_);
  uint64_t CountKeys(uint16_t slot) const override { return member_->CountKeys(slot); }
  size_t max_key_bytes() const override;
  Status CheckKey(std::string_view key) const override;

  // Whether this node serves all that it has.
  bool IsReady() const;

 private:
  class Retried;
  uint64_t Deadline() const;
  // What a key's namespace says of it.
  struct Place {
    std::string name;     // by which replicas know it
    uint32_t read = 0;    // R and W; 0: a majority of the replicas that there are
    uint32_t write = 0;
  };
  // Of a key that CheckKey takes.
  Place PlaceOf(const std::string& key) const;
  std::string Seal(const std::string& key, const cluster::SeenContext& seen) const;

  node::Member* const member_;
  Db* const db_;
  Env* const env_;
  const uint64_t timeout_millis_;
  const std::shared_ptr<const node::ClusterSettings> settings_;  // what of them never changes
  const cluster::ContextTokens tokens_;
  mutable Mutex mu_;
  mutable std::shared_ptr<const server::ClusterView> view_ VARVE_GUARDED_BY(mu_);
  mutable std::set<cluster::NodeId> unreachable_in_view_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve

#endif  // VARVE_MAIN_CLUSTER_BRIDGE_H_
