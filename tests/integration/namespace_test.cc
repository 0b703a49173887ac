// Namespaces against a model, and over crashes. A failure names its seed; VARVE_TEST_SEED=<seed> runs
// that one alone, VARVE_TEST_SCALE=<factor> multiplies the number of seeds.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/crash_env.h"
#include "format/stored_key.h"
#include "format/wal.h"
#include "tests/support/map_iterator.h"
#include "tests/support/model.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/workload.h"

namespace varve::test {
namespace namespace_test {

// --- One namespace, with all the operations of the model of a whole store.

// A transaction whose default namespace is another.
class OneNamespaceTransaction : public Transaction {
 public:
  OneNamespaceTransaction(Transaction* inner, const Namespace& space)
      : inner_(*inner), space_(space) {}

  Result<std::string> Get(std::string_view key) override { return inner_.Get(space_, key); }
  Status Get(std::string_view key, std::string* value) override {
    return inner_.Get(space_, key, value);
  }
  Result<PinnedValue> GetPinned(std::string_view key) override {
    return inner_.GetPinned(space_, key);
  }
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override {
    return inner_.NewIterator(space_, options);
  }
  Status Put(std::string_view key, std::string_view value) override {
    return inner_.Put(space_, key, value);
  }
  Status Delete(std::string_view key) override { return inner_.Delete(space_, key); }
  Status DeleteRange(std::string_view begin, std::string_view end) override {
    return inner_.DeleteRange(space_, begin, end);
  }
  Result<std::string> Get(const Namespace& space, std::string_view key) override {
    return inner_.Get(space, key);
  }
  Status Get(const Namespace& space, std::string_view key, std::string* value) override {
    return inner_.Get(space, key, value);
  }
  Result<PinnedValue> GetPinned(const Namespace& space, std::string_view key) override {
    return inner_.GetPinned(space, key);
  }
  std::unique_ptr<Iterator> NewIterator(const Namespace& space,
                                        const IteratorOptions& options) override {
    return inner_.NewIterator(space, options);
  }
  Status Put(const Namespace& space, std::string_view key, std::string_view value) override {
    return inner_.Put(space, key, value);
  }
  Status Delete(const Namespace& space, std::string_view key) override {
    return inner_.Delete(space, key);
  }
  Status DeleteRange(const Namespace& space, std::string_view begin,
                     std::string_view end) override {
    return inner_.DeleteRange(space, begin, end);
  }
  Status DeleteAll(const Namespace& space) override { return inner_.DeleteAll(space); }
  Status SetSavepoint() override { return inner_.SetSavepoint(); }
  Status RollbackToSavepoint() override { return inner_.RollbackToSavepoint(); }
  Status ReleaseSavepoint() override { return inner_.ReleaseSavepoint(); }
  Status Commit() override { return inner_.Commit(); }
  Status Rollback() override { return inner_.Rollback(); }

 private:
  Transaction& inner_;
  const Namespace& space_;
};

// Shows one namespace of a store as if it were a store, while its neighbours are written, cleared and
// dropped. With `name` empty it shows the default namespace.
class OneNamespace : public Db {
 public:
  OneNamespace(std::unique_ptr<Db> db, const std::string& name, uint64_t seed)
      : db_(std::move(db)), random_(seed) {
    space_ = name.empty() ? db_.get() : (named_ = *db_->OpenNamespace(name)).get();
  }

