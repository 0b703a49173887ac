// MemoryStores: directories of stores that live in memory, the double behind the tests of the
// command line. What a command opens, changes and closes, the next command finds.
#ifndef VARVE_TESTS_CLI_MEMORY_STORE_H_
#define VARVE_TESTS_CLI_MEMORY_STORE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/context.h"
#include "engine/deadline.h"
#include "format/stored_key.h"
#include "format/wal.h"
#include "varve/db.h"

namespace varve::cli {

using Contents = std::map<std::string, std::string>;

struct LoggedChange {
  std::string kind, key, value, name_space = {};
  uint64_t expire_at_millis = 0;
};

// One directory. Tests set the statuses to make the store fail.
struct MemoryStore {
  Contents contents;
  std::map<std::string, Contents> namespaces;
  // Of the keys that expire: namespace and key.
  std::map<std::pair<std::string, std::string>, uint64_t> deadlines;
  std::vector<LoggedChange> log;
  Statistics statistics;
  VerifyReport report;
  RepairReport repair_report;
  Status open_status;
  Status write_status;
  Status value_status;  // of an iterator that reads a value
  std::optional<Explanation> explanation;  // of any key
  // How the last command opened it, and the durability of its last change.
  Options options;
  std::optional<Durability> durability;
  uint64_t batch_count = 0;
};

class MemoryIterator : public Iterator {
 public:
  MemoryIterator(const MemoryStore& store, const std::string& name, const Contents& contents,
                 const IteratorOptions& options)
      : value_status_(store.value_status) {
    for (const auto& record : contents) {
      const std::string& key = record.first;
      const bool is_inside = key.starts_with(options.prefix) &&
                             (!options.lower_bound || key >= *options.lower_bound) &&
                             (!options.upper_bound || key < *options.upper_bound);
      if (!is_inside) continue;
      records_.push_back(record);
      const auto deadline = store.deadlines.find({name, key});
      deadlines_.push_back(deadline == store.deadlines.end() ? 0 : deadline->second);
    }
    at_ = records_.size();
  }

  bool Valid() const override { return at_ < records_.size(); }
  void SeekToFirst() override { at_ = 0; }
  void SeekToLast() override { at_ = records_.size() - 1; }
  void Seek(std::string_view target) override {
    for (at_ = 0; Valid() && key() < target;) ++at_;
  }
  void SeekForPrev(std::string_view target) override {
    for (at_ = records_.size() - 1; Valid() && key() > target;) --at_;
  }
  void Next() override { ++at_; }
  void Prev() override { --at_; }
  uint64_t expire_at_millis() const override { return deadlines_[at_]; }
  std::string_view key() const override { return records_[at_].first; }
  std::string_view value() override {
    value_was_read_ = true;
    return value_status_.ok() ? std::string_view(records_[at_].second) : std::string_view();
  }
  Status status() const override { return value_was_read_ ? value_status_ : Status::Ok(); }

 private:
  const Status value_status_;
  bool value_was_read_ = false;
  std::vector<std::pair<std::string, std::string>> records_;
  std::vector<uint64_t> deadlines_;
  size_t at_;  // not an index: before the first or after the last
};

// The operations on keys, for the default namespace (Base is Db) and for others (Base is Namespace).
template <typename Base>
class MemoryNamespace : public Base {
 public:
  static constexpr uint64_t kNowMillis = 1'700'000'000'000;
  template <typename... Args>
  explicit MemoryNamespace(MemoryStore& store, std::string name, Args... args)
      : Base(args...), store_(store), name_(std::move(name)) {}

