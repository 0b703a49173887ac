#include "client/remote_db.h"

#include <algorithm>
#include <charconv>

#include "base/coding.h"
#include "base/status_macros.h"
#include "format/expiry.h"
#include "format/stored_key.h"
#include "format/wal.h"

namespace varve::client {

namespace {

constexpr std::string_view kDatabasePrefix = "db";

// The number in "db<n>".
std::optional<uint32_t> DatabaseOf(std::string_view name) {
  if (!name.starts_with(kDatabasePrefix)) return std::nullopt;
  const std::string_view digits = name.substr(kDatabasePrefix.size());
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const bool is_number = error == std::errc() && end == digits.data() + digits.size();
  if (!is_number || (digits[0] == '0' && digits.size() > 1)) return std::nullopt;
  return number;
}

class RemoteNamespace : public RemoteKeys<Namespace> {
 public:
  RemoteNamespace(RemoteSpace space, std::string name, const void* store)
      : RemoteKeys<Namespace>(space, store, space.database()), name_(std::move(name)) {}
  std::string_view name() const override { return name_; }

 private:
  const std::string name_;
};

// The deadline in the stored value of an expiring change of a batch.
Expiry ExpiryOfWord(uint64_t word) {
  return {.is_moment = (word & kDeadlineRelativeFlag) == 0,
          .millis = static_cast<int64_t>(word & kMaxDeadline)};
}

// The lines "db<n>:keys=..." of INFO.
std::vector<uint32_t> DatabasesIn(std::string_view info) {
  std::vector<uint32_t> databases;
  while (!info.empty()) {
    const size_t end = std::min(info.find('\n'), info.size());
    const std::string_view line = info.substr(0, end);
    const std::optional<uint32_t> number = DatabaseOf(line.substr(0, line.find(':')));
    if (number && line.find(":keys=") != line.npos) databases.push_back(*number);
    info.remove_prefix(std::min(end + 1, info.size()));
  }
  return databases;
}

}  // namespace

std::unique_ptr<RemoteDb> RemoteDb::Make(std::unique_ptr<Client> client, uint32_t database,
                                         Clock* clock) {
  auto connection = std::make_unique<RemoteConnection>();
  connection->client = std::move(client);
  connection->selected = database;
  connection->clock = clock;
  return std::unique_ptr<RemoteDb>(new RemoteDb(std::move(connection), database));
}

Result<std::string> RemoteDb::Info() {
  VARVE_ASSIGN_OR_RETURN(Reply reply, client()->Call({"INFO"}));
  return std::move(reply.text);
}

RemoteSpace RemoteDb::SpaceOf(const Namespace& space) const {
  return space.name().empty() ? this->space() : RemoteSpace(connection_.get(), space.id());
}

Status RemoteDb::RemoveTree(const Namespace& space, std::string_view path,
                            const WriteOptions& options) {
  return SpaceOf(space).Apply({{"V.RMTREE", path}}, options);
}

Result<std::string> RemoteDb::Explain(const Namespace& space, std::string_view key) {
  VARVE_ASSIGN_OR_RETURN(Reply reply, SpaceOf(space).Call({"V.EXPLAIN", key}));
  return std::move(reply.text);
}

Status RemoteDb::MoveTree(const Namespace& space, std::string_view from, std::string_view to,
                          bool replaces, const WriteOptions& options) {
  Request request = {"V.MVTREE", from, to};
  if (replaces) request.push_back("REPLACE");
  const Status status = SpaceOf(space).Apply({request}, options);
  if (status.message() == "ERR no such node") {
    return Status::NotFound("there is nothing at '" + std::string(from) + "'");
  }
  if (status.message().starts_with("BUSYKEY ")) {
    return Status::Conflict("there is a node at '" + std::string(to) + "' already");
  }
  return status;
}

Status RemoteDb::Write(const WriteBatch& batch, const WriteOptions& options) {
  if (batch.empty()) return Status::Ok();
  if (!batch.IsFor(this)) return Status::InvalidArgument("the batch is for another store");
  const std::optional<Expiry> common = ExpiryOf(options, *connection_->clock);
  RequestList list;
  list.Add({"MULTI"});
  std::vector<std::unique_ptr<std::string>> keys;
  uint32_t selected = space().database();
  WalOpReader changes(batch.rep(), batch.count());
  for (WalOp change; changes.Next(&change);) {
    if (change.kind == kDeleteRangeOp) return NotRemote("a delete of a range within a batch");
    const EntryKind kind = static_cast<EntryKind>(change.kind);
    const std::optional<uint32_t> id = NamespaceIdOf(change.key);
    const Keyspace keyspace = id ? Keyspace::Named(*id) : Keyspace();
    const std::string& key =
        *keys.emplace_back(std::make_unique<std::string>(keyspace.ToUser(change.key)));
    const uint32_t database = id.value_or(space().database());
    if (database != selected) list.Select(database);
    selected = database;
    if (kind == EntryKind::kDelete) {
      list.Delete(key);
    } else if (IsExpiring(kind)) {
      const uint64_t word = LoadFixed<uint64_t>(change.value.data());
      list.Put(key, PlainValueOf(kind, change.value), ExpiryOfWord(word));
    } else {
      list.Put(key, change.value, common);
    }
  }
  if (selected != space().database()) list.Select(space().database());
  list.Add({"EXEC"});
  RemoteSpace own = space();
  return own.ApplyTransaction(list.requests(), options).status();
}

Status RemoteDb::Transact(const Transaction::Body&, const TransactionOptions&) {
  return NotRemote("a transaction of several steps");
}

Result<std::shared_ptr<Namespace>> RemoteDb::OpenNamespace(std::string_view name,
                                                           const NamespaceOptions&) {
  const std::optional<uint32_t> database = DatabaseOf(name);
  // 0 is no number of a namespace, and is reached by its address.
  if (!database || *database == 0) {
    return Status::InvalidArgument("the namespaces of a server are its databases: db1, db2 and so on; 'db0' "
                                   "is what is there without -n");
  }
  VARVE_RETURN_IF_ERROR(connection_->Select(*database));
  return std::shared_ptr<Namespace>(std::make_shared<RemoteNamespace>(
      RemoteSpace(connection_.get(), *database), std::string(name), static_cast<const void*>(this)));
}

Status RemoteDb::DropNamespace(std::string_view) { return NotRemote("dropping a namespace"); }

Result<std::vector<NamespaceInfo>> RemoteDb::ListNamespaces() {
  VARVE_ASSIGN_OR_RETURN(const Reply reply, client()->Call({"INFO", "keyspace"}));
  std::vector<NamespaceInfo> infos;
  for (const uint32_t database : DatabasesIn(reply.text)) {
    if (database == space().database() || database == 0) continue;
    infos.push_back({std::string(kDatabasePrefix) + std::to_string(database), database, {}, {}, {}});
  }
  return infos;
}

Status RemoteDb::SetExpiryListener(ExpiryListener) { return NotRemote("calls when keys expire"); }
Status RemoteDb::Flush() { return NotRemote("a flush"); }
Status RemoteDb::Compact() { return NotRemote("a compaction"); }
Status RemoteDb::WaitForBackgroundWork() { return NotRemote("its background work"); }
Status RemoteDb::Sync() { return NotRemote("a sync"); }
Result<VerifyReport> RemoteDb::Verify() { return NotRemote("a verification"); }
Status RemoteDb::StartScrub(const ScrubOptions&) { return NotRemote("a scrub"); }

Statistics RemoteDb::Stats() {
  Statistics stats;
  RemoteSpace own = space();
  stats.entry_count = own.CountKeys().value_or(0);
  return stats;
}

}  // namespace varve::client