  Status Put(std::string_view key, std::string_view value, const WriteOptions& options) override {
    Disturb(key);
    return space_->Put(key, value, options);
  }
  Status Delete(std::string_view key, const WriteOptions& options) override {
    Disturb(key);
    return space_->Delete(key, options);
  }
  Status DeleteRange(std::string_view begin, std::string_view end,
                     const WriteOptions& options) override {
    return space_->DeleteRange(begin, end, options);
  }
  Status Clear(const WriteOptions& options) override { return space_->Clear(options); }
  Status Write(const WriteBatch& batch, const WriteOptions& options) override {
    WriteBatch mapped;
    WalOpReader ops(batch.rep(), batch.count());
    for (WalOp op; ops.Next(&op);) {
      const std::string key = Keyspace().ToUser(op.key);
      if (op.kind == kDeleteRangeOp) {
        mapped.DeleteRange(*space_, key, Keyspace().ToUser(op.value));
      } else if (op.kind == static_cast<uint8_t>(EntryKind::kDelete)) {
        mapped.Delete(*space_, key);
      } else {
        mapped.Put(*space_, key, op.value);
      }
    }
    return db_->Write(mapped, options);
  }
  Result<std::string> Get(std::string_view key, const ReadOptions& options) override {
    return space_->Get(key, options);
  }
  Status Get(std::string_view key, std::string* value, const ReadOptions& options) override {
    return space_->Get(key, value, options);
  }
  Result<PinnedValue> GetPinned(std::string_view key, const ReadOptions& options) override {
    return space_->GetPinned(key, options);
  }
  std::vector<Result<std::string>> MultiGet(const std::vector<std::string_view>& keys,
                                            const ReadOptions& options) override {
    return space_->MultiGet(keys, options);
  }
  Result<std::optional<std::chrono::milliseconds>> TimeToLive(std::string_view key,
                                                              const ReadOptions& options) override {
    return space_->TimeToLive(key, options);
  }
  std::unique_ptr<Iterator> NewIterator(const IteratorOptions& options) override {
    return space_->NewIterator(options);
  }
  std::unique_ptr<Snapshot> GetSnapshot() override { return db_->GetSnapshot(); }
  Status Transact(const Transaction::Body& body, const TransactionOptions& options) override {
    return db_->Transact(
        [&](Transaction& t) {
          OneNamespaceTransaction mapped(&t, *space_);
          return body(mapped);
        },
        options);
  }
  std::unique_ptr<Transaction> Begin(const TransactionOptions& options) override {
    return db_->Begin(options);
  }
  Result<std::shared_ptr<Namespace>> OpenNamespace(std::string_view name,
                                                   const NamespaceOptions& options) override {
    return db_->OpenNamespace(name, options);
  }
  Status DropNamespace(std::string_view name) override { return db_->DropNamespace(name); }
  Result<std::vector<NamespaceInfo>> ListNamespaces() override { return db_->ListNamespaces(); }
  Status SetExpiryListener(ExpiryListener listener) override {
    return db_->SetExpiryListener(std::move(listener));
  }
  Status Flush() override { return db_->Flush(); }
  Status Compact() override { return db_->Compact(); }
  Status WaitForBackgroundWork() override { return db_->WaitForBackgroundWork(); }
  Status Sync() override { return db_->Sync(); }
  bool HasUnsynced() const override { return db_->HasUnsynced(); }
  Result<VerifyReport> Verify() override { return db_->Verify(); }
  Status StartScrub(const ScrubOptions& options) override { return db_->StartScrub(options); }
  void StopScrub() override { db_->StopScrub(); }
  ScrubState Scrub() override { return db_->Scrub(); }
  Statistics Stats() override { return db_->Stats(); }
  std::optional<std::string> GetProperty(std::string_view name) override {
    return db_->GetProperty(name);
  }

 protected:
  Status ReadModifyWrite(std::string_view key, const Modifier& modify,
                         const WriteOptions& options) override {
    struct Exposed : public Namespace {
      static Status Call(Namespace& space, std::string_view k, const Modifier& m,
                         const WriteOptions& o) {
        return (space.*&Exposed::ReadModifyWrite)(k, m, o);
      }
    };
    return Exposed::Call(*space_, key, modify, options);
  }

 private:
  // Something to the same key, or to all, of a neighbour.
  void Disturb(std::string_view key) {
    const std::string name = std::string("neighbour ") + static_cast<char>('0' + random_.Uniform(3));
    auto neighbour = db_->OpenNamespace(name);
    ASSERT_OK(neighbour);
    switch (random_.Uniform(8)) {
      case 0:
        EXPECT_OK((*neighbour)->Clear());
        break;
      case 1:
        EXPECT_OK(db_->DropNamespace(name));
        break;
      case 2:
        if (!named_) break;
        EXPECT_OK(random_.OneIn(4) ? db_->Clear() : db_->Put(key, "neighbour"));
        break;
      default:
        EXPECT_OK((*neighbour)->Put(key, "neighbour"));
    }
  }

