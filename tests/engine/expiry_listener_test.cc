// The expiry listener. Deadlines pass when the test advances the clock; the listener's thread looks by real
// time, and the tests wait for what must come. That something does not come is seen by what comes after: a
// look tells of all that is due before the next look begins.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "engine/tuning.h"
#include "env/crash_env.h"
#include "format/filename.h"
#include "tests/support/gate.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve {
namespace expiry_listener_test {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

std::string Large(char c) { return std::string(10000, c); }

// How often each key was told of, as "namespace/key".
using Told = std::map<std::string, int>;

class Heard {
 public:
  ExpiryListener listener() {
    return [this](const ExpiredKey& expired) {
      const std::lock_guard<std::mutex> lock(mu_);
      ++told_[std::string(expired.name_space) + "/" + std::string(expired.key)];
      last_ = expired.expired_at_millis;
      ++count_;
      changed_.notify_all();
    };
  }
  void WaitFor(size_t count) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [&] { return count_ >= count; });
  }
  void WaitFor(const std::string& name) {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [&] { return told_.count(name) > 0; });
  }
  Told told() {
    const std::lock_guard<std::mutex> lock(mu_);
    return told_;
  }
  uint64_t last() {
    const std::lock_guard<std::mutex> lock(mu_);
    return last_;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  Told told_;
  uint64_t last_ = 0;
  size_t count_ = 0;
};

class ExpiryListenerTest : public ::testing::Test {
 protected:
  ExpiryListenerTest() {
    env_.sim_clock()->SetMode(SimClock::Mode::kManual);
    tuning_.memtable_bytes = 64 << 10;
    tuning_.segment_bytes = 32 << 10;
    tuning_.tier_runs = 3;
    // A throttled writer waits for time to pass, which a manual clock does not do.
    tuning_.max_immutable_memtables = 1000;
    tuning_.slowdown_runs = 1000;
    tuning_.log_window_bytes = 64 << 10;
    tuning_.value_log_file_bytes = 64 << 10;
    tuning_.cache_bytes = 256 << 10;
    options_.env = &env_;
    Open();
  }
  ~ExpiryListenerTest() override { db_.reset(); }
  void Open() {
    auto db = OpenTuned("/db", options_, tuning_);
    ASSERT_OK(db);
    db_ = *std::move(db);
  }
  void Reopen() {
    db_.reset();
    Open();
  }
  uint64_t now() { return env_.sim_clock()->WallMillis(); }
  void Advance(milliseconds by) {
    env_.sim_clock()->Advance(static_cast<uint64_t>(std::chrono::nanoseconds(by).count()));
  }
  void Put(std::string_view key, std::string_view value, milliseconds ttl) {
    ASSERT_OK(db_->Put(key, value, {.ttl = ttl}));
  }
  void Listen(Heard* heard) { ASSERT_OK(db_->SetExpiryListener(heard->listener())); }
  // Lets `by` pass, and returns what has been told when all of that has been.
  Told AfterAdvancing(milliseconds by, Heard* heard) {
    const std::string name = "sentinel " + std::to_string(++sentinels_);
    EXPECT_OK(db_->Put(name, "", {.ttl = by + 1ms}));
    Advance(by);
    Advance(1ms);
    heard->WaitFor("/" + name);
    // The look that told of it may have more to tell.
    const std::string next = "sentinel " + std::to_string(++sentinels_);
    EXPECT_OK(db_->Put(next, "", {.ttl = 1ms}));
    Advance(1ms);
    heard->WaitFor("/" + next);
    Told told = heard->told();
    std::erase_if(told, [](const auto& key) { return key.first.starts_with("/sentinel"); });
    return told;
  }

  CrashEnv env_;
  Options options_;
  Tuning tuning_;
  std::unique_ptr<Db> db_;
  int sentinels_ = 0;
};

