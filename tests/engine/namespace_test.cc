// Namespaces: that they are kept apart, in every layer and over reopening, and end when they are dropped.
#include "varve/namespace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace namespace_test {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class NamespaceTest : public ::testing::Test {
 protected:
  NamespaceTest() {
    tuning_.memtable_bytes = 64 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.tier_runs = 3;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.value_log_file_bytes = 64 << 10;
    tuning_.cache_bytes = 256 << 10;
    options_.env = &env_;
    Open();
  }
  void Open() {
    db_.reset();
    auto db = OpenTuned("/db", options_, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  std::shared_ptr<Namespace> Space(std::string_view name, const NamespaceOptions& options = {}) {
    auto space = db_->OpenNamespace(name, options);
    EXPECT_OK(space);
    return space.ok() ? *space : nullptr;
  }
  // "k=v" of everything, forwards; backwards must be the same.
  static std::vector<std::string> All(Namespace& space, const IteratorOptions& options = {}) {
    std::vector<std::string> forwards, backwards;
    auto it = space.NewIterator(options);
    const auto record = [&] { return std::string(it->key()) + "=" + std::string(it->value()); };
    for (it->SeekToFirst(); it->Valid(); it->Next()) forwards.push_back(record());
    for (it->SeekToLast(); it->Valid(); it->Prev()) backwards.insert(backwards.begin(), record());
    EXPECT_OK(it->status());
    EXPECT_EQ(forwards, backwards);
    return forwards;
  }
  static std::string Get(Namespace& space, std::string_view key, const Snapshot* snapshot = nullptr) {
    const auto value = space.Get(key, {.snapshot = snapshot});
    return value.ok() ? *value : std::string(StatusCodeName(value.status().code()));
  }

  CrashEnv env_{1};
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
};

TEST_F(NamespaceTest, TheSameKeyLivesApartInEach) {
  auto a = Space("a"), b = Space("b");
  for (const std::string& key : {std::string(), std::string("k"), std::string("\xff"),
                                std::string("\xff\x01\0\0\0\1k", 7), std::string("\xff\xff")}) {
    ASSERT_OK(db_->Put(key, "default"));
    ASSERT_OK(a->Put(key, "in a"));
    ASSERT_OK(b->Put(key, "in b"));
    ASSERT_OK(b->Delete(key));
  }
  for (int round = 0; round < 3; ++round) {
    for (const std::string& key : {std::string(), std::string("k"), std::string("\xff"),
                                  std::string("\xff\x01\0\0\0\1k", 7), std::string("\xff\xff")}) {
      EXPECT_EQ(Get(*db_, key), "default");
      EXPECT_EQ(Get(*a, key), "in a");
      EXPECT_EQ(Get(*b, key), "not found");
      EXPECT_EQ(db_->GetPinned(key)->view(), "default");
      EXPECT_EQ(a->GetPinned(key)->view(), "in a");
      EXPECT_EQ(a->MultiGet({key, "absent"})[0].value(), "in a");
      EXPECT_EQ(db_->MultiGet({key, "absent"})[0].value(), "default");
      EXPECT_EQ(a->At(key), "in a");
    }
    EXPECT_EQ(All(*db_).size(), 5u);
    EXPECT_EQ(All(*a).size(), 5u);
    EXPECT_THAT(All(*b), IsEmpty());
    if (round == 0) {
      ASSERT_OK(db_->Flush());
    }
    if (round == 1) {
      Open();
      a = Space("a"), b = Space("b");
    }
  }
  EXPECT_THROW(b->At("k"), KeyNotFound);
}

TEST_F(NamespaceTest, IteratorsStayWithinTheirNamespaceAndShowItsKeys) {
  auto a = Space("a"), b = Space("b"), c = Space("c");
  const std::string edge = "\xff";
  for (Namespace* space : {static_cast<Namespace*>(db_.get()), a.get(), b.get(), c.get()}) {
    for (const std::string& key : {std::string(), std::string("p1"), std::string("p2"), edge,
                                   edge + "p", edge + edge}) {
      ASSERT_OK(space->Put(key, std::string(space->name())));
    }
  }
  for (Namespace* space : {static_cast<Namespace*>(db_.get()), b.get()}) {
    const std::string v = "=" + std::string(space->name());
    EXPECT_THAT(All(*space), ElementsAre(v, "p1" + v, "p2" + v, edge + v, edge + "p" + v,
                                         edge + edge + v));
    IteratorOptions options;
    options.prefix = "p";
    EXPECT_THAT(All(*space, options), ElementsAre("p1" + v, "p2" + v));
    options.prefix = edge;
    EXPECT_THAT(All(*space, options), ElementsAre(edge + v, edge + "p" + v, edge + edge + v));
    options = {};
    options.lower_bound = "p2";
    const std::string edges = edge + edge;
    options.upper_bound = edges;
    EXPECT_THAT(All(*space, options), ElementsAre("p2" + v, edge + v, edge + "p" + v));
    options.lower_bound = edge;
    options.upper_bound = "p";
    EXPECT_THAT(All(*space, options), IsEmpty());

    auto it = space->NewIterator();
    it->Seek("p11");
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), "p2");
    it->Seek(edge + edge + edge);
    EXPECT_FALSE(it->Valid());
    it->SeekForPrev(edge + edge + edge);
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), edge + edge);
    it->Prev();
    EXPECT_EQ(it->key(), edge + "p");
    it->Next();
    EXPECT_EQ(it->key(), edge + edge);
    it->SeekForPrev("");
    ASSERT_TRUE(it->Valid());
    EXPECT_EQ(it->key(), "");
    it->Prev();
    EXPECT_FALSE(it->Valid());
  }
}