  std::string_view name() const override { return name_; }
  Status Put(std::string_view key, std::string_view value, const WriteOptions& options) override {
    const uint64_t deadline = HasDeadline(options) ? RequestedDeadline(options, kNowMillis) : 0;
    return Apply("WRITE", key, value, options, deadline);
  }
  Status Delete(std::string_view key, const WriteOptions& options) override {
    return Apply("DELETE", key, "", options);
  }
  Status DeleteRange(std::string_view begin, std::string_view end,
                     const WriteOptions& options) override {
    return Apply("DELETERANGE", begin, end, options);
  }
  Status Clear(const WriteOptions& options) override { return Apply("CLEAR", "", "", options); }
  Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key,
                                                              const ReadOptions&) override {
    if (contents().count(std::string(key)) == 0) return Status::NotFound();
    const auto deadline = store_.deadlines.find({name_, std::string(key)});
    if (deadline == store_.deadlines.end()) return std::optional<std::chrono::milliseconds>();
    return std::optional<std::chrono::milliseconds>(deadline->second - kNowMillis);
  }
  Result<std::string> Get(std::string_view key, const ReadOptions&) override {
    const auto found = contents().find(std::string(key));
    if (found == contents().end()) return Status::NotFound();
    return found->second;
  }
  Status Get(std::string_view, std::string*, const ReadOptions&) override {
    return Status::NotSupported("not used by commands");
  }
  Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions&) override {
    if (!store_.value_status.ok()) return store_.value_status;
    const auto found = contents().find(std::string(key));
    if (found == contents().end()) return Status::NotFound();
    return PinnedValue(found->second, nullptr, nullptr);
  }
  Result<Explanation> Explain(std::string_view key, const ReadOptions& options) override {
    if (!store_.explanation) return Base::Explain(key, options);
    return *store_.explanation;
  }
  std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>&,
                                            const ReadOptions&) override {
    return {};
  }
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override {
    return std::make_unique<MemoryIterator>(store_, name_, contents(), options);
  }

 protected:
  // As far as commands go: what sets or takes away a deadline.
  Status ReadModifyWrite(std::string_view key, const Namespace::Modifier& modify,
                         const WriteOptions& options) override {
    const auto found = contents().find(std::string(key));
    std::optional<std::string_view> current;
    if (found != contents().end()) current = found->second;
    const auto decision = modify(current);
    if (!decision.ok()) return decision.status();
    if (decision->kind != Namespace::Modification::Kind::kKeepValue) {
      return Status::NotSupported("not a command");
    }
    const std::string value(*current);
    if (decision->deadline != Namespace::Modification::Deadline::kNone) return Put(key, value, options);
    return Apply("WRITE", key, value, options);
  }
  Contents& contents() { return name_.empty() ? store_.contents : store_.namespaces[name_]; }
  Status Apply(const std::string& kind, std::string_view key, std::string_view value,
               const WriteOptions& options, uint64_t deadline = 0) {
    if (store_.options.read_only) return Status::InvalidArgument("opened for reading only");
    if (!store_.write_status.ok()) return store_.write_status;
    store_.durability = options.durability;
    if (kind == "WRITE") contents()[std::string(key)] = value;
    store_.deadlines.erase({name_, std::string(key)});
    if (deadline != 0) store_.deadlines[{name_, std::string(key)}] = deadline;
    if (kind == "DELETE") contents().erase(std::string(key));
    if (kind == "CLEAR") contents().clear();
    if (kind == "DELETERANGE") {
      contents().erase(contents().lower_bound(std::string(key)),
                       contents().lower_bound(std::string(value)));
    }
    store_.log.push_back({kind, std::string(key), std::string(value), name_, deadline});
    return Status::Ok();
  }

  MemoryStore& store_;
  const std::string name_;
};

class NamedMemoryNamespace : public MemoryNamespace<Namespace> {
 public:
  NamedMemoryNamespace(MemoryStore& store, const std::string& name, uint32_t id)
      : MemoryNamespace<Namespace>(store, name, static_cast<const void*>(&store), id) {}
};

class MemoryDb : public MemoryNamespace<Db> {
 public:
  explicit MemoryDb(MemoryStore& store) : MemoryNamespace<Db>(store, "") {}