TEST_F(ExpiryListenerTest, HearsOfWhatExpiresAndOfNothingElse) {
  Heard heard;
  Put("before", "1", 10ms);
  Advance(10ms);
  Put("earlier", "1", 100ms);
  Listen(&heard);
  Put("k", "1", 100ms);
  Put("overwritten", "1", 100ms);
  ASSERT_OK(db_->Put("overwritten", "2"));
  Put("deleted", "1", 100ms);
  ASSERT_OK(db_->Delete("deleted"));
  Put("persisted", "1", 100ms);
  ASSERT_OK(db_->Persist("persisted"));
  Put("in a range", "1", 100ms);
  ASSERT_OK(db_->DeleteRange("in", "io"));
  Put("twice", "1", 100ms);
  Put("twice", "2", 100ms);
  Put("prolonged", "1", 100ms);
  ASSERT_OK(db_->Expire("prolonged", 150ms));
  Put("shortened", "1", 1h);
  ASSERT_OK(db_->Expire("shortened", 50ms));
  Put("never", "1", 0ms);
  Put("stays", "1", 1h);
  Put("large", Large('l'), 100ms);
  const uint64_t start = now();
  Told expected = {{"/earlier", 1}, {"/k", 1}, {"/twice", 1}, {"/shortened", 1}, {"/large", 1}};
  EXPECT_EQ(AfterAdvancing(100ms, &heard), expected);
  expected["/prolonged"] = 1;
  EXPECT_EQ(AfterAdvancing(50ms, &heard), expected);
  Put("again", "1", 10ms);
  Advance(9ms);
  Put("k", "again", 1ms);
  Advance(1ms);
  heard.WaitFor("/again");
  expected["/again"] = 1;
  expected["/k"] = 2;
  EXPECT_EQ(AfterAdvancing(1ms, &heard), expected);
  EXPECT_GT(heard.last(), start);
  EXPECT_LE(heard.last(), now());
  // Nobody listens.
  ASSERT_OK(db_->SetExpiryListener(nullptr));
  Put("unheard", "1", 10ms);
  Advance(10ms);
  Listen(&heard);
  EXPECT_EQ(AfterAdvancing(10ms, &heard), expected);
}

TEST_F(ExpiryListenerTest, HearsOfEveryWayToGiveADeadline) {
  Heard heard;
  Listen(&heard);
  auto space = *db_->OpenNamespace("space", {.default_ttl = 100ms});
  WriteBatch batch;
  batch.Put("batch", "1", 100ms);
  batch.Put(*space, "batch", "1");
  batch.Put("batch without", "1");
  ASSERT_OK(db_->Write(batch));
  ASSERT_OK(space->Put("default", "1"));
  ASSERT_OK(space->Put("own", "1", {.ttl = 50ms}));
  ASSERT_OK(space->Put("persisted", "1"));
  ASSERT_OK(space->Persist("persisted"));
  ASSERT_OK(db_->Put("expire", "1"));
  ASSERT_OK(db_->Expire("expire", 100ms));
  ASSERT_OK(db_->Put("at", "1", {.expire_at = std::chrono::system_clock::time_point(milliseconds(now() + 99))}));
  Put("number", "1", 100ms);
  ASSERT_OK(db_->Increment("number"));
  Put("text", "1", 100ms);
  ASSERT_OK(db_->Append("text", "2"));
  ASSERT_OK(db_->GetAndSet("get and set", "1", {.ttl = 100ms}));
  ASSERT_OK(db_->CompareAndSet("compare", std::nullopt, "1", {.ttl = 100ms}));
  ASSERT_OK(db_->PutIfAbsent("absent", "1", {.ttl = 100ms}));
  Put("set without", "1", 100ms);
  ASSERT_OK(db_->GetAndSet("set without", "2"));
  ASSERT_OK(db_->Transact([&](Transaction& t) {
    const Status status = t.Put("transaction", "stays");
    return status.ok() ? t.Put(*space, "transaction", "1") : status;
  }));
  Put("transaction deletes", "1", 100ms);
  ASSERT_OK(db_->Transact([&](Transaction& t) { return t.Delete("transaction deletes"); }));
  auto rolled_back = db_->Begin();
  ASSERT_OK(rolled_back->Put(*space, "rolled back", "1"));
  ASSERT_OK(rolled_back->Rollback());
  EXPECT_EQ(AfterAdvancing(100ms, &heard),
            (Told{{"/batch", 1}, {"space/batch", 1}, {"space/default", 1}, {"space/own", 1},
                  {"/expire", 1}, {"/at", 1}, {"/number", 1}, {"/text", 1}, {"/get and set", 1},
                  {"/compare", 1}, {"/absent", 1}, {"space/transaction", 1}}));
}

