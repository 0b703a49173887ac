// WiredTiger: a row-store table with the log on. transaction_sync=method=none hands every commit to
// the operating system before it is acknowledged (its default keeps commits in process memory,
// which the end of the process would lose); method=fsync for sync writes. A checkpoint a minute, or
// a GiB of log, lets old log files go.
#include <wiredtiger.h>

#include "bench/engine.h"

namespace varve::bench {
namespace {

constexpr char kTable[] = "table:bench";

Status FromWired(int rc, const char* what) {
  if (rc == 0) return Status::Ok();
  if (rc == WT_NOTFOUND) return Status::NotFound();
  return Status::IoError(std::string("wiredtiger: ") + what + ": " + wiredtiger_strerror(rc));
}

WT_ITEM ToItem(std::string_view view) {
  WT_ITEM item = {};
  item.data = view.data();
  item.size = view.size();
  return item;
}
std::string_view ToView(const WT_ITEM& item) {
  return {static_cast<const char*>(item.data), item.size};
}

// A cursor is reset after each operation: it would else pin a page and a snapshot, and hold up
// eviction for everyone.
class WiredSession : public Session {
 public:
  explicit WiredSession(WT_SESSION* session) : session_(session) {}
  ~WiredSession() override { session_->close(session_, nullptr); }

  Status Start() {
    return FromWired(session_->open_cursor(session_, kTable, nullptr, nullptr, &cursor_),
                     "open a cursor");
  }

  Status Put(std::string_view key, std::string_view value) override {
    const WT_ITEM v = ToItem(value);
    int rc;
    do {
      SetKey(key);
      cursor_->set_value(cursor_, &v);
      rc = cursor_->insert(cursor_);
    } while (rc == WT_ROLLBACK);
    const int reset = cursor_->reset(cursor_);
    return FromWired(rc != 0 ? rc : reset, "put");
  }

  Status Delete(std::string_view key) override {
    int rc;
    do {
      SetKey(key);
      rc = cursor_->remove(cursor_);
    } while (rc == WT_ROLLBACK);
    const int reset = cursor_->reset(cursor_);
    if (rc == WT_NOTFOUND) return Status::Ok();
    return FromWired(rc != 0 ? rc : reset, "delete");
  }

  Status Get(std::string_view key, std::string* value) override {
    std::string_view view;
    Status status = GetPinned(key, &view);
    if (status.ok()) value->assign(view);
    cursor_->reset(cursor_);
    return status;
  }

  // The cursor stays on the key, and the view valid, until the next call.
  Status GetPinned(std::string_view key, std::string_view* value) override {
    SetKey(key);
    int rc = cursor_->search(cursor_);
    WT_ITEM item = {};
    if (rc == 0) rc = cursor_->get_value(cursor_, &item);
    if (rc != 0) {
      cursor_->reset(cursor_);
      return FromWired(rc, "get");
    }
    *value = ToView(item);
    return Status::Ok();
  }

  // There is no MultiGet; a transaction gives the one moment.
  Status MultiGet(const std::vector<std::string_view>& keys,
                  std::vector<std::string>* values) override {
    cursor_->reset(cursor_);
    int rc = session_->begin_transaction(session_, "isolation=snapshot");
    if (rc != 0) return FromWired(rc, "begin");
    values->resize(keys.size());
    Status status;
    for (size_t i = 0; i < keys.size() && status.ok(); ++i) {
      std::string_view view;
      status = GetPinned(keys[i], &view);
      if (status.ok()) (*values)[i].assign(view);
    }
    rc = session_->rollback_transaction(session_, nullptr);  // nothing was written
    return status.ok() ? FromWired(rc, "end a transaction") : status;
  }

  Status Scan(std::string_view from, uint64_t limit, ScanTotals* totals) override {
    cursor_->reset(cursor_);
    int rc;
    if (from.empty()) {
      rc = cursor_->next(cursor_);
    } else {
      SetKey(from);
      int order = 0;
      rc = cursor_->search_near(cursor_, &order);
      if (rc == 0 && order < 0) rc = cursor_->next(cursor_);
    }
    for (uint64_t i = 0; i < limit && rc == 0; ++i) {
      WT_ITEM k = {};
      WT_ITEM v = {};
      rc = cursor_->get_key(cursor_, &k);
      if (rc == 0) rc = cursor_->get_value(cursor_, &v);
      if (rc != 0) break;
      Touch(ToView(k), ToView(v), totals);
      rc = cursor_->next(cursor_);
    }
    cursor_->reset(cursor_);
    return rc == WT_NOTFOUND ? Status::Ok() : FromWired(rc, "scan");
  }

 private:
  void SetKey(std::string_view key) {
    const WT_ITEM k = ToItem(key);
    cursor_->set_key(cursor_, &k);
  }

  WT_SESSION* const session_;
  WT_CURSOR* cursor_ = nullptr;
};

class WiredStore : public Engine {
 public:
  ~WiredStore() override {
    if (connection_ != nullptr) connection_->close(connection_, nullptr);
  }

  Status Start(const EngineOptions& options) {
    const std::string config =
        "create,session_max=1200,statistics=(none),cache_size=" +
        std::to_string(options.cache_bytes >> 20) + "MB,checkpoint=(wait=60,log_size=1GB)," +
        "log=(enabled=true,archive=true),transaction_sync=(enabled=true,method=" +
        (options.sync ? "fsync" : "none") + ")";
    int rc = wiredtiger_open(options.dir.c_str(), nullptr, config.c_str(), &connection_);
    if (rc != 0) return FromWired(rc, "open").WithContext(options.dir);
    rc = connection_->open_session(connection_, nullptr, nullptr, &session_);
    if (rc != 0) return FromWired(rc, "open a session");
    return FromWired(session_->create(session_, kTable, "key_format=u,value_format=u"),
                     "create the table");
  }

  Result<std::unique_ptr<Session>> NewSession() override {
    WT_SESSION* session = nullptr;
    if (int rc = connection_->open_session(connection_, nullptr, nullptr, &session); rc != 0) {
      return FromWired(rc, "open a session");
    }
    auto result = std::make_unique<WiredSession>(session);
    if (Status status = result->Start(); !status.ok()) return status;
    return std::unique_ptr<Session>(std::move(result));
  }
  Status Flush() override {
    return FromWired(session_->checkpoint(session_, nullptr), "checkpoint");
  }
  // Eviction and log removal cannot be asked; the caller waits until the process is idle.
  Status WaitForBackgroundWork() override { return Status::Ok(); }

 private:
  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* session_ = nullptr;  // closed by the connection
};

Result<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
  auto store = std::make_unique<WiredStore>();
  if (Status status = store->Start(options); !status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(store));
}

}  // namespace

EngineInfo WiredTigerEngine() {
  return {.name = "wiredtiger",
          .version = std::to_string(WIREDTIGER_VERSION_MAJOR) + "." +
                     std::to_string(WIREDTIGER_VERSION_MINOR) + "." +
                     std::to_string(WIREDTIGER_VERSION_PATCH),
          .configuration =
              "row store, log on, transaction_sync method=none, or fsync for sync "
              "workloads; checkpoint each minute or GiB of log",
          .open = Open};
}

}  // namespace varve::bench
