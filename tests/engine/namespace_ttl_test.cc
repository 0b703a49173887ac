// Time to live in namespaces, and in read-modify-writes, with a clock that the test sets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace namespace_ttl_test {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

// With the value in place and in the value log, in the default namespace and in another.
class NamespaceTtlTest : public ::testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  NamespaceTtlTest() {
    env_.sim_clock()->SetMode(SimClock::Mode::kManual);
    options_.env = &env_;
    Open();
  }
  bool is_named() const { return std::get<0>(GetParam()); }
  void Open() {
    auto db = OpenTuned("/db", options_, {});
    ASSERT_OK(db);
    db_ = *std::move(db);
    space_ = db_.get();
    if (!is_named()) return;
    named_ = *db_->OpenNamespace("n");
    space_ = named_.get();
  }
  void Reopen() {
    named_.reset();
    db_.reset();
    Open();
  }
  std::string Value(char c) const { return std::string(std::get<1>(GetParam()) ? 10'000 : 10, c); }
  void Advance(milliseconds by) {
    env_.sim_clock()->Advance(static_cast<uint64_t>(std::chrono::nanoseconds(by).count()));
  }
  std::chrono::system_clock::time_point At(milliseconds from_now) {
    return std::chrono::system_clock::time_point(milliseconds(env_.sim_clock()->WallMillis())) + from_now;
  }
  // Milliseconds; -1: does not expire, -2: absent.
  static int64_t Left(Namespace& space, std::string_view key) {
    auto left = space.TimeToLive(key);
    if (!left.ok()) {
      EXPECT_TRUE(left.status().IsNotFound());
      EXPECT_STATUS(kNotFound, space.Get(key));
      return -2;
    }
    EXPECT_OK(space.Get(key));
    return *left ? (*left)->count() : -1;
  }
  int64_t Left(std::string_view key) { return Left(*space_, key); }

  CrashEnv env_;
  Options options_;
  std::unique_ptr<Db> db_;
  std::shared_ptr<Namespace> named_;
  Namespace* space_ = nullptr;
};

TEST_P(NamespaceTtlTest, ExpireAndPersistStayWithinTheNamespace) {
  auto other = *db_->OpenNamespace("other");
  ASSERT_OK(space_->Put("k", Value('a')));
  ASSERT_OK(other->Put("k", "other"));
  ASSERT_OK(space_->Expire("k", 100ms));
  EXPECT_EQ(Left("k"), 100);
  EXPECT_EQ(Left(*other, "k"), -1);
  EXPECT_EQ(*space_->Get("k"), Value('a'));
  ASSERT_OK(space_->Persist("k"));
  EXPECT_EQ(Left("k"), -1);
  ASSERT_OK(space_->ExpireAt("k", At(50ms)));
  ASSERT_OK(db_->Flush());
  Reopen();
  EXPECT_EQ(Left("k"), 50);
  EXPECT_EQ(*space_->Get("k"), Value('a'));
  Advance(50ms);
  EXPECT_EQ(Left("k"), -2);
  EXPECT_STATUS(kNotFound, space_->Persist("k"));
  EXPECT_STATUS(kNotFound, space_->Expire("k", 1s));
  EXPECT_STATUS(kNotFound, space_->ExpireAt("k", At(1s)));
  ASSERT_OK(space_->Put("k", Value('b')));
  ASSERT_OK(space_->ExpireAt("k", std::chrono::system_clock::time_point(-1s)));
  EXPECT_EQ(Left("k"), -2);
}

TEST_P(NamespaceTtlTest, ReadModifyWritesSeeExpiredKeysAsAbsent) {
  const auto put_expired = [&](std::string_view key) {
    ASSERT_OK(space_->Put(key, Value('a'), {.ttl = 10ms}));
    Advance(10ms);
  };
  put_expired("k");
  EXPECT_STATUS(kConflict, space_->CompareAndSet("k", Value('a'), "b"));
  ASSERT_OK(space_->CompareAndSet("k", std::nullopt, "b"));
  put_expired("k");
  ASSERT_OK(space_->PutIfAbsent("k", Value('b')));
  EXPECT_STATUS(kConflict, space_->PutIfAbsent("k", "c"));
  put_expired("k");
  EXPECT_EQ(*space_->Increment("k", 3), 3);
  put_expired("k");
  EXPECT_EQ(*space_->Append("k", "xy"), 2u);
  put_expired("k");
  EXPECT_EQ(*space_->GetAndSet("k", "z"), std::nullopt);
  EXPECT_EQ(Left("k"), -1);
}

TEST_P(NamespaceTtlTest, IncrementAndAppendKeepADeadline) {
  ASSERT_OK(space_->Put("n", "1", {.ttl = 100ms}));
  ASSERT_OK(space_->Put("s", Value('a'), {.ttl = 100ms}));
  ASSERT_OK(space_->Put("stays", "5"));
  Advance(30ms);
  EXPECT_EQ(*space_->Increment("n"), 2);
  EXPECT_EQ(*space_->Append("s", "b"), Value('a').size() + 1);
  EXPECT_EQ(*space_->Increment("stays"), 6);
  EXPECT_EQ(Left("n"), 70);
  EXPECT_EQ(Left("s"), 70);
  EXPECT_EQ(Left("stays"), -1);
  // Unless they say something else.
  EXPECT_EQ(*space_->Increment("n", 1, {.ttl = 500ms}), 3);
  EXPECT_EQ(Left("n"), 500);
  // An absent key has none to keep.
  EXPECT_EQ(*space_->Increment("new", 1, {.ttl = 20ms}), 1);
  EXPECT_EQ(Left("new"), 20);
  // Others put, as Put does.
  ASSERT_OK(space_->CompareAndSet("n", "3", "4"));
  EXPECT_EQ(Left("n"), -1);
  ASSERT_OK(space_->CompareAndSet("n", "4", Value('d'), {.ttl = 40ms}));
  EXPECT_EQ(Left("n"), 40);
  EXPECT_EQ(*space_->GetAndSet("s", Value('c')), Value('a') + "b");
  EXPECT_EQ(Left("s"), -1);
  ASSERT_OK(space_->PutIfAbsent("p", Value('p'), {.ttl = 7ms}));
  EXPECT_EQ(Left("p"), 7);
  EXPECT_EQ(*space_->Get("p"), Value('p'));
}

// What expires between the reading and the writing has changed. The clock moves while the modifier runs.
TEST_P(NamespaceTtlTest, WhatExpiresUnderAReadModifyWriteIsReadAgain) {
  struct Exposed : public Namespace {
    using Namespace::Modification;
    using Namespace::Modifier;
    static Status Modify(Namespace& space, std::string_view key, const Modifier& modify) {
      return (space.*&Exposed::ReadModifyWrite)(key, modify, {});
    }
  };
  ASSERT_OK(space_->Put("k", Value('a'), {.ttl = 10ms}));
  std::vector<bool> present;
  const auto modify = [&](std::optional<std::string_view> current) -> Result<Exposed::Modification> {
    present.push_back(current.has_value());
    Advance(10ms);
    return Exposed::Modification{Exposed::Modification::Kind::kPut, "done"};
  };
  ASSERT_OK(Exposed::Modify(*space_, "k", modify));
  EXPECT_THAT(present, ElementsAre(true, false));
  EXPECT_EQ(*space_->Get("k"), "done");
}

TEST_P(NamespaceTtlTest, BatchesSpanNamespacesWithDeadlines) {
  auto other = *db_->OpenNamespace("other");
  WriteBatch batch;
  batch.Put(*space_, "a", Value('a'), 100ms);
  batch.Put(*other, "a", Value('b'), At(200ms));
  batch.Put(*space_, "b", Value('c'));
  batch.Put(*other, "gone", Value('d'), 0ms);
  ASSERT_OK(db_->Write(batch, {.ttl = 1s}));
  EXPECT_EQ(Left("a"), 100);
  EXPECT_EQ(Left(*other, "a"), 200);
  EXPECT_EQ(Left("b"), 1000);
  EXPECT_EQ(Left(*other, "gone"), -2);
  EXPECT_EQ(*other->Get("a"), Value('b'));
}

TEST_P(NamespaceTtlTest, DefaultTtlIsForWhatIsPutWithoutOne) {
  auto space = *db_->OpenNamespace("timed", {.default_ttl = 100ms});
  ASSERT_OK(space->Put("a", Value('a')));
  ASSERT_OK(space->Put("own", Value('b'), {.ttl = 7ms}));
  ASSERT_OK(space->Put("at", Value('c'), {.expire_at = At(8s)}));
  ASSERT_OK(space->PutIfAbsent("absent", Value('d')));
  EXPECT_EQ(*space->Increment("number"), 1);
  WriteBatch batch;
  batch.Put(*space, "batch", Value('e'));
  batch.Put(*space, "batch own", Value('e'), 9ms);
  batch.Put(*space_, "b", Value('f'));
  ASSERT_OK(db_->Write(batch));
  EXPECT_EQ(Left(*space, "a"), 100);
  EXPECT_EQ(Left(*space, "own"), 7);
  EXPECT_EQ(Left(*space, "at"), 8000);
  EXPECT_EQ(Left(*space, "absent"), 100);
  EXPECT_EQ(Left(*space, "number"), 100);
  EXPECT_EQ(Left(*space, "batch"), 100);
  EXPECT_EQ(Left(*space, "batch own"), 9);
  EXPECT_EQ(Left("b"), -1);
  ASSERT_OK(db_->Write(batch, {.ttl = 3s}));
  EXPECT_EQ(Left(*space, "batch"), 3000);
  Advance(30ms);
  // A present key keeps what it has, none included.
  EXPECT_EQ(*space->Increment("number"), 2);
  EXPECT_EQ(Left(*space, "number"), 70);
  ASSERT_OK(space->Persist("number"));
  EXPECT_EQ(*space->Increment("number"), 3);
  EXPECT_EQ(Left(*space, "number"), -1);
}

TEST_P(NamespaceTtlTest, DefaultTtlIsKeptWithTheNamespace) {
  ASSERT_OK(db_->OpenNamespace("timed", {.default_ttl = 100ms}));
  EXPECT_STATUS(kInvalidArgument, db_->OpenNamespace("timed", {.default_ttl = -1ms}));
  EXPECT_STATUS(kInvalidArgument, db_->OpenNamespace("none", {.default_ttl = -1ms}));
  Reopen();
  const auto shown = [&] {
    const std::vector<NamespaceInfo> infos = *db_->ListNamespaces();
    return infos.back().default_ttl;
  };
  EXPECT_EQ(shown(), 100ms);
  auto space = *db_->OpenNamespace("timed");
  ASSERT_OK(space->Put("k", "v"));
  EXPECT_EQ(Left(*space, "k"), 100);
  // Handles that are open follow.
  ASSERT_OK(db_->OpenNamespace("timed", {.default_ttl = 5s}));
  ASSERT_OK(space->Put("k", "v"));
  EXPECT_EQ(Left(*space, "k"), 5000);
  ASSERT_OK(db_->OpenNamespace("timed", {.default_ttl = milliseconds::max()}));
  ASSERT_OK(space->Put("k", "v"));
  EXPECT_GT(Left(*space, "k"), 1'000'000'000'000);
  ASSERT_OK(db_->OpenNamespace("timed", {.default_ttl = 0ms}));
  ASSERT_OK(space->Put("k", "v"));
  EXPECT_EQ(Left(*space, "k"), -1);
  space.reset();
  Reopen();
  EXPECT_EQ(shown(), std::nullopt);
}

TEST_P(NamespaceTtlTest, ADroppedNamespaceHasNoTimeToLive) {
  if (!is_named()) return;
  ASSERT_OK(space_->Put("k", Value('a'), {.ttl = 1s}));
  auto snapshot = db_->GetSnapshot();
  ASSERT_OK(db_->DropNamespace("n"));
  EXPECT_STATUS(kNotFound, space_->TimeToLive("k"));
  EXPECT_STATUS(kNotFound, space_->Expire("k", 1s));
  EXPECT_STATUS(kNotFound, space_->Persist("k"));
  ReadOptions before;
  before.snapshot = snapshot.get();
  EXPECT_EQ(*space_->TimeToLive("k", before), 1s);
}

// Iterators take a short way from key to key: it must not lead to what has expired.
TEST_P(NamespaceTtlTest, IteratorsPassOverWhatHasExpired) {
  for (const char* key : {"a", "c", "e"}) ASSERT_OK(space_->Put(key, Value('a')));
  for (const char* key : {"b", "d", "f"}) ASSERT_OK(space_->Put(key, Value('b'), {.ttl = 10ms}));
  for (const bool is_flushed : {false, true}) {
    if (is_flushed) {
      ASSERT_OK(db_->Flush());
    }
    auto it = space_->NewIterator();
    it->SeekToFirst();
    if (!is_flushed) {
      it->Next();
      EXPECT_EQ(it->key(), "b");
      Advance(10ms);
      it->SeekToFirst();
    }
    std::vector<std::string> keys;
    for (; it->Valid(); it->Next()) keys.emplace_back(it->key());
    EXPECT_THAT(keys, ElementsAre("a", "c", "e"));
    keys.clear();
    for (it->SeekToLast(); it->Valid(); it->Prev()) keys.emplace_back(it->key());
    EXPECT_THAT(keys, ElementsAre("e", "c", "a"));
  }
}

TEST_P(NamespaceTtlTest, TheLogNamesNamespacesAndDeadlines) {
  const uint64_t start = env_.sim_clock()->WallMillis();
  ASSERT_OK(space_->Put("a", Value('a'), {.ttl = 100ms}));
  named_.reset();
  db_.reset();
  std::vector<std::string> seen;
  ASSERT_OK(ReadWal("/db", options_, [&](const WalChange& change) {
    if (change.kind != "WRITE") return;
    EXPECT_EQ(change.value, Value('a'));
    seen.push_back(std::string(change.name_space) + " " + std::string(change.key) + " " +
                   std::to_string(change.expire_at_millis - start));
  }));
  EXPECT_THAT(seen, ElementsAre(is_named() ? "n a 100" : " a 100"));
  Open();
}

INSTANTIATE_TEST_SUITE_P(Kinds, NamespaceTtlTest,
                         ::testing::Combine(::testing::Bool(), ::testing::Bool()));

}  // namespace namespace_ttl_test
}  // namespace varve
