// varve. The whole memory budget is the cache size that the others get; nothing else is set.
#include "bench/engine.h"
#include "varve/varve.h"

namespace varve::bench {
namespace {

class VarveSession : public Session {
 public:
  explicit VarveSession(Db* db) : db_(db) {}

  Status Put(std::string_view key, std::string_view value) override { return db_->Put(key, value); }
  Status Delete(std::string_view key) override { return db_->Delete(key); }
  Status PutFor(std::string_view key, std::string_view value, uint64_t millis) override {
    return db_->Put(key, value, {.ttl = std::chrono::milliseconds(millis)});
  }
  Status Expire(std::string_view key, uint64_t millis) override {
    return db_->Expire(key, std::chrono::milliseconds(millis));
  }
  Status Get(std::string_view key, std::string* value) override { return db_->Get(key, value); }

  void GetAsync(std::string_view key, GetDone done) override {
    db_->GetAsync(key).Then([done = std::move(done)](const Result<std::string>& value) {
      done(value.status(), value.ok() ? std::string_view(*value) : std::string_view());
    });
  }

  Status GetPinned(std::string_view key, std::string_view* value) override {
    Result<PinnedValue> result = db_->GetPinned(key);
    if (!result.ok()) return result.status();
    pinned_ = *std::move(result);
    *value = pinned_.view();
    return Status::Ok();
  }

  Status MultiGet(const std::vector<std::string_view>& keys,
                  std::vector<std::string>* values) override {
    std::vector<Result<std::string>> results = db_->MultiGet(keys);
    values->resize(results.size());
    for (size_t i = 0; i < results.size(); ++i) {
      if (!results[i].ok()) return results[i].status();
      (*values)[i] = *std::move(results[i]);
    }
    return Status::Ok();
  }

  Status Scan(std::string_view from, uint64_t limit, ScanTotals* totals) override {
    std::unique_ptr<Iterator> it = db_->NewIterator();
    it->Seek(from);
    for (uint64_t i = 0; i < limit && it->Valid(); ++i, it->Next()) {
      Touch(it->key(), it->value(), totals);
    }
    return it->status();
  }

  Status UpdatePair(std::string_view first, std::string_view second, Modify modify) override {
    return db_->Transact(
        [&](Transaction& t) -> Status {
          for (const std::string_view key : {first, second}) {
            Status status = t.Get(key, &value_);
            if (!status.ok()) return status;
            modify(&value_);
            status = t.Put(key, value_);
            if (!status.ok()) return status;
          }
          return Status::Ok();
        },
        {.max_attempts = 1'000'000});
  }

 private:
  Db* const db_;
  std::string value_;
  PinnedValue pinned_;
};

class VarveStore : public Engine {
 public:
  explicit VarveStore(std::unique_ptr<Db> db) : db_(std::move(db)) {}

  Result<std::unique_ptr<Session>> NewSession() override {
    return std::unique_ptr<Session>(std::make_unique<VarveSession>(db_.get()));
  }
  Status Flush() override { return db_->Flush(); }
  Status WaitForBackgroundWork() override { return db_->WaitForBackgroundWork(); }

 private:
  std::unique_ptr<Db> db_;
};

Result<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
  Options o;
  o.memory_budget_bytes = options.cache_bytes;
  o.durability = options.sync ? Durability::kSync : Durability::kProcess;
  o.background_threads = options.background_threads;
  o.expected_keys = options.expected_keys;
  Result<std::unique_ptr<Db>> db = Db::Open(options.dir, o);
  if (!db.ok()) return db.status();
  return std::unique_ptr<Engine>(std::make_unique<VarveStore>(*std::move(db)));
}

}  // namespace

EngineInfo VarveEngine() {
  return {.name = "varve",
          .version = kVersion,
          .configuration = "defaults; memory budget = cache size; kProcess, or kSync",
          .has_transactions = true,
          .is_peer = false,
          .has_ttl = true,
          .has_async = true,
          .open = Open};
}

}  // namespace varve::bench
