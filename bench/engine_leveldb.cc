// LevelDB: log on, bloom filter of 10 bits a key, snappy (its default), an LRU block cache. The
// write buffer is 64 MiB like RocksDB's: with its own default of 4 MiB it would be slower.
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>

#include "bench/engine.h"

namespace varve::bench {
namespace {

leveldb::Slice ToSlice(std::string_view view) { return {view.data(), view.size()}; }
std::string_view ToView(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

Status FromLevel(const leveldb::Status& s) {
  if (s.ok()) return Status::Ok();
  if (s.IsNotFound()) return Status::NotFound();
  return Status::IoError("leveldb: " + s.ToString());
}

class LevelSession : public Session {
 public:
  LevelSession(leveldb::DB* db, bool sync) : db_(db) { write_.sync = sync; }

  Status Put(std::string_view key, std::string_view value) override {
    return FromLevel(db_->Put(write_, ToSlice(key), ToSlice(value)));
  }
  Status Delete(std::string_view key) override {
    return FromLevel(db_->Delete(write_, ToSlice(key)));
  }
  Status Get(std::string_view key, std::string* value) override {
    return FromLevel(db_->Get(leveldb::ReadOptions(), ToSlice(key), value));
  }
  // There is no read without a copy.
  Status GetPinned(std::string_view key, std::string_view* value) override {
    Status status = Get(key, &buffer_);
    *value = buffer_;
    return status;
  }
  // There is no MultiGet; a snapshot gives the one moment.
  Status MultiGet(const std::vector<std::string_view>& keys,
                  std::vector<std::string>* values) override {
    values->resize(keys.size());
    leveldb::ReadOptions read;
    read.snapshot = db_->GetSnapshot();
    leveldb::Status s;
    for (size_t i = 0; i < keys.size() && s.ok(); ++i) {
      s = db_->Get(read, ToSlice(keys[i]), &(*values)[i]);
    }
    db_->ReleaseSnapshot(read.snapshot);
    return FromLevel(s);
  }
  Status Scan(std::string_view from, uint64_t limit, ScanTotals* totals) override {
    std::unique_ptr<leveldb::Iterator> it(db_->NewIterator(leveldb::ReadOptions()));
    it->Seek(ToSlice(from));
    for (uint64_t i = 0; i < limit && it->Valid(); ++i, it->Next()) {
      Touch(ToView(it->key()), ToView(it->value()), totals);
    }
    return FromLevel(it->status());
  }

 private:
  leveldb::DB* const db_;
  leveldb::WriteOptions write_;
  std::string buffer_;
};

class LevelStore : public Engine {
 public:
  explicit LevelStore(const EngineOptions& options)
      : cache_(leveldb::NewLRUCache(options.cache_bytes)),
        filter_(leveldb::NewBloomFilterPolicy(10)),
        sync_(options.sync) {}

  Status Start(const std::string& dir) {
    leveldb::Options o;
    o.create_if_missing = true;
    o.block_cache = cache_.get();
    o.filter_policy = filter_.get();
    o.write_buffer_size = size_t{64} << 20;
    o.max_open_files = 10000;
    leveldb::DB* db = nullptr;
    const leveldb::Status s = leveldb::DB::Open(o, dir, &db);
    db_.reset(db);
    return FromLevel(s).WithContext("open " + dir);
  }

  Result<std::unique_ptr<Session>> NewSession() override {
    return std::unique_ptr<Session>(std::make_unique<LevelSession>(db_.get(), sync_));
  }
  // Compacting a range that holds no key flushes the memtable and does nothing else.
  Status Flush() override {
    const std::string beyond(64, '\xff');
    const leveldb::Slice begin(beyond);
    db_->CompactRange(&begin, nullptr);
    return Status::Ok();
  }
  // LevelDB cannot be asked; the caller waits until the process is idle.
  Status WaitForBackgroundWork() override { return Status::Ok(); }

 private:
  const std::unique_ptr<leveldb::Cache> cache_;
  const std::unique_ptr<const leveldb::FilterPolicy> filter_;
  const bool sync_;
  std::unique_ptr<leveldb::DB> db_;  // last: closed before what it uses
};

Result<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
  auto store = std::make_unique<LevelStore>(options);
  Status status = store->Start(options.dir);
  if (!status.ok()) return status;
  return std::unique_ptr<Engine>(std::move(store));
}

}  // namespace

EngineInfo LevelDbEngine() {
  return {.name = "leveldb",
          .version =
              std::to_string(leveldb::kMajorVersion) + "." + std::to_string(leveldb::kMinorVersion),
          .configuration = "log on, snappy, bloom 10 bits, 64 MiB write buffer",
          .open = Open};
}

}  // namespace varve::bench
