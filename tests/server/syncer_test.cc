#include "server/syncer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

#include "env/crash_env.h"
#include "tests/support/gate.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve::server {
namespace syncer_test {

using varve::test::Gate;
using varve::test::GateAt;

class SyncerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Db> Open(CrashEnv* env) {
    varve::Options options;
    options.env = env;
    options.durability = Durability::kSync;
    auto db = Db::Open("/db", options);
    EXPECT_OK(db);
    return db.ok() ? *std::move(db) : nullptr;
  }
  static void Put(Db* db, const char* key) {
    WriteOptions options;
    options.durability = Durability::kNone;
    ASSERT_OK(db->Put(key, "v", options));
  }

  CrashEnv env_;
};

TEST_F(SyncerTest, WhatWasWrittenBeforeIsDurableWhenItSaysSo) {
  auto db = Open(&env_);
  Syncer syncer(db.get(), &env_);
  for (const char* const key : {"a", "b", "c"}) {
    Put(db.get(), key);
    EXPECT_TRUE(db->HasUnsynced());
    std::atomic<bool> is_done{false};
    std::unique_ptr<CrashEnv> after;
    syncer.Request([&](bool is_synced) {
      EXPECT_TRUE(is_synced);
      after = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
      is_done = true;
    });
    while (!is_done) std::this_thread::yield();
    EXPECT_FALSE(db->HasUnsynced());
    auto reopened = Open(after.get());
    EXPECT_EQ(reopened->Get(key).value_or("(absent)"), "v");
  }
}

TEST_F(SyncerTest, AskedMeanwhileItFlushesAgain) {
  auto db = Open(&env_);
  Syncer syncer(db.get(), &env_);
  Gate gate;
  env_.SetCallHook(GateAt(&gate, CallKind::kSync, ".wal"));
  gate.Arm();
  Put(db.get(), "first");
  std::atomic<int> done{0};
  syncer.Request([&](bool) { ++done; });
  gate.AwaitArrival();
  Put(db.get(), "second");
  std::unique_ptr<CrashEnv> after;
  syncer.Request([&](bool) {
    after = env_.CloneAfterPowerCut(PowerCut::LoseUnsynced());
    ++done;
  });
  EXPECT_EQ(done, 0);
  gate.Open();
  while (done < 2) std::this_thread::yield();
  auto reopened = Open(after.get());
  EXPECT_EQ(reopened->Get("second").value_or("(absent)"), "v");
}

TEST_F(SyncerTest, AFailureIsSaid) {
  auto db = Open(&env_);
  std::atomic<int> outcome{-1};
  {
    Syncer syncer(db.get(), &env_);
    Put(db.get(), "a");
    env_.FailCall(1, Fault::kFailedSync, FaultSpan::kOnce, {{CallKind::kSync}, ".wal"});
    syncer.Request([&](bool is_synced) { outcome = is_synced ? 1 : 0; });
  }
  EXPECT_EQ(outcome, 0) << "its end waits for what was asked for";
}

}  // namespace syncer_test
}  // namespace varve::server