// In memory, in a segment, and read from a segment that was there before the listener.
TEST_F(ExpiryListenerTest, NamesNamespacesAndTheirKeysButNotDroppedOnes) {
  for (const int layer : {0, 1, 2}) {
    SCOPED_TRACE(layer);
    Heard heard;
    if (layer < 2) Listen(&heard);
    auto a = *db_->OpenNamespace("a");
    auto b = *db_->OpenNamespace("b");
    auto cleared = *db_->OpenNamespace("cleared");
    auto dropped = *db_->OpenNamespace("dropped");
    const std::string odd("\xff\x00\x01", 3);
    for (Namespace* space : {static_cast<Namespace*>(db_.get()), a.get(), b.get(), cleared.get(),
                             dropped.get()}) {
      ASSERT_OK(space->Put("k", "1", {.ttl = 100ms}));
      ASSERT_OK(space->Put(odd, "1", {.ttl = 100ms}));
      ASSERT_OK(space->Put("", Large('v'), {.ttl = 100ms}));
    }
    ASSERT_OK(b->Put("k", "stays"));
    if (layer > 0) {
      ASSERT_OK(db_->Flush());
    }
    if (layer == 2) {
      a.reset();
      b.reset();
      cleared.reset();
      dropped.reset();
      Reopen();
      a = *db_->OpenNamespace("a");
      cleared = *db_->OpenNamespace("cleared");
      Listen(&heard);
    }
    ASSERT_OK(cleared->Clear());
    ASSERT_OK(db_->DropNamespace("dropped"));
    // The next of that name is another one.
    auto fresh = *db_->OpenNamespace("dropped");
    ASSERT_OK(fresh->Put("fresh", "1", {.ttl = 100ms}));
    EXPECT_EQ(AfterAdvancing(100ms, &heard),
              (Told{{"/k", 1}, {"/" + odd, 1}, {"/", 1}, {"a/k", 1}, {"a/" + odd, 1}, {"a/", 1},
                    {"b/" + odd, 1}, {"b/", 1}, {"dropped/fresh", 1}}));
  }
}

TEST_F(ExpiryListenerTest, HearsOfWhatHasBeenFlushedMergedAndReopened) {
  Told expected;
  const auto put = [&](const std::string& name, int count) {
    for (int i = 0; i < count; ++i) {
      Put(name + std::to_string(i), std::string(50, 'v'), milliseconds(1000 + i % 7));
      expected["/" + name + std::to_string(i)] = 1;
    }
  };
  put("a", 500);
  ASSERT_OK(db_->Compact());
  put("replayed", 100);
  Reopen();
  Heard heard;
  Listen(&heard);
  put("b", 500);
  ASSERT_OK(db_->Flush());
  put("c", 500);
  ASSERT_OK(db_->Compact());
  put("d", 500);
  ASSERT_OK(db_->Flush());
  put("e", 500);
  put("a", 100);  // again, with other versions below
  for (int i = 100; i < 150; ++i) {
    ASSERT_OK(db_->Put("a" + std::to_string(i), "stays"));
    ASSERT_OK(db_->Delete("b" + std::to_string(i)));
    expected.erase("/a" + std::to_string(i));
    expected.erase("/b" + std::to_string(i));
  }
  ASSERT_OK(db_->DeleteRange("c400", "c5"));
  std::erase_if(expected, [](const auto& key) { return key.first >= "/c400" && key.first < "/c5"; });
  EXPECT_EQ(AfterAdvancing(2000ms, &heard), expected);
  ASSERT_OK(db_->SetExpiryListener(nullptr));
  ASSERT_OK(db_->Compact());
  EXPECT_EQ(db_->Stats().entry_count, 50u);
}

