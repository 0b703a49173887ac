// RemoteDb: a server's store behind the interface of Db, for programs that work on either.
#ifndef VARVE_CLIENT_REMOTE_DB_H_
#define VARVE_CLIENT_REMOTE_DB_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "client/remote_keys.h"
#include "client/remote_space.h"
#include "varve/db.h"

namespace varve::client {

// The default namespace is the database of the connection; the namespace "db<n>" is database n.
//
// Other than a store in this process it is thread-compatible, takes a round trip for a call, and
//   - a read sees the newest state: there are no snapshots, and an iterator sees one state a page;
//   - transactions of more than one step, async calls and maintenance are kNotSupported;
//   - a lost connection is kUnavailable or kTimedOut, and what was under way may have been done or not.
class RemoteDb : public RemoteKeys<Db> {
 public:
  // `database`: the one that the connection has selected.
  static std::unique_ptr<RemoteDb> Make(std::unique_ptr<Client> client, uint32_t database,
                                        Clock* clock);
  // `db` as one of these, or nullptr.
  static RemoteDb* From(Db* db) { return dynamic_cast<RemoteDb*>(db); }

  Client* client() { return connection_->client.get(); }
  // INFO as it is answered.
  Result<std::string> Info();
  // V.RMTREE and V.MVTREE: each one step of the server. In the namespace, which is of this store.
  // MoveTree: kNotFound, kConflict as of Tree::RenameSubtree.
  Status RemoveTree(const Namespace& space, std::string_view path, const WriteOptions& options);
  Status MoveTree(const Namespace& space, std::string_view from, std::string_view to, bool replaces,
                  const WriteOptions& options);

  // V.EXPLAIN: in words. kNotSupported when the server does not know it.
  Result<std::string> Explain(const Namespace& space, std::string_view key);
  using RemoteKeys<Db>::Explain;

  // Db. One MULTI ... EXEC.
  Status Write(const WriteBatch& batch, const WriteOptions& options) override;
  std::unique_ptr<Snapshot> GetSnapshot() override { return nullptr; }
  Status Transact(const Transaction::Body&, const TransactionOptions&) override;
  std::unique_ptr<Transaction> Begin(const TransactionOptions&) override { return nullptr; }
  Result<std::shared_ptr<Namespace>> OpenNamespace(std::string_view name,
                                                   const NamespaceOptions&) override;
  Status DropNamespace(std::string_view name) override;
  // The databases that INFO shows, without that of the connection.
  Result<std::vector<NamespaceInfo>> ListNamespaces() override;
  Status SetExpiryListener(ExpiryListener) override;
  Status Flush() override;
  Status Compact() override;
  Status WaitForBackgroundWork() override;
  Status Sync() override;
  bool HasUnsynced() const override { return true; }  // for all that is known here
  Result<VerifyReport> Verify() override;
  Status StartScrub(const ScrubOptions&) override;
  void StopScrub() override {}
  ScrubState Scrub() override { return {}; }
  // The count of entries alone, and 0 when the server does not say it.
  Statistics Stats() override;
  std::optional<std::string> GetProperty(std::string_view) override { return std::nullopt; }

 private:
  RemoteDb(std::unique_ptr<RemoteConnection> connection, uint32_t database)
      : RemoteKeys<Db>(RemoteSpace(connection.get(), database)), connection_(std::move(connection)) {}

  RemoteSpace SpaceOf(const Namespace& space) const;

  std::unique_ptr<RemoteConnection> connection_;
};

}  // namespace varve::client

#endif  // VARVE_CLIENT_REMOTE_DB_H_