TEST_F(NamespaceTest, NamesAreAnyBytesWithinTheirLimit) {
  const std::string longest(255, 'n');
  const std::string odd("\xff\0/", 3);
  ASSERT_OK(Space(longest)->Put("k", "longest"));
  ASSERT_OK(Space(odd)->Put("k", "odd"));
  EXPECT_STATUS(kInvalidArgument, db_->OpenNamespace(""));
  EXPECT_STATUS(kInvalidArgument, db_->OpenNamespace(longest + "n"));
  EXPECT_STATUS(kInvalidArgument, db_->DropNamespace(""));
  Open();
  EXPECT_EQ(Get(*Space(longest), "k"), "longest");
  EXPECT_EQ(Get(*Space(odd), "k"), "odd");
  EXPECT_EQ(Space(odd)->name(), odd);
}

TEST_F(NamespaceTest, TheLongestKeyIsAsLongAsInTheDefaultNamespace) {
  auto a = Space("a");
  for (const std::string& key : {std::string(65535, 'k'), std::string(65535, '\xff')}) {
    for (const std::string& value : {std::string("v"), std::string(20'000, 'v')}) {
      for (Namespace* space : {static_cast<Namespace*>(db_.get()), a.get()}) {
        ASSERT_OK(space->Put(key, value));
        EXPECT_EQ(Get(*space, key), value);
        ASSERT_OK(db_->Flush());
        EXPECT_EQ(Get(*space, key), value);
        EXPECT_THAT(All(*space), ::testing::Contains(key + "=" + value));
        EXPECT_STATUS(kInvalidArgument, space->DeleteRange(key, key + "k"));
      }
    }
  }
}

TEST_F(NamespaceTest, LimitsCountTheUsersBytes) {
  options_.max_key_bytes = 3;
  options_.max_value_bytes = 4;
  Open();
  auto a = Space("a name that is longer");
  for (Namespace* space : {static_cast<Namespace*>(db_.get()), a.get()}) {
    EXPECT_OK(space->Put("\xff" "kk", "1234"));
    EXPECT_OK(space->Put("kkk", "1234"));
    EXPECT_STATUS(kInvalidArgument, space->Put("kkkk", ""));
    EXPECT_STATUS(kInvalidArgument, space->Put("\xff" "kkk", ""));
    EXPECT_STATUS(kInvalidArgument, space->Put("", "12345"));
    EXPECT_STATUS(kInvalidArgument, space->DeleteRange("", "kkkk"));
    EXPECT_STATUS(kInvalidArgument, space->Append("kkk", "5"));
    EXPECT_EQ(Get(*space, "kkk"), "1234");
    WriteBatch batch;
    batch.Put(*space, "kkk", "new");
    batch.Put(*space, "kkkk", "");
    EXPECT_STATUS(kInvalidArgument, db_->Write(batch));
    EXPECT_EQ(Get(*space, "kkk"), "1234");
    EXPECT_OK(space->Clear());
  }
  EXPECT_OK(db_->DropNamespace("a name that is longer"));
}

TEST_F(NamespaceTest, BatchesAndSnapshotsSpanNamespaces) {
  auto a = Space("a"), b = Space("b");
  ASSERT_OK(a->Put("old", "1"));
  ASSERT_OK(b->Put("old", "1"));
  const auto before = db_->GetSnapshot();
  WriteBatch batch;
  batch.Put("k", "default");
  batch.Put(*a, "k", "in a");
  batch.Put(*b, "k", "in b");
  batch.Put(*db_, "\xff", "default too");
  batch.Delete(*a, "old");
  batch.DeleteAll(*b);
  batch.Put(*b, "after", "1");
  ASSERT_OK(db_->Write(batch));
  EXPECT_THAT(All(*db_), ElementsAre("k=default", "\xff=default too"));
  EXPECT_THAT(All(*a), ElementsAre("k=in a"));
  EXPECT_THAT(All(*b), ElementsAre("after=1"));
  IteratorOptions at;
  at.snapshot = before.get();
  EXPECT_THAT(All(*db_, at), IsEmpty());
  EXPECT_THAT(All(*a, at), ElementsAre("old=1"));
  EXPECT_THAT(All(*b, at), ElementsAre("old=1"));
}

TEST_F(NamespaceTest, BatchesAreRefusedWholeForADroppedNamespaceAndForAnotherStore) {
  auto a = Space("a"), b = Space("b");
  WriteBatch batch;
  batch.Put("k", "1");
  batch.Put(*a, "k", "1");
  batch.Put(*b, "k", "1");
  ASSERT_OK(db_->DropNamespace("b"));
  const Status status = db_->Write(batch);
  EXPECT_STATUS(kNotFound, status);
  EXPECT_THAT(status.ToString(), HasSubstr("dropped"));
  EXPECT_THAT(All(*db_), IsEmpty());
  EXPECT_THAT(All(*a), IsEmpty());

  auto other = OpenTuned("/other", options_, tuning_);
  ASSERT_OK(other);
  auto foreign = (*other)->OpenNamespace("a");
  ASSERT_OK(foreign);
  WriteBatch mixed;
  mixed.Put(**foreign, "k", "1");
  EXPECT_STATUS(kInvalidArgument, db_->Write(mixed));
  mixed.Put(*a, "k", "1");
  EXPECT_STATUS(kInvalidArgument, db_->Write(mixed));
  EXPECT_STATUS(kInvalidArgument, (*other)->Write(mixed));
  mixed.Clear();
  mixed.Put(*a, "k", "1");
  EXPECT_OK(db_->Write(mixed));
}

TEST_F(NamespaceTest, ClearEmptiesOneNamespaceOnly) {
  auto a = Space("a"), b = Space("b");
  for (Namespace* space : {static_cast<Namespace*>(db_.get()), a.get(), b.get()}) {
    ASSERT_OK(space->Put("", "1"));
    ASSERT_OK(space->Put("\xff\xff\xff", "1"));
  }
  ASSERT_OK(a->Clear());
  EXPECT_THAT(All(*a), IsEmpty());
  EXPECT_EQ(All(*b).size(), 2u);
  EXPECT_EQ(All(*db_).size(), 2u);
  ASSERT_OK(db_->Clear());
  EXPECT_THAT(All(*db_), IsEmpty());
  EXPECT_EQ(All(*b).size(), 2u);
  Open();
  EXPECT_THAT(All(*Space("a")), IsEmpty());
  EXPECT_EQ(All(*Space("b")).size(), 2u);
  ASSERT_OK(Space("a")->Put("k", "again"));
  EXPECT_EQ(Get(*Space("a"), "k"), "again");
}

TEST_F(NamespaceTest, DroppedMeansGoneForEveryCallButNotForOlderSnapshots) {
  auto a = Space("a");
  ASSERT_OK(a->Put("k", "1"));
  const auto before = db_->GetSnapshot();
  auto open_iterator = a->NewIterator();
  ASSERT_OK(db_->DropNamespace("a"));
  const auto after = db_->GetSnapshot();

  const auto expect_dropped = [&](const Status& status) {
    EXPECT_STATUS(kNotFound, status);
    EXPECT_THAT(status.ToString(), HasSubstr("namespace 'a' was dropped"));
  };
  expect_dropped(a->Put("k", "2"));
  expect_dropped(a->Delete("k"));
  expect_dropped(a->DeleteRange("a", "b"));
  expect_dropped(a->Clear());
  expect_dropped(a->CompareAndSet("k", std::nullopt, "2"));
  expect_dropped(a->PutIfAbsent("k", "2"));
  expect_dropped(a->Increment("k").status());
  expect_dropped(a->Append("k", "2").status());
  expect_dropped(a->GetAndSet("k", "2").status());
  expect_dropped(a->Get("k").status());
  expect_dropped(a->Get("k", {.snapshot = after.get()}).status());
  expect_dropped(a->GetPinned("k").status());
  expect_dropped(a->MultiGet({"k"})[0].status());
  auto failed = a->NewIterator();
  failed->SeekToFirst();
  EXPECT_FALSE(failed->Valid());
  expect_dropped(failed->status());

  EXPECT_EQ(Get(*a, "k", before.get()), "1");
  IteratorOptions at;
  at.snapshot = before.get();
  EXPECT_THAT(All(*a, at), ElementsAre("k=1"));
  open_iterator->SeekToFirst();
  ASSERT_TRUE(open_iterator->Valid());
  EXPECT_EQ(open_iterator->value(), "1");
  ASSERT_OK(db_->Compact());
  EXPECT_EQ(Get(*a, "k", before.get()), "1");
  EXPECT_STATUS(kNotFound, db_->DropNamespace("a"));
}

TEST_F(NamespaceTest, ANewNamespaceOfAnOldNameIsAnother) {
  auto first = Space("a");
  ASSERT_OK(first->Put("k", "1"));
  ASSERT_OK(db_->DropNamespace("a"));
  auto second = Space("a");
  EXPECT_NE(first->id(), second->id());
  EXPECT_THAT(All(*second), IsEmpty());
  ASSERT_OK(second->Put("k", "2"));
  EXPECT_STATUS(kNotFound, first->Put("k", "3"));
  EXPECT_STATUS(kNotFound, first->Get("k"));
  EXPECT_EQ(Get(*second, "k"), "2");
  const uint32_t last = second->id();
  ASSERT_OK(db_->DropNamespace("a"));
  Open();
  // Not even when nothing is left that shows that the number was used.
  ASSERT_OK(db_->Compact());
  Open();
  EXPECT_GT(Space("a")->id(), last);
}

TEST_F(NamespaceTest, OpeningSharesAndFindsWhatIsThere) {
  NamespaceOptions must_exist;
  must_exist.create_if_missing = false;
  EXPECT_STATUS(kNotFound, db_->OpenNamespace("a", must_exist));
  auto one = Space("a"), two = Space("a", must_exist);
  ASSERT_OK(one->Put("k", "1"));
  EXPECT_EQ(Get(*two, "k"), "1");
  one.reset();
  EXPECT_EQ(Get(*two, "k"), "1");

  options_.read_only = true;
  Open();
  EXPECT_EQ(Get(*Space("a"), "k"), "1");
  EXPECT_STATUS(kNotFound, db_->OpenNamespace("b"));
  EXPECT_STATUS(kInvalidArgument, db_->DropNamespace("a"));
  EXPECT_STATUS(kInvalidArgument, Space("a")->Put("k", "2"));
  EXPECT_STATUS(kInvalidArgument, Space("a")->Increment("n"));
  options_.read_only = false;
  Open();
}

TEST_F(NamespaceTest, AHandleMayOutliveTheStore) {
  auto a = Space("a");
  db_.reset();
  a.reset();
  Open();
}

TEST_F(NamespaceTest, OptionsAreKeptAndOnlyChangedWhenSaid) {
  Space("plain");
  Space("a", {.durability = Durability::kSync, .compression = Compression::kZstd});
  Space("a");
  Open();
  Space("a", {.compression = Compression::kLz4});
  const auto check = [&] {
    const auto infos = db_->ListNamespaces();
    ASSERT_OK(infos);
    ASSERT_EQ(infos->size(), 2u);
    EXPECT_EQ((*infos)[0].name, "a");
    EXPECT_EQ((*infos)[0].durability, Durability::kSync);
    EXPECT_EQ((*infos)[0].compression, Compression::kLz4);
    EXPECT_EQ((*infos)[1].name, "plain");
    EXPECT_EQ((*infos)[1].durability, std::nullopt);
    EXPECT_EQ((*infos)[1].compression, std::nullopt);
  };
  check();
  Open();
  check();
}

TEST_F(NamespaceTest, DurabilityIsTheNamespacesUnlessTheWriteSays) {
  auto synced = Space("synced", {.durability = Durability::kSync});
  auto fast = Space("fast", {.durability = Durability::kNone});
  const auto syncs = [&](auto write) {
    const uint64_t before = db_->Stats().sync_count;
    EXPECT_OK(write());
    return db_->Stats().sync_count - before;
  };
  EXPECT_EQ(syncs([&] { return synced->Put("k", "1"); }), 1u);
  EXPECT_EQ(syncs([&] { return synced->Increment("n").status(); }), 1u);
  EXPECT_EQ(syncs([&] { return synced->Put("k", "1", {.durability = Durability::kNone}); }), 0u);
  EXPECT_EQ(syncs([&] { return fast->Put("k", "1"); }), 0u);
  EXPECT_EQ(syncs([&] { return fast->Put("k", "1", {.durability = Durability::kSync}); }), 1u);
  EXPECT_EQ(syncs([&] { return db_->Put("k", "1"); }), 0u);
  WriteBatch batch;
  batch.Put(*fast, "k", "2");
  EXPECT_EQ(syncs([&] { return db_->Write(batch); }), 0u);
  batch.Put(*synced, "k", "2");
  EXPECT_EQ(syncs([&] { return db_->Write(batch); }), 1u);
  EXPECT_EQ(syncs([&] { return db_->Write(batch, {.durability = Durability::kNone}); }), 0u);
}

TEST_F(NamespaceTest, CompressionIsTheNamespaces) {
  const auto bytes_with = [&](Compression in_default, Compression in_a) {
    options_.compression = in_default;
    Open();
    EXPECT_OK(db_->Clear());
    auto a = Space("a", {.compression = in_a});
    for (int i = 0; i < 400; ++i) {
      EXPECT_OK(db_->Put("k" + std::to_string(i), std::string(200, 'v')));
      EXPECT_OK(a->Put("k" + std::to_string(i), std::string(200, 'v')));
    }
    EXPECT_OK(db_->Compact());
    EXPECT_EQ(All(*a).size(), 400u);
    EXPECT_EQ(All(*db_).size(), 400u);
    for (int i = 0; i < 400; i += 7) {
      EXPECT_EQ(Get(*a, "k" + std::to_string(i)), std::string(200, 'v'));
    }
    EXPECT_THAT(db_->Verify()->problems, IsEmpty());
    return db_->Stats().segment_bytes;
  };
  const uint64_t plain = bytes_with(Compression::kNone, Compression::kNone);
  const uint64_t half = bytes_with(Compression::kNone, Compression::kLz4);
  const uint64_t other_half = bytes_with(Compression::kZstd, Compression::kNone);
  const uint64_t none = bytes_with(Compression::kLz4, Compression::kAuto);
  EXPECT_LT(half, plain * 2 / 3);
  EXPECT_LT(other_half, plain * 2 / 3);
  EXPECT_LT(none, half * 2 / 3);
}

TEST_F(NamespaceTest, TheLogIsReadWithNamesAndUsersKeys) {
  auto flushed = Space("flushed");
  ASSERT_OK(db_->Flush());
  auto a = Space("a");
  ASSERT_OK(db_->Put("\xff", "1"));
  ASSERT_OK(a->Put("k", "1"));
  ASSERT_OK(a->Delete("k"));
  ASSERT_OK(flushed->Put("large", std::string(20'000, 'l')));
  ASSERT_OK(a->DeleteRange("b", "c"));
  ASSERT_OK(a->Clear());
  ASSERT_OK(db_->Clear());
  ASSERT_OK(db_->DropNamespace("a"));
  db_.reset();
  std::vector<std::string> seen;
  ASSERT_OK(ReadWal("/db", options_, [&](const WalChange& change) {
    seen.push_back(std::string(change.kind) + " @" + std::string(change.name_space) + " " +
                   std::string(change.key) + " " + std::string(change.value.substr(0, 5)));
  }));
  EXPECT_THAT(seen, ElementsAre("NAMESPACE @a  ", "WRITE @ \xff 1", "WRITE @a k 1", "DELETE @a k ",
                                "WRITE @flushed large lllll", "DELETERANGE @a b c", "CLEAR @a  ",
                                "CLEAR @  ", "CLEAR @a  ", "DROP @a  "));
  Open();
}

TEST_F(NamespaceTest, ThousandsAreMadeListedAndDropped) {
  constexpr int kCount = 10'000;
  const auto name = [](int i) { return "space/" + std::to_string(i); };
  for (int i = 0; i < kCount; ++i) {
    auto space = Space(name(i));
    ASSERT_NE(space, nullptr);
    ASSERT_OK(space->Put("k", std::to_string(i)));
  }
  Open();
  EXPECT_EQ(db_->ListNamespaces()->size(), static_cast<size_t>(kCount));
  for (int i = 0; i < kCount; i += 97) EXPECT_EQ(Get(*Space(name(i)), "k"), std::to_string(i));
  for (int i = 0; i < kCount; ++i) {
    if (i % 10 == 0) continue;
    ASSERT_OK(db_->DropNamespace(name(i)));
  }
  Open();
  EXPECT_EQ(db_->ListNamespaces()->size(), static_cast<size_t>(kCount / 10));
  for (int i = 0; i < kCount; i += 970) EXPECT_EQ(Get(*Space(name(i)), "k"), std::to_string(i));
  EXPECT_THAT(All(*db_), IsEmpty());
}

// A writer that holds a handle while the namespace is dropped and made again, over and over: what it
// writes is in the namespace that it has, or nowhere.
TEST_F(NamespaceTest, NoWriteOutlivesItsNamespace) {
  constexpr int kRounds = 100;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> written{0}, refused{0};
  std::mutex mu;
  std::shared_ptr<Namespace> current = Space("a");
  const auto handle = [&] {
    std::lock_guard<std::mutex> lock(mu);
    return current;
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::shared_ptr<Namespace> space = handle();
        const std::string key = std::to_string(space->id());
        Status status;
        if (t == 0) status = space->Put(key, "1");
        if (t == 1) status = space->Increment(key).status();
        if (t == 2) {
          WriteBatch batch;
          batch.Put(*space, key, "1");
          status = db_->Write(batch);
        }
        if (t == 3) {
          auto it = space->NewIterator();
          for (it->SeekToFirst(); it->Valid(); it->Next()) EXPECT_EQ(it->key(), key);
          status = it->status();
        }
        EXPECT_TRUE(status.ok() || status.IsNotFound()) << status.ToString();
        if (t != 3) ++(status.ok() ? written : refused);
      }
    });
  }
  for (int i = 0; i < kRounds; ++i) {
    // Each is written before it is dropped; a store that refuses everything must fail, not hang.
    const uint64_t written_before = written, refused_before = refused;
    while (written == written_before && refused < refused_before + 100'000) std::this_thread::yield();
    EXPECT_GT(written, written_before);
    ASSERT_OK(db_->DropNamespace("a"));
    EXPECT_STATUS(kNotFound, handle()->Put("orphan", "1"));
    auto next = Space("a");
    EXPECT_THAT(All(*next), IsEmpty());
    std::lock_guard<std::mutex> lock(mu);
    current = std::move(next);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  // Nothing is left but the last one, the counter, and the table's entry.
  current.reset();
  ASSERT_OK(db_->DropNamespace("a"));
  ASSERT_OK(db_->Compact());
  ASSERT_OK(db_->WaitForBackgroundWork());
  EXPECT_EQ(db_->Stats().entry_count, 1u);
}

}  // namespace namespace_test
}  // namespace varve