// Keys of a segment are read ahead in windows; these are smaller than what is due at once.
TEST_F(ExpiryListenerTest, KeysThatDoNotFitInMemoryAreReadWhenTheyAreDue) {
  for (const size_t bytes : {size_t{0}, size_t{20'000}}) {
    tuning_.max_expiry_keys_bytes = bytes;
    Reopen();
    Heard heard;
    Listen(&heard);
    Told expected;
    const std::string prefix = std::to_string(bytes) + "/";
    const auto put = [&](const std::string& key, milliseconds ttl) {
      Put(prefix + key, "v", ttl);
      expected["/" + prefix + key] = 1;
    };
    for (int i = 0; i < 2000; ++i) {
      put(std::to_string(i) + std::string(static_cast<size_t>(i % 50), 'x'),
          milliseconds(i % 2 == 0 ? 1000 + i : 30'000 + i));
    }
    ASSERT_OK(db_->Compact());
    Told told;
    for (const milliseconds by : {500ms, 700ms, 20ms, 300ms, 1000ms, 25'000ms, 3000ms, 10ms, 2000ms}) {
      put("after " + std::to_string(expected.size()), by);
      told = AfterAdvancing(by, &heard);
    }
    EXPECT_EQ(told, expected);
  }
}

TEST_F(ExpiryListenerTest, IsNotToldOfWhatExpiredWhileNobodyListened) {
  Heard first;
  Listen(&first);
  Put("a", "1", 100ms);
  Put("b", "1", 200ms);
  Put("c", "1", 300ms);
  EXPECT_EQ(AfterAdvancing(100ms, &first), (Told{{"/a", 1}}));
  db_.reset();  // closing takes it away
  Advance(100ms);
  Open();
  Heard second;
  Listen(&second);
  EXPECT_EQ(AfterAdvancing(100ms, &second), (Told{{"/c", 1}}));
  // Another one in its place.
  Put("d", "1", 100ms);
  Heard third;
  Listen(&third);
  EXPECT_EQ(AfterAdvancing(100ms, &third), (Told{{"/d", 1}}));
  EXPECT_EQ(second.told().count("/d"), 0u);
}

TEST_F(ExpiryListenerTest, ClockThatJumpsForward) {
  Heard heard;
  Listen(&heard);
  Put("a", "1", 1h);
  Put("b", "1", 3h);
  ASSERT_OK(db_->Flush());
  Put("c", "1", 1h);
  env_.sim_clock()->SetWallMillis(now() + 2 * 3'600'000);
  heard.WaitFor(2);
  // What the jump has passed stays expired when the clock goes back, and is not told of again.
  env_.sim_clock()->SetWallMillis(now() - 2 * 3'600'000);
  EXPECT_EQ(AfterAdvancing(1s, &heard), (Told{{"/a", 1}, {"/c", 1}}));
  EXPECT_EQ(AfterAdvancing(1h, &heard), (Told{{"/a", 1}, {"/b", 1}, {"/c", 1}}));
}

TEST_F(ExpiryListenerTest, ClockThatJumpsBack) {
  Heard heard;
  Listen(&heard);
  Put("a", "1", 1000ms);
  ASSERT_OK(db_->Flush());
  Put("b", "1", 2000ms);
  EXPECT_EQ(AfterAdvancing(500ms, &heard), Told());
  env_.sim_clock()->SetWallMillis(now() - 24 * 3'600'000);
  Put("c", "1", 700ms);
  // The time to live is as long as ever: the store's time goes on at the monotonic rate.
  EXPECT_EQ(AfterAdvancing(400ms, &heard), Told());
  EXPECT_EQ(AfterAdvancing(400ms, &heard), (Told{{"/a", 1}, {"/c", 1}}));
  EXPECT_EQ(AfterAdvancing(1000ms, &heard), (Told{{"/a", 1}, {"/b", 1}, {"/c", 1}}));
}

TEST_F(ExpiryListenerTest, ClockThatWasSetBackWhileTheStoreWasClosed) {
  Heard heard;
  Listen(&heard);
  Put("a", "1", 1000ms);
  AfterAdvancing(1000ms, &heard);
  db_.reset();
  env_.sim_clock()->SetWallMillis(now() - 5000);
  Open();
  // It is there again, so it expires again.
  EXPECT_OK(db_->Get("a"));
  Heard second;
  Listen(&second);
  EXPECT_EQ(AfterAdvancing(5000ms, &second).count("/a"), 1u);
}

// --- The listener itself.

// Stops in its first call until it is let go.
class Stopped {
 public:
  explicit Stopped(Heard* heard) : listener_(heard->listener()) { gate_.Arm(); }
  ExpiryListener listener() {
    return [this](const ExpiredKey& expired) {
      gate_.Pass();
      listener_(expired);
    };
  }
  void AwaitArrival() { gate_.AwaitArrival(); }
  void LetGo() { gate_.Open(); }

 private:
  test::Gate gate_;
  const ExpiryListener listener_;
};

TEST_F(ExpiryListenerTest, SlowOneHoldsUpNobodyAndMissesNothing) {
  tuning_.max_expiry_notes = 100;  // more must be searched for
  Reopen();
  Heard heard;
  Stopped stopped(&heard);
  ASSERT_OK(db_->SetExpiryListener(stopped.listener()));
  Told expected = {{"/first", 1}};
  const auto put = [&](const std::string& key, milliseconds ttl) {
    Put(key, std::string(50, 'v'), ttl);
    expected["/" + key] = 1;
  };
  Put("first", "1", 10ms);
  put("in the wheel", 500ms);
  Advance(10ms);
  stopped.AwaitArrival();
  // Expired, flushed and merged while it is not looking.
  for (int i = 0; i < 2000; ++i) put("a" + std::to_string(i), milliseconds(10 + i % 100));
  ASSERT_OK(db_->Compact());
  for (int i = 0; i < 500; ++i) put("b" + std::to_string(i), milliseconds(10 + i % 1000));
  ASSERT_OK(db_->Delete("b450"));  // before its deadline
  expected.erase("/b450");
  for (int i = 0; i < 50; ++i) put("c" + std::to_string(i), 600ms);
  Advance(300ms);
  ASSERT_OK(db_->Put("b7", "too late to matter"));
  ASSERT_OK(db_->Compact());
  ASSERT_OK(db_->WaitForBackgroundWork());
  EXPECT_STATUS(kNotFound, db_->Get("a7"));
  stopped.LetGo();
  Told told = AfterAdvancing(2000ms, &heard);
  told.erase("/b7");  // written between its deadline and the look: may be left out
  expected.erase("/b7");
  EXPECT_EQ(told, expected);
  ASSERT_OK(db_->SetExpiryListener(nullptr));
  ASSERT_OK(db_->Compact());
  EXPECT_EQ(db_->Stats().entry_count, 1u);
}

TEST_F(ExpiryListenerTest, MayUseTheStoreButNotSetAnother) {
  std::atomic<int> heard{0};
  for (int i = 0; i < 200; ++i) Put("k" + std::to_string(i), "v", 50ms);
  ASSERT_OK(db_->SetExpiryListener([&](const ExpiredKey& expired) {
    EXPECT_TRUE(db_->Get(expired.key).status().IsNotFound());
    EXPECT_OK(db_->Put(std::string(expired.key) + "'", "heard", {.ttl = 1h}));
    EXPECT_STATUS(kInvalidArgument, db_->SetExpiryListener(nullptr));
    if (heard % 50 == 0) {
      EXPECT_OK(db_->Flush());
    }
    ++heard;
  }));
  Advance(100ms);
  while (heard < 200) std::this_thread::yield();
  ASSERT_OK(db_->SetExpiryListener(nullptr));
  EXPECT_EQ(heard, 200);
  EXPECT_OK(db_->Get("k199'"));
}

TEST_F(ExpiryListenerTest, MayBeTakenAwayInTheMiddle) {
  std::atomic<int> heard{0};
  for (int i = 0; i < 1000; ++i) Put("k" + std::to_string(i), "v", 50ms);
  ASSERT_OK(db_->Flush());
  for (int i = 0; i < 1000; ++i) Put("l" + std::to_string(i), "v", 50ms);
  ASSERT_OK(db_->SetExpiryListener([&](const ExpiredKey&) { ++heard; }));
  Advance(50ms);
  while (heard == 0) std::this_thread::yield();
  ASSERT_OK(db_->SetExpiryListener(nullptr));
  const int count = heard;
  EXPECT_LE(count, 2000);
  Put("m", "v", 10ms);
  Advance(10ms);
  ASSERT_OK(db_->Compact());  // nothing is kept for it any more
  EXPECT_EQ(db_->Stats().entry_count, 0u);
  EXPECT_EQ(heard, count);
  // Closing takes it away too.
  Put("last", "v", 10ms);
  ASSERT_OK(db_->SetExpiryListener([&](const ExpiredKey&) { ++heard; }));
  Reopen();
}

TEST_F(ExpiryListenerTest, MayThrow) {
  Heard heard;
  const ExpiryListener listener = heard.listener();
  ASSERT_OK(db_->SetExpiryListener([&](const ExpiredKey& expired) {
    listener(expired);
    if (expired.key.starts_with("k")) throw std::runtime_error("from the listener");
  }));
  for (int i = 0; i < 10; ++i) Put("k" + std::to_string(i), "v", 50ms);
  EXPECT_EQ(AfterAdvancing(50ms, &heard).size(), 10u);
  for (const auto& [key, count] : heard.told()) EXPECT_EQ(count, 1) << key;
}

// --- Races.

TEST_F(ExpiryListenerTest, HearsOnceUnderLoad) {
  Heard heard;
  Listen(&heard);
  std::vector<std::thread> writers;
  constexpr int kPerWriter = 3000;
  for (int w = 0; w < 3; ++w) {
    writers.emplace_back([this, w] {
      for (int i = 0; i < kPerWriter; ++i) {
        const std::string key = std::to_string(w) + "/" + std::to_string(i);
        EXPECT_OK(db_->Put(key, std::string(60, 'v'), {.ttl = milliseconds(1 + i % 50)}));
        if (i % 10 == 0) env_.sim_clock()->Advance(1'000'000);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  Told told = AfterAdvancing(1000ms, &heard);
  for (int w = 0; w < 3; ++w) {
    for (int i = 0; i < kPerWriter; ++i) {
      const std::string key = "/" + std::to_string(w) + "/" + std::to_string(i);
      EXPECT_EQ(told[key], 1) << key;
    }
  }
}

// What was made to stay by a call that found it present is never told of.
TEST_F(ExpiryListenerTest, WhatIsPersistedInTimeIsNotToldOf) {
  Heard heard;
  Listen(&heard);
  constexpr int kKeys = 2000;
  for (int i = 0; i < kKeys; ++i) Put(std::to_string(i), "v", milliseconds(1 + i / 10));
  Told stays;
  std::thread persister([&] {
    for (int i = 0; i < kKeys; ++i) {
      const Status status = db_->Persist(std::to_string(i));
      if (status.ok()) stays["/" + std::to_string(i)] = 1;
    }
  });
  for (int i = 0; i < kKeys / 10; ++i) {
    Advance(1ms);
    std::this_thread::yield();
  }
  persister.join();
  const Told told = AfterAdvancing(1000ms, &heard);
  EXPECT_EQ(told.size() + stays.size(), size_t{kKeys});
  for (const auto& [key, count] : told) EXPECT_EQ(stays.count(key), 0u) << key;
}

TEST_F(ExpiryListenerTest, HearsOfAPutThatHasExpiredBeforeItWasThere) {
  Heard heard;
  Listen(&heard);
  Put("first", "1", 5ms);
  Put("second", "1", 6ms);
  std::atomic<bool> has_advanced{false};
  env_.SetCallHook([&](const CallInfo& call) {
    const auto parsed = ParseFileName(call.path.substr(call.path.rfind('/') + 1));
    if (call.kind != CallKind::kWrite || !parsed || parsed->type != FileType::kValueLog) return;
    if (has_advanced.exchange(true)) return;
    Advance(5ms);
    heard.WaitFor(1);
    Advance(1ms);
    heard.WaitFor(2);  // by a later look: that at the fifth millisecond is over
  });
  Put("late", Large('l'), 5ms);
  env_.SetCallHook(nullptr);
  EXPECT_STATUS(kNotFound, db_->Get("late"));
  ASSERT_OK(db_->Compact());
  EXPECT_EQ(AfterAdvancing(1ms, &heard), (Told{{"/first", 1}, {"/second", 1}, {"/late", 1}}));
}

// ... and whose number a merge has forgotten while the listener was busy.
TEST_F(ExpiryListenerTest, HearsOfALatePutThatWasMergedMeanwhile) {
  Heard heard;
  Stopped stopped(&heard);
  ASSERT_OK(db_->SetExpiryListener(stopped.listener()));
  Put("first", "1", 5ms);
  ASSERT_OK(db_->Put("overwritten", "by a later one"));
  std::atomic<bool> has_advanced{false};
  env_.SetCallHook([&](const CallInfo& call) {
    const auto parsed = ParseFileName(call.path.substr(call.path.rfind('/') + 1));
    if (call.kind != CallKind::kWrite || !parsed || parsed->type != FileType::kValueLog) return;
    if (has_advanced.exchange(true)) return;
    Advance(5ms);
    stopped.AwaitArrival();
  });
  WriteBatch batch;
  batch.Put("late", Large('l'), 5ms);
  batch.Put("overwritten", "1", 5ms);
  batch.Put("twice", "1", 5ms);
  batch.Put("twice", "2", 5ms);
  ASSERT_OK(db_->Write(batch));
  env_.SetCallHook(nullptr);
  ASSERT_OK(db_->Put("overwritten", "2"));
  ASSERT_OK(db_->Compact());
  stopped.LetGo();
  Told told = AfterAdvancing(1ms, &heard);
  EXPECT_EQ(told, (Told{{"/first", 1}, {"/late", 1}, {"/twice", 1}}));
}

// What a drop finds on its way to the listener does not get there any more.
TEST_F(ExpiryListenerTest, NothingIsToldOfANamespaceOnceItIsDropped) {
  Heard heard;
  Stopped stopped(&heard);
  ASSERT_OK(db_->SetExpiryListener(stopped.listener()));
  auto space = *db_->OpenNamespace("n");
  for (int i = 0; i < 10; ++i) {
    ASSERT_OK(space->Put(std::to_string(i), "v", {.ttl = milliseconds(10 + i)}));
  }
  Advance(100ms);
  stopped.AwaitArrival();
  ASSERT_OK(db_->DropNamespace("n"));
  stopped.LetGo();
  EXPECT_EQ(AfterAdvancing(1ms, &heard), (Told{{"n/0", 1}}));
}

TEST_F(ExpiryListenerTest, ManyThreadsSetAndTakeAway) {
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  std::atomic<int> heard{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) {
        EXPECT_OK(db_->SetExpiryListener(
            (i + t) % 2 == 0 ? ExpiryListener([&](const ExpiredKey&) { ++heard; }) : nullptr));
      }
    });
  }
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      Put("k" + std::to_string(i % 1000), std::string(60, 'v'), milliseconds(1 + i % 20));
      if (i % 10 == 0) Advance(1ms);
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  writer.join();
  Heard last;
  Listen(&last);
  Put("last", "v", 1ms);
  EXPECT_EQ(AfterAdvancing(1ms, &last).count("/last"), 1u);
}

// --- Its memory.

TEST_F(ExpiryListenerTest, MemoryIsCountedAndGivenBack) {
  constexpr uint64_t kKeys = 3000;
  for (uint64_t i = 0; i < kKeys; ++i) Put(std::to_string(i), std::string(20, 'v'), 24h);
  ASSERT_OK(db_->Compact());
  // The indexes themselves take less than what is counted here.
  ASSERT_LT(db_->Stats().index_bytes, kKeys * 8);
  Heard heard;
  Listen(&heard);
  AfterAdvancing(1ms, &heard);
  EXPECT_GE(db_->Stats().index_bytes, kKeys * 8);
  EXPECT_LE(db_->Stats().index_bytes, kKeys * 24 + 65536);
  ASSERT_OK(db_->SetExpiryListener(nullptr));
  EXPECT_LT(db_->Stats().index_bytes, kKeys * 8);
}

}  // namespace expiry_listener_test
}  // namespace varve