  const std::unique_ptr<Db> db_;
  Random random_;
  std::shared_ptr<Namespace> named_;
  Namespace* space_;
};

std::string RunOne(uint64_t seed) {
  CrashEnv env(seed);
  const StoreConfig config = RandomStoreConfig(seed);
  const std::string name = seed % 3 == 0 ? "" : seed % 3 == 1 ? "space" : "neighbour 1x";
  const StoreOpener opener = [&](const std::string& path,
                                 Env* its_env) -> Result<std::unique_ptr<Db>> {
    auto db = OpenerFor(config)(path, its_env);
    if (!db.ok()) return db.status();
    return std::unique_ptr<Db>(std::make_unique<OneNamespace>(*std::move(db), name, seed));
  };
  const std::string difference = ModelRun(seed, opener, "/store", &env).Run(1500);
  return difference.empty() ? "" : difference + "\noptions: " + config.ToString();
}

TEST(NamespaceModelTest, OneNamespaceIsAStoreAmongItsNeighbours) {
  if (const char* seed = std::getenv("VARVE_TEST_SEED")) {
    EXPECT_EQ(RunOne(std::strtoull(seed, nullptr, 10)), "");
    return;
  }
  for (uint64_t seed = 1; seed <= Scaled(12) && !::testing::Test::HasFailure(); ++seed) {
    EXPECT_EQ(RunOne(seed), "") << "VARVE_TEST_SEED=" << seed;
  }
}

// --- Several namespaces that come and go.

// What a whole store holds: the namespaces by name, "" being the default one.
using Spaces = std::map<std::string, Contents>;

Result<Spaces> ReadSpaces(Db* db) {
  Spaces spaces;
  const auto read = [&](Namespace& space, Contents* contents) {
    auto it = space.NewIterator();
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      (*contents)[std::string(it->key())] = it->value();
    }
    return it->status();
  };
  if (Status status = read(*db, &spaces[""]); !status.ok()) return status;
  auto infos = db->ListNamespaces();
  if (!infos.ok()) return infos.status();
  for (const NamespaceInfo& info : *infos) {
    auto space = db->OpenNamespace(info.name, {.create_if_missing = false});
    if (!space.ok()) return space.status();
    if (Status status = read(**space, &spaces[info.name]); !status.ok()) return status;
  }
  return spaces;
}

std::string Show(const Spaces& spaces) {
  std::string text;
  for (const auto& [name, contents] : spaces) {
    text += "[" + name + ": " + std::to_string(contents.size()) + " keys]";
  }
  return text;
}

// One random change to both sides. Names and keys are few, so that they meet.
class SpacesRun {
 public:
  explicit SpacesRun(uint64_t seed) : random_(seed) {}

  Status Step(Db* db) {
    const std::string name = std::string(1, static_cast<char>('a' + random_.Uniform(4)));
    const auto found = spaces_.find(name);
    const uint64_t choice = random_.Uniform(20);
    if (choice == 0 && found != spaces_.end()) {
      spaces_.erase(found);
      return db->DropNamespace(name);
    }
    if (choice == 1) {
      spaces_[""].clear();
      return db->Clear();
    }
    // Opening makes it, if it is missing: a step of its own.
    const bool is_new = found == spaces_.end();
    Contents& contents = spaces_[name];
    auto space = db->OpenNamespace(name);
    if (!space.ok() || is_new) return space.status();
    if (choice == 2) {
      contents.clear();
      return (*space)->Clear();
    }
    if (choice < 5) return Count(**space, &contents);
    if (choice < 8) return Batch(db, **space, &contents);
    const std::string key = Key();
    if (choice < 10) {
      contents.erase(key);
      return (*space)->Delete(key);
    }
    return (*space)->Put(key, contents[key] = Value());
  }

  const Spaces& spaces() const { return spaces_; }

 private:
  Status Count(Namespace& space, Contents* contents) {
    int64_t& count = counts_[space.id()];
    // A clear takes the counter with it.
    if (contents->count("counter") == 0) count = 0;
    const auto sum = space.Increment("counter", 3);
    if (!sum.ok()) return sum.status();
    (*contents)["counter"] = std::to_string(count += 3);
    return *sum == count ? Status::Ok() : Status::Corruption("the counter is " + std::to_string(*sum));
  }
  // Over this namespace and the default one.
  Status Batch(Db* db, Namespace& space, Contents* contents) {
    WriteBatch batch;
    if (random_.OneIn(4)) {
      batch.DeleteAll(space);
      contents->clear();
    }
    for (uint64_t n = 1 + random_.Uniform(5); n > 0; --n) {
      const std::string key = Key();
      batch.Put(space, key, (*contents)[key] = Value());
      batch.Put(key, spaces_[""][key] = Value());
    }
    return db->Write(batch);
  }
  std::string Key() {
    const std::string keys[] = {"", "\xff", "\xff\xff", "k", "kk", "l"};
    return keys[random_.Uniform(std::size(keys))];
  }
  std::string Value() {
    const size_t size = random_.OneIn(10) ? 5000 : random_.Uniform(40);
    return std::string(size, static_cast<char>('a' + random_.Uniform(26)));
  }

