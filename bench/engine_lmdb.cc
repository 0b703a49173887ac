// LMDB: one transaction a write, MDB_NOSYNC (survives the end of the process) without MDB_WRITEMAP;
// for sync writes the full default. Reads renew a reset read transaction, LMDB's own cheap way. It
// has no cache of its own: the page cache serves it.
#include <lmdb.h>

#include "bench/engine.h"

namespace varve::bench {
namespace {

MDB_val ToVal(std::string_view view) {
  return {view.size(), const_cast<char*>(view.data())};  // LMDB does not write through it
}
std::string_view ToView(const MDB_val& val) {
  return {static_cast<const char*>(val.mv_data), val.mv_size};
}

Status FromLmdb(int rc, const char* what) {
  if (rc == 0) return Status::Ok();
  if (rc == MDB_NOTFOUND) return Status::NotFound();
  return Status::IoError(std::string("lmdb: ") + what + ": " + mdb_strerror(rc));
}

class LmdbSession : public Session {
 public:
  LmdbSession(MDB_env* env, MDB_dbi dbi) : env_(env), dbi_(dbi) {}
  ~LmdbSession() override {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }

  Status Start() {
    if (int rc = mdb_txn_begin(env_, nullptr, MDB_RDONLY, &txn_); rc != 0) {
      return FromLmdb(rc, "begin a read transaction");
    }
    const int rc = mdb_cursor_open(txn_, dbi_, &cursor_);
    EndRead();
    return FromLmdb(rc, "open a cursor");
  }

  Status Put(std::string_view key, std::string_view value) override {
    EndRead();
    MDB_txn* txn;
    if (int rc = mdb_txn_begin(env_, nullptr, 0, &txn); rc != 0) return FromLmdb(rc, "begin");
    MDB_val k = ToVal(key);
    MDB_val v = ToVal(value);
    if (int rc = mdb_put(txn, dbi_, &k, &v, 0); rc != 0) {
      mdb_txn_abort(txn);
      return FromLmdb(rc, "put");
    }
    return FromLmdb(mdb_txn_commit(txn), "commit");
  }

  Status Delete(std::string_view key) override {
    EndRead();
    MDB_txn* txn;
    if (int rc = mdb_txn_begin(env_, nullptr, 0, &txn); rc != 0) return FromLmdb(rc, "begin");
    MDB_val k = ToVal(key);
    if (int rc = mdb_del(txn, dbi_, &k, nullptr); rc != 0 && rc != MDB_NOTFOUND) {
      mdb_txn_abort(txn);
      return FromLmdb(rc, "delete");
    }
    return FromLmdb(mdb_txn_commit(txn), "commit");
  }

  Status Get(std::string_view key, std::string* value) override {
    std::string_view view;
    Status status = GetPinned(key, &view);
    if (status.ok()) value->assign(view);
    EndRead();
    return status;
  }

  // The read transaction stays open, and the view valid, until the next call.
  Status GetPinned(std::string_view key, std::string_view* value) override {
    if (Status status = BeginRead(); !status.ok()) return status;
    MDB_val k = ToVal(key);
    MDB_val v;
    const int rc = mdb_get(txn_, dbi_, &k, &v);
    if (rc == 0) *value = ToView(v);
    return FromLmdb(rc, "get");
  }

  Status MultiGet(const std::vector<std::string_view>& keys,
                  std::vector<std::string>* values) override {
    if (Status status = BeginRead(); !status.ok()) return status;
    values->resize(keys.size());
    int rc = 0;
    for (size_t i = 0; i < keys.size() && rc == 0; ++i) {
      MDB_val k = ToVal(keys[i]);
      MDB_val v;
      rc = mdb_get(txn_, dbi_, &k, &v);
      if (rc == 0) (*values)[i].assign(ToView(v));
    }
    EndRead();
    return FromLmdb(rc, "get");
  }

