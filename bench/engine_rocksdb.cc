// RocksDB: log on, bloom filter of 10 bits a key, LZ4, an LRU block cache, two background jobs.
// Transactions: OptimisticTransactionDB, GetForUpdate and Put, one Transaction object a thread.
// "rocksdb-blob" is the same with values of 4 KiB and more in blob files.
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/optimistic_transaction_db.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/version.h>
#include <unistd.h>

#include "bench/engine.h"

namespace varve::bench {
namespace {

rocksdb::Slice ToSlice(std::string_view view) { return {view.data(), view.size()}; }
std::string_view ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

Status FromRocks(const rocksdb::Status& s) {
  if (s.ok()) return Status::Ok();
  if (s.IsNotFound()) return Status::NotFound();
  return Status::IoError("rocksdb: " + s.ToString());
}

class RocksSession : public Session {
 public:
  RocksSession(rocksdb::DB* db, rocksdb::OptimisticTransactionDB* transactions,
               const rocksdb::WriteOptions& write)
      : db_(db), transactions_(transactions), write_(write) {}

  Status Put(std::string_view key, std::string_view value) override {
    return FromRocks(db_->Put(write_, ToSlice(key), ToSlice(value)));
  }
  Status Delete(std::string_view key) override {
    return FromRocks(db_->Delete(write_, ToSlice(key)));
  }
  Status Get(std::string_view key, std::string* value) override {
    return FromRocks(db_->Get(read_, ToSlice(key), value));
  }
  Status GetPinned(std::string_view key, std::string_view* value) override {
    pinned_.Reset();
    Status status = FromRocks(db_->Get(read_, db_->DefaultColumnFamily(), ToSlice(key), &pinned_));
    *value = ToView(pinned_);
    return status;
  }

  Status MultiGet(const std::vector<std::string_view>& keys,
                  std::vector<std::string>* values) override {
    const size_t n = keys.size();
    slices_.resize(n);
    pins_.resize(n);
    statuses_.resize(n);
    values->resize(n);
    for (size_t i = 0; i < n; ++i) slices_[i] = ToSlice(keys[i]);
    db_->MultiGet(read_, db_->DefaultColumnFamily(), n, slices_.data(), pins_.data(),
                  statuses_.data());
    for (size_t i = 0; i < n; ++i) {
      if (!statuses_[i].ok()) return FromRocks(statuses_[i]);
      (*values)[i].assign(pins_[i].data(), pins_[i].size());
      pins_[i].Reset();
    }
    return Status::Ok();
  }

  Status Scan(std::string_view from, uint64_t limit, ScanTotals* totals) override {
    std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read_));
    it->Seek(ToSlice(from));
    for (uint64_t i = 0; i < limit && it->Valid(); ++i, it->Next()) {
      Touch(ToView(it->key()), ToView(it->value()), totals);
    }
    return FromRocks(it->status());
  }

  Status UpdatePair(std::string_view first, std::string_view second, Modify modify) override {
    while (true) {
      // Given back to be used again, as its documentation advises.
      transaction_.reset(transactions_->BeginTransaction(
          write_, rocksdb::OptimisticTransactionOptions(), transaction_.release()));
      rocksdb::Status s;
      for (const std::string_view key : {first, second}) {
        s = transaction_->GetForUpdate(read_, ToSlice(key), &value_);
        if (!s.ok()) break;
        modify(&value_);
        s = transaction_->Put(ToSlice(key), value_);
        if (!s.ok()) break;
      }
      if (s.ok()) s = transaction_->Commit();
      if (!s.IsBusy() && !s.IsTryAgain()) return FromRocks(s);
      (void)transaction_->Rollback();
    }
  }

