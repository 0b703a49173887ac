// Backups under full load, by threads that write, transact, delete, flush and merge: each is one moment of
// the history.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/support/backup_streams.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace backup_load_test {

constexpr int kAccounts = 20;
constexpr int64_t kEach = 1000;
constexpr size_t kWriters = 3;

std::string AccountKey(int i) { return "account" + std::to_string(i); }

// What writer `w` has in the store after its n-th step, and nothing of the next one: the model. Each step is
// one batch over two namespaces.
std::string StepKey(size_t w, uint64_t i) { return "w" + std::to_string(w) + "/" + std::to_string(i % 40); }
std::string StepValue(size_t w, uint64_t i) {
  // Some of them lie in the value log.
  return std::to_string(w) + ":" + std::to_string(i) + std::string(i % 9 == 0 ? 5000 : 20, 'v');
}
std::string DoneKey(size_t w) { return "done" + std::to_string(w); }

class Load {
 public:
  explicit Load(Db* db) : db_(db) {
    auto side = db->OpenNamespace("side");
    EXPECT_OK(side);
    side_ = *side;
    for (int i = 0; i < kAccounts; ++i) EXPECT_OK(db->Put(AccountKey(i), std::to_string(kEach)));
    for (size_t w = 0; w < kWriters; ++w) threads_.emplace_back([this, w] { Write(w); });
    threads_.emplace_back([this] { Transfer(); });
    threads_.emplace_back([this] { Disturb(); });
  }
  ~Load() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  uint64_t begun(size_t w) const { return begun_[w]; }
  uint64_t done(size_t w) const { return done_[w]; }

 private:
  void Write(size_t w) {
    for (uint64_t i = 1; !stop_; ++i) {
      begun_[w] = i;
      WriteBatch batch;
      batch.Put(StepKey(w, i), StepValue(w, i));
      batch.Put(*side_, DoneKey(w), std::to_string(i));
      if (i % 7 == 0) batch.DeleteRange(StepKey(w, i + 1), StepKey(w, i + 1) + "\x01");
      const bool sync = i % 50 == 0;
      ASSERT_OK(db_->Write(batch, {.durability = sync ? Durability::kSync : Durability::kProcess}));
      done_[w] = i;
    }
  }
  void Transfer() {
    Random random(7);
    while (!stop_) {
      const int from = static_cast<int>(random.Uniform(kAccounts));
      const int to = static_cast<int>(random.Uniform(kAccounts));
      ASSERT_OK(db_->Transact([&](Transaction& t) -> Status {
        if (from == to) return Status::Ok();
        const auto a = t.Get(AccountKey(from));
        const auto b = t.Get(AccountKey(to));
        if (!a.ok()) return a.status();
        if (!b.ok()) return b.status();
        const Status put = t.Put(AccountKey(from), std::to_string(std::stoll(*a) - 1));
        return put.ok() ? t.Put(AccountKey(to), std::to_string(std::stoll(*b) + 1)) : put;
      }));
    }
  }
  void Disturb() {
    for (int i = 0; !stop_; ++i) {
      const std::string name = "comes and goes " + std::to_string(i);
      const auto space = db_->OpenNamespace(name);
      ASSERT_OK(space);
      ASSERT_OK((*space)->Put("k", "v"));
      ASSERT_OK(db_->Flush());
      ASSERT_OK(db_->DropNamespace(name));
      if (i % 8 == 0) {
        ASSERT_OK(db_->Compact());
      }
    }
  }

  Db* const db_;
  std::shared_ptr<Namespace> side_;
  std::atomic<bool> stop_{false};
  std::array<std::atomic<uint64_t>, kWriters> begun_ = {}, done_ = {};
  std::vector<std::thread> threads_;
};

// The whole of what writer `w` must have after `last` steps.
void CheckWriter(Db* db, size_t w, uint64_t last) {
  Contents model;
  for (uint64_t i = last < 100 ? 1 : last - 99; i <= last; ++i) {
    model[StepKey(w, i)] = StepValue(w, i);
    if (i % 7 == 0) model.erase(StepKey(w, i + 1));
  }
  Contents found;
  const auto it = db->NewIterator({.prefix = "w" + std::to_string(w) + "/"});
  for (it->SeekToFirst(); it->Valid(); it->Next()) found[std::string(it->key())] = it->value();
  ASSERT_OK(it->status());
  ASSERT_EQ(Differing(model, found), "") << "writer " << w << ", step " << last;
}