  Random random_;
  Spaces spaces_{{"", {}}};
  std::map<uint32_t, int64_t> counts_;
};

TEST(NamespaceModelTest, NamespacesComeAndGoLikeMaps) {
  for (uint64_t seed = 1; seed <= Scaled(20); ++seed) {
    CrashEnv env(seed);
    const StoreOpener opener = OpenerFor(RandomStoreConfig(seed));
    SpacesRun run(seed);
    auto db = opener("/store", &env);
    ASSERT_OK(db);
    Random random(seed);
    for (int step = 0; step < 600; ++step) {
      ASSERT_OK(run.Step(db->get())) << "seed " << seed << " step " << step;
      ASSERT_OK(random.OneIn(40) ? (*db)->Flush() : Status::Ok());
      ASSERT_OK(random.OneIn(150) ? (*db)->Compact() : Status::Ok());
      if (random.OneIn(100)) {
        db->reset();
        db = opener("/store", &env);
        ASSERT_OK(db);
      }
      if (!random.OneIn(20)) continue;
      const auto seen = ReadSpaces(db->get());
      ASSERT_OK(seen);
      ASSERT_EQ(*seen, run.spaces()) << "seed " << seed << " step " << step << ": " << Show(*seen);
    }
  }
}

// --- Crashes at every I/O call: what is found is a state after one of the steps, whole.

class SpacesCrash {
 public:
  SpacesCrash(uint64_t seed, Durability durability) : seed_(seed), run_(seed), env_(seed) {
    config_ = SmallStoreConfig();
    config_.options.durability = durability;
  }

  void Run(int step_count) {
    env_.SetCallHook([this](const CallInfo& call) { Clone(call.index); });
    auto db = OpenerFor(config_)("/store", &env_);
    ASSERT_OK(db);
    states_.push_back(run_.spaces());
    for (int step = 0; step < step_count && !::testing::Test::HasFatalFailure(); ++step) {
      started_ = static_cast<size_t>(step) + 1;
      ASSERT_OK(run_.Step(db->get()));
      states_.push_back(run_.spaces());
      acked_ = started_.load();
      // Stores into a mapped log are no calls.
      Clone(1'000'000 + static_cast<uint64_t>(step));
      ASSERT_OK(step % 25 == 24 ? (*db)->Flush() : Status::Ok());
      Check();
    }
    env_.SetCallHook(nullptr);
    Check();
    EXPECT_GT(checked_, static_cast<uint64_t>(step_count));
  }

 private:
  struct Pending {
    std::unique_ptr<CrashEnv> env;
    size_t first;
    size_t last;
    std::string where;
  };

  void Clone(uint64_t index) {
    const bool is_synced = config_.options.durability == Durability::kSync;
    const auto add = [&](const char* what, size_t first, std::unique_ptr<CrashEnv> clone) {
      std::lock_guard<std::mutex> lock(mu_);
      pending_.push_back({std::move(clone), first, started_,
                          std::string(what) + " at call " + std::to_string(index)});
    };
    // What is known to be durable is read before the clone is taken, what may be there after.
    size_t first = acked_;
    add("end of the process", first, env_.CloneAfterProcessCrash());
    first = is_synced ? acked_.load() : 0;
    add("power cut", first, env_.CloneAfterPowerCut(PowerCut::Random(seed_ * 7919 + index)));
  }

  void Check() {
    std::vector<Pending> pending;
    {
      std::lock_guard<std::mutex> lock(mu_);
      pending.swap(pending_);
    }
    for (Pending& p : pending) {
      if (++checked_ % 3 != 0 && checked_ > 300) continue;  // later ones are samples
      SCOPED_TRACE("VARVE_TEST_SEED " + std::to_string(seed_) + ", " + p.where);
      auto db = OpenerFor(config_)("/store", p.env.get());
      ASSERT_OK(db);
      const auto seen = ReadSpaces(db->get());
      ASSERT_OK(seen);
      const size_t last = std::min(p.last, states_.size() - 1);
      bool is_known = false;
      for (size_t i = p.first; i <= last && !is_known; ++i) is_known = states_[i] == *seen;
      ASSERT_TRUE(is_known) << "steps " << p.first << " to " << last << ": " << Show(*seen);
      // No number is given twice, and so a new namespace is empty.
      const auto infos = (*db)->ListNamespaces();
      ASSERT_OK(infos);
      auto fresh = (*db)->OpenNamespace("fresh");
      ASSERT_OK(fresh);
      for (const NamespaceInfo& info : *infos) ASSERT_GT((*fresh)->id(), info.id);
      auto it = (*fresh)->NewIterator();
      it->SeekToFirst();
      ASSERT_FALSE(it->Valid());
      ASSERT_OK((*db)->DropNamespace("fresh"));
    }
  }

  const uint64_t seed_;
  SpacesRun run_;
  CrashEnv env_;
  StoreConfig config_;
  std::vector<Spaces> states_;  // after so many steps
  std::atomic<size_t> started_{0}, acked_{0};
  uint64_t checked_ = 0;
  std::mutex mu_;
  std::vector<Pending> pending_;
};

TEST(NamespaceCrashTest, EveryChangeIsWholeAfterACrashAnywhere) {
  for (uint64_t seed = 1; seed <= Scaled(3) && !::testing::Test::HasFatalFailure(); ++seed) {
    for (Durability durability : {Durability::kProcess, Durability::kSync}) {
      SpacesCrash(seed, durability).Run(60);
    }
  }
}

}  // namespace namespace_test
}  // namespace varve::test