 private:
  rocksdb::DB* const db_;
  rocksdb::OptimisticTransactionDB* const transactions_;  // = db_, or nullptr
  std::unique_ptr<rocksdb::Transaction> transaction_;
  std::string value_;
  const rocksdb::WriteOptions write_;
  const rocksdb::ReadOptions read_;
  rocksdb::PinnableSlice pinned_;
  std::vector<rocksdb::Slice> slices_;
  std::vector<rocksdb::PinnableSlice> pins_;
  std::vector<rocksdb::Status> statuses_;
};

class RocksStore : public Engine {
 public:
  RocksStore(std::unique_ptr<rocksdb::DB> db, rocksdb::OptimisticTransactionDB* transactions,
             bool sync)
      : db_(std::move(db)), transactions_(transactions) {
    write_.sync = sync;
  }

  Result<std::unique_ptr<Session>> NewSession() override {
    return std::unique_ptr<Session>(std::make_unique<RocksSession>(db_.get(), transactions_, write_));
  }
  Status Flush() override { return FromRocks(db_->Flush(rocksdb::FlushOptions())); }

  Status WaitForBackgroundWork() override {
    while (Busy()) usleep(20000);
    return Status::Ok();
  }

 private:
  bool Busy() const {
    for (const std::string& property :
         {rocksdb::DB::Properties::kMemTableFlushPending,
          rocksdb::DB::Properties::kNumRunningFlushes, rocksdb::DB::Properties::kCompactionPending,
          rocksdb::DB::Properties::kNumRunningCompactions}) {
      uint64_t count = 0;
      if (db_->GetIntProperty(property, &count) && count > 0) return true;
    }
    return false;
  }

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::OptimisticTransactionDB* const transactions_;  // = db_, or nullptr
  rocksdb::WriteOptions write_;
};

rocksdb::Options MakeOptions(const EngineOptions& options, bool blobs) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10, false));
  // Filters and indexes must fit the budget, too, when memory is short.
  table.cache_index_and_filter_blocks = options.data_exceeds_memory;
  table.pin_l0_filter_and_index_blocks_in_cache = options.data_exceeds_memory;

  rocksdb::Options o;
  o.create_if_missing = true;
  o.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  o.compression = rocksdb::kLZ4Compression;
  o.max_background_jobs = options.background_threads;
  o.write_buffer_size = size_t{64} << 20;
  o.level_compaction_dynamic_level_bytes = true;
  o.max_open_files = -1;
  if (blobs) {
    o.enable_blob_files = true;
    o.min_blob_size = 4096;
    o.enable_blob_garbage_collection = true;
    o.blob_cache = table.block_cache;  // off by default, unlike the block cache
  }
  return o;
}

template <bool kBlobs>
Result<std::unique_ptr<Engine>> Open(const EngineOptions& options) {
  rocksdb::DB* db = nullptr;
  rocksdb::OptimisticTransactionDB* transactions = nullptr;
  const rocksdb::Options o = MakeOptions(options, kBlobs);
  const rocksdb::Status s =
      options.transactions ? rocksdb::OptimisticTransactionDB::Open(o, options.dir, &transactions)
                           : rocksdb::DB::Open(o, options.dir, &db);
  if (options.transactions) db = transactions;
  if (!s.ok()) return FromRocks(s).WithContext("open " + options.dir);
  return std::unique_ptr<Engine>(
      std::make_unique<RocksStore>(std::unique_ptr<rocksdb::DB>(db), transactions, options.sync));
}

}  // namespace

EngineInfo RocksDbEngine() {
  return {.name = "rocksdb",
          .version = rocksdb::GetRocksVersionAsString(),
          .configuration =
              "log on, LZ4, bloom 10 bits, 64 MiB write buffers, dynamic level bytes, "
              "2 background jobs",
          .has_transactions = true,
          .open = Open<false>};
}

EngineInfo RocksDbBlobEngine() {
  EngineInfo info = RocksDbEngine();
  info.name = "rocksdb-blob";
  info.configuration += ", blob files from 4 KiB on with garbage collection, blobs cached";
  info.scope = EngineScope::kLargeValues;
  info.open = Open<true>;
  return info;
}

}  // namespace varve::bench