void CheckMoment(Db* db, const std::array<uint64_t, kWriters>& at_least,
                 const std::array<uint64_t, kWriters>& at_most) {
  int64_t sum = 0;
  for (int i = 0; i < kAccounts; ++i) {
    const auto balance = db->Get(AccountKey(i));
    ASSERT_OK(balance);
    sum += std::stoll(*balance);
  }
  EXPECT_EQ(sum, kAccounts * kEach);
  const auto side = db->OpenNamespace("side", {.create_if_missing = false});
  ASSERT_OK(side);
  for (size_t w = 0; w < kWriters; ++w) {
    const auto done = (*side)->Get(DoneKey(w));
    const uint64_t last = done.ok() ? std::stoull(*done) : 0;
    EXPECT_GE(last, at_least[w]);
    EXPECT_LE(last, at_most[w]);
    CheckWriter(db, w, last);
  }
}

class BackupLoadTest : public testing::TestWithParam<bool> {};

TEST_P(BackupLoadTest, EachBackupIsOneMoment) {
  TempDir dir;
  StoreConfig config = SmallStoreConfig();
  config.tuning.mapped_log = GetParam();
  auto db = OpenerFor(config)(dir.Sub("store"), nullptr);
  ASSERT_OK(db);
  std::vector<TakenBackup> chain;
  std::vector<std::array<uint64_t, kWriters>> at_least, at_most;
  const size_t count = Scaled(5);
  const size_t middle = count / 2;  // when the checkpoint is made
  {
    Load load(db->get());
    for (size_t i = 0; i < count; ++i) {
      while (load.done(0) < 40 * (i + 1)) std::this_thread::yield();
      auto& first = at_least.emplace_back();
      for (size_t w = 0; w < kWriters; ++w) first[w] = load.done(w);
      Result<TakenBackup> taken = TakeBackup(db->get(), i % 4 == 0 ? nullptr : &chain.back().summary);
      ASSERT_OK(taken);
      chain.push_back(*std::move(taken));
      if (i == middle) {
        ASSERT_OK((*db)->Checkpoint(dir.Sub("checkpoint")));
      }
      auto& last = at_most.emplace_back();
      for (size_t w = 0; w < kWriters; ++w) last[w] = load.begun(w);
    }
  }
  std::vector<std::string_view> bytes;
  for (size_t i = 0; i < chain.size(); ++i) {
    SCOPED_TRACE(i);
    if (i % 4 == 0) bytes.clear();
    bytes.push_back(chain[i].bytes);
    const std::string copy = dir.Sub("copy" + std::to_string(i));
    ASSERT_OK(RestoreFrom(bytes, copy, nullptr));
    auto restored = OpenerFor(config)(copy, nullptr);
    ASSERT_OK(restored);
    EXPECT_EQ((*restored)->Stats().last_sequence, chain[i].summary.sequence);
    CheckMoment(restored->get(), at_least[i], at_most[i]);
    EXPECT_EQ((*restored)->Verify()->problems, std::vector<std::string>());
  }
  auto checkpoint = OpenerFor(config)(dir.Sub("checkpoint"), nullptr);
  ASSERT_OK(checkpoint);
  CheckMoment(checkpoint->get(), at_least[middle], at_most[middle]);
}

INSTANTIATE_TEST_SUITE_P(Logs, BackupLoadTest, testing::Bool(),
                         [](const auto& log) { return log.param ? "Mapped" : "Written"; });

TEST(BackupDescriptorTest, ThroughASocketIntoAnotherStore) {
  TempDir dir;
  auto db = OpenerFor(SmallStoreConfig())(dir.Sub("store"), nullptr);
  ASSERT_OK(db);
  for (int i = 0; i < 100; ++i) ASSERT_OK((*db)->Put("key" + std::to_string(i), std::string(9000, 'x')));
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  Status restored;
  std::thread reader([&] {
    const auto source = NewDescriptorBackupSource(ends[1]);
    restored = Db::Restore({source.get()}, dir.Sub("copy")).status();
  });
  const auto sink = NewDescriptorBackupSink(ends[0]);
  EXPECT_OK((*db)->Backup(*sink));
  ::close(ends[0]);
  reader.join();
  ::close(ends[1]);
  ASSERT_OK(restored);
  auto copy = OpenerFor(SmallStoreConfig())(dir.Sub("copy"), nullptr);
  ASSERT_OK(copy);
  EXPECT_TRUE(*ReadAllNamespaces(copy->get()) == *ReadAllNamespaces(db->get()));
  // An end that is gone is an error, and no signal.
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  ::close(ends[1]);
  const auto broken = NewDescriptorBackupSink(ends[0]);
  EXPECT_STATUS(kIoError, (*db)->Backup(*broken));
  ::close(ends[0]);
}

}  // namespace backup_load_test
}  // namespace varve::test