  Status Scan(std::string_view from, uint64_t limit, ScanTotals* totals) override {
    if (Status status = BeginRead(); !status.ok()) return status;
    int rc = mdb_cursor_renew(txn_, cursor_);
    MDB_val k = ToVal(from);
    MDB_val v;
    // LMDB has no empty keys: a range from the start needs another operation.
    if (rc == 0) rc = mdb_cursor_get(cursor_, &k, &v, from.empty() ? MDB_FIRST : MDB_SET_RANGE);
    for (uint64_t i = 0; i < limit && rc == 0; ++i) {
      Touch(ToView(k), ToView(v), totals);
      rc = mdb_cursor_get(cursor_, &k, &v, MDB_NEXT);
    }
    EndRead();
    return rc == MDB_NOTFOUND ? Status::Ok() : FromLmdb(rc, "scan");
  }

  Status UpdatePair(std::string_view first, std::string_view second, Modify modify) override {
    EndRead();
    MDB_txn* txn;
    if (int rc = mdb_txn_begin(env_, nullptr, 0, &txn); rc != 0) return FromLmdb(rc, "begin");
    for (const std::string_view key : {first, second}) {
      MDB_val k = ToVal(key);
      MDB_val v;
      int rc = mdb_get(txn, dbi_, &k, &v);
      if (rc == 0) {
        value_.assign(ToView(v));
        modify(&value_);
        v = ToVal(value_);
        rc = mdb_put(txn, dbi_, &k, &v, 0);
      }
      if (rc != 0) {
        mdb_txn_abort(txn);
        return FromLmdb(rc, "update");
      }
    }
    return FromLmdb(mdb_txn_commit(txn), "commit");
  }

 private:
  Status BeginRead() {
    EndRead();
    const int rc = mdb_txn_renew(txn_);
    reading_ = rc == 0;
    return FromLmdb(rc, "renew a read transaction");
  }
  void EndRead() {
    if (reading_) mdb_txn_reset(txn_);
    reading_ = false;
  }

  MDB_env* const env_;
  const MDB_dbi dbi_;
  MDB_txn* txn_ = nullptr;
  MDB_cursor* cursor_ = nullptr;
  bool reading_ = true;
  std::string value_;
};

class LmdbStore : public Engine {
 public:
  ~LmdbStore() override {
    if (env_ != nullptr) mdb_env_close(env_);
  }

  Status Start(const EngineOptions& options) {
    // Address space, not memory; the file is as large as what it holds.
    constexpr size_t kMapBytes = size_t{256} << 30;
    unsigned flags = MDB_NOTLS;
    if (!options.sync) flags |= MDB_NOSYNC;
    // LMDB's advice for a map that does not fit into memory.
    if (options.data_exceeds_memory) flags |= MDB_NORDAHEAD;
    int rc = mdb_env_create(&env_);
    if (rc == 0) rc = mdb_env_set_mapsize(env_, kMapBytes);
    if (rc == 0) rc = mdb_env_set_maxreaders(env_, 1024);
    if (rc == 0) rc = mdb_env_open(env_, options.dir.c_str(), flags, 0644);
    MDB_txn* txn = nullptr;
    if (rc == 0) rc = mdb_txn_begin(env_, nullptr, 0, &txn);
    if (rc == 0) rc = mdb_dbi_open(txn, nullptr, 0, &dbi_);
    if (rc == 0) rc = mdb_txn_commit(txn);
    return FromLmdb(rc, "open").WithContext(options.dir);
  }

  Result<std::unique_ptr<Session>> NewSession() override {
    auto session = std::make_unique<LmdbSession>(env_, dbi_);
    if (Status status = session->Start(); !status.ok()) return status;
    return std::unique_ptr<Session>(std::move(session));
  }
  Status Flush() override { return FromLmdb(mdb_env_sync(env_, 1), "sync"); }
  // There is no background work.
  Status WaitForBackgroundWork() override { return Status::Ok(); }

 private:
  MDB_env* env_ = nullptr;
  MDB_dbi dbi_ = 0;
};

Result<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
  auto store = std::make_unique<LmdbStore>();
  if (Status status = store->Start(options); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(store));
}

}  // namespace

EngineInfo LmdbEngine() {
  return {.name = "lmdb",
          .version = std::to_string(MDB_VERSION_MAJOR) + "." + std::to_string(MDB_VERSION_MINOR) +
                     "." + std::to_string(MDB_VERSION_PATCH),
          .configuration =
              "MDB_NOSYNC without MDB_WRITEMAP, full sync for sync workloads; page "
              "cache only",
          .has_transactions = true,
          .open = Open};
}

}  // namespace varve::bench