  Status Write(const WriteBatch& batch, const WriteOptions& options) override {
    ++store_.batch_count;
    WalOpReader changes(batch.rep(), batch.count());
    Status status = store_.write_status;
    for (WalOp change; status.ok() && changes.Next(&change);) {
      const EntryKind kind = static_cast<EntryKind>(change.kind);
      const bool is_put = kind != EntryKind::kDelete;
      const std::string_view value = PlainValueOf(kind, change.value);
      WriteOptions complete = options;
      if (IsExpiring(kind)) {
        complete.expire_at = std::chrono::system_clock::time_point(
            std::chrono::milliseconds(DeadlineOf(change.value)));
      }
      if (const std::optional<uint32_t> id = NamespaceIdOf(change.key)) {
        const std::string key = Keyspace::Named(*id).ToUser(change.key);
        NamedMemoryNamespace space(store_, NameOf(*id), *id);
        status = is_put ? space.Put(key, value, complete) : space.Delete(key, options);
      } else {
        const std::string key = Keyspace().ToUser(change.key);
        status = is_put ? Put(key, value, complete) : Delete(key, options);
      }
    }
    return status;
  }
  Result<std::shared_ptr<Namespace>> OpenNamespace(std::string_view name,
                                                   const NamespaceOptions& options) override {
    if (store_.namespaces.count(std::string(name)) == 0) {
      if (!options.create_if_missing) return Status::NotFound("no such namespace");
      store_.namespaces[std::string(name)];
    }
    uint32_t id = 1;
    for (auto it = store_.namespaces.begin(); it->first != name; ++it) ++id;
    return std::shared_ptr<Namespace>(
        std::make_shared<NamedMemoryNamespace>(store_, std::string(name), id));
  }
  Status DropNamespace(std::string_view name) override {
    const bool found = store_.namespaces.erase(std::string(name)) > 0;
    return found ? store_.write_status : Status::NotFound("no such namespace");
  }
  Status SetExpiryListener(ExpiryListener) override { return Status::NotSupported("a double"); }
  Result<std::vector<NamespaceInfo>> ListNamespaces() override {
    std::vector<NamespaceInfo> infos;
    for (const auto& [name, contents] : store_.namespaces) {
      infos.push_back({name, static_cast<uint32_t>(infos.size() + 1), {}, {}, {}});
    }
    return infos;
  }
  std::unique_ptr<Snapshot> GetSnapshot() override { return nullptr; }
  Status Transact(const Transaction::Body&, const TransactionOptions&) override {
    return Status::NotSupported("transactions");
  }
  std::unique_ptr<Transaction> Begin(const TransactionOptions&) override { return nullptr; }
  Status Flush() override { return Status::Ok(); }
  Status Compact() override {
    store_.statistics.segment_bytes /= 2;
    return store_.write_status;
  }
  Status WaitForBackgroundWork() override { return Status::Ok(); }
  Status Sync() override { return Status::Ok(); }
  bool HasUnsynced() const override { return false; }
  Result<VerifyReport> Verify() override { return store_.report; }
  Status StartScrub(const ScrubOptions&) override { return Status::NotSupported("no command"); }
  void StopScrub() override {}
  ScrubState Scrub() override { return {}; }
  Statistics Stats() override {
    Statistics statistics = store_.statistics;
    statistics.entry_count = store_.contents.size();
    return statistics;
  }
  std::optional<std::string> GetProperty(std::string_view) override { return std::nullopt; }

 private:
  // Numbers follow the order of the names: they hold while none is made or dropped.
  std::string NameOf(uint32_t id) const {
    return std::next(store_.namespaces.begin(), static_cast<int>(id) - 1)->first;
  }
};

// Must outlive the backend and every store opened through it.
class MemoryStores {
 public:
  bool Exists(const std::string& dir) const { return stores_.count(dir) != 0; }
  // Makes it when it is missing.
  MemoryStore& At(const std::string& dir) { return stores_[dir]; }

  Backend MakeBackend() {
    return {
        .open = [this](const std::string& dir,
                       const Options& options) -> Result<std::unique_ptr<Db>> {
          if (!Exists(dir) && !options.create_if_missing)
            return Status::NotFound(dir + ": no store");
          MemoryStore& store = At(dir);
          if (!store.open_status.ok()) return store.open_status;
          store.options = options;
          return std::unique_ptr<Db>(std::make_unique<MemoryDb>(store));
        },
        .read_wal = [this](const std::string& dir, const Options&,
                           const WalVisitor& visit) -> Status {
          if (!Exists(dir)) return Status::NotFound(dir + ": no store");
          uint64_t sequence = 0;
          for (const LoggedChange& change : At(dir).log) {
            visit({++sequence, change.kind, change.name_space, change.key, change.value,
                   change.expire_at_millis});
          }
          return At(dir).open_status;
        },
        .repair = [this](const std::string& dir,
                         const RepairOptions& options) -> Result<RepairReport> {
          if (!Exists(dir)) return Status::NotFound(dir + ": no store");
          if (!At(dir).open_status.ok()) return At(dir).open_status;
          if (options.progress) options.progress({1, 50, 100});
          RepairReport report = At(dir).repair_report;
          report.to = options.to.empty() ? dir + ".repaired" : options.to;
          return report;
        },
    };
  }

 private:
  std::map<std::string, MemoryStore> stores_;
};

}  // namespace varve::cli

#endif  // VARVE_TESTS_CLI_MEMORY_STORE_H_
