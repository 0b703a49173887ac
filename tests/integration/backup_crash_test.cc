// Restore and Checkpoint are interrupted at every I/O call, by loss of power, by the end of the process and
// by errors: then there is the whole store or none, and trying again works.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "env/crash_env.h"
#include "tests/support/backup_streams.h"
#include "tests/support/status_matchers.h"
#include "tests/support/store_options.h"

namespace varve::test {
namespace backup_crash_test {

constexpr char kDir[] = "/store";
constexpr char kCopy[] = "/copy";

Result<std::unique_ptr<Db>> OpenExisting(const std::string& dir, Env* env) {
  StoreConfig config = SmallStoreConfig();
  config.options.create_if_missing = false;
  return OpenerFor(config)(dir, env);
}

void Fill(Db* db, int round) {
  const std::string tag = std::to_string(round);
  for (int i = 0; i < 8; ++i) {
    ASSERT_OK(db->Put("key" + std::to_string(i), tag));
    if (i % 4 == 0) {
      ASSERT_OK(db->Put("large" + std::to_string(i), std::string(5000, 'a')));
    }
    if (i == 5) {
      ASSERT_OK(db->Flush());
    }
  }
}

class BackupCrashTest : public testing::Test {
 protected:
  // Runs `act` with clones taken at every call, and looks at each. `act` gives `expected` in kCopy.
  // `again` does the same on a clone where there is no store yet.
  void CrashEverywhere(const std::function<Status(Env*)>& act, const Contents& expected,
                       const std::function<Status(Env*)>& again) {
    struct Clone {
      std::unique_ptr<CrashEnv> env;
      std::string where;
    };
    std::vector<Clone> clones;
    Mutex mu;
    env_.SetCallHook([&](const CallInfo& call) {
      const std::string where = std::to_string(call.index) + " " + std::string(CallKindName(call.kind)) +
                                " " + call.path;
      MutexLock lock(&mu);
      clones.push_back({env_.CloneAfterProcessCrash(), where + ", end of the process"});
      for (const PowerCut& cut :
           {PowerCut::LoseUnsynced(), PowerCut::KeepUnsynced(), PowerCut::Random(call.index),
            PowerCut::Random(call.index + 1000), PowerCut::Torn(call.index)}) {
        clones.push_back({env_.CloneAfterPowerCut(cut), where + ", power cut"});
      }
    });
    ASSERT_OK(act(&env_));
    env_.SetCallHook(nullptr);
    ASSERT_GT(clones.size(), 100u);
    clones.push_back({env_.CloneAfterPowerCut(PowerCut::LoseUnsynced()), "at the end"});
    size_t whole = 0;
    for (Clone& clone : clones) {
      SCOPED_TRACE(clone.where);
      auto db = OpenExisting(kCopy, clone.env.get());
      if (!db.ok()) {
        ASSERT_NE(clone.where, "at the end") << db.status().ToString();
        ASSERT_OK(again(clone.env.get()));
        db = OpenExisting(kCopy, clone.env.get());
        ASSERT_OK(db);
      } else {
        ++whole;
      }
      const auto contents = ReadAllNamespaces(db->get());
      ASSERT_OK(contents);
      ASSERT_EQ(Differing(expected, *contents), "");
    }
    EXPECT_GT(whole, 1u);
    EXPECT_LT(whole, clones.size() / 2);
  }

  CrashEnv env_;
};

TEST_F(BackupCrashTest, RestoreIsWholeOrAbsent) {
  auto db = OpenerFor(SmallStoreConfig())(kDir, &env_);
  ASSERT_OK(db);
  Fill(db->get(), 1);
  const auto full = TakeBackup(db->get());
  ASSERT_OK(full);
  Fill(db->get(), 2);
  const auto next = TakeBackup(db->get(), &full->summary);
  ASSERT_OK(next);
  const auto expected = ReadAllNamespaces(db->get());
  db->reset();
  const auto act = [&](Env* env) { return RestoreFrom({full->bytes, next->bytes}, kCopy, env); };
  CrashEverywhere(act, *expected, act);
}

TEST_F(BackupCrashTest, CheckpointIsWholeOrAbsent) {
  auto db = OpenerFor(SmallStoreConfig())(kDir, &env_);
  ASSERT_OK(db);
  Fill(db->get(), 1);
  ASSERT_OK((*db)->WaitForBackgroundWork());
  const auto expected = ReadAllNamespaces(db->get());
  // The writes before it are made durable by the checkpoint or were before; the store itself may lose the
  // end of its log in a crash before that.
  ASSERT_OK((*db)->Sync());
  CrashEverywhere([&](Env*) { return (*db)->Checkpoint(kCopy); }, *expected, [&](Env* env) -> Status {
    auto source = OpenExisting(kDir, env);
    if (!source.ok()) return source.status();
    return (*source)->Checkpoint(kCopy);
  });
}

// The n-th call of `act` fails, for every n.
void FailEverywhere(CrashEnv* env, const std::function<Status()>& act, const Contents& expected) {
  for (const Fault fault : {Fault::kEio, Fault::kNoSpace, Fault::kFailedSync}) {
    for (uint64_t nth = 1;; ++nth) {
      SCOPED_TRACE(nth);
      const uint64_t faults = env->fault_count();
      // The locks and the files of the store's own threads are not meant.
      env->FailCall(nth, fault, FaultSpan::kOnce, {{}, kCopy});
      const Status status = act();
      const bool has_failed = env->fault_count() != faults;
      env->ClearFaults();
      if (!status.ok()) {
        ASSERT_TRUE(has_failed) << status.ToString();
      }
      auto db = OpenExisting(kCopy, env);
      if (status.ok()) {
        ASSERT_OK(db);
      }
      if (!db.ok()) {
        ASSERT_OK(act());
        db = OpenExisting(kCopy, env);
        ASSERT_OK(db);
      }
      const auto contents = ReadAllNamespaces(db->get());
      ASSERT_OK(contents);
      ASSERT_EQ(Differing(expected, *contents), "");
      db->reset();
      for (const std::string& path : env->FileNames()) {
        if (path.starts_with(kCopy)) {
          ASSERT_OK(env->RemoveFile(path));
        }
      }
      ASSERT_OK(env->RemoveDir(kCopy));
      if (!has_failed) break;
    }
  }
}

TEST_F(BackupCrashTest, RestoreThatMeetsAnErrorCanBeTriedAgain) {
  auto db = OpenerFor(SmallStoreConfig())(kDir, &env_);
  ASSERT_OK(db);
  Fill(db->get(), 1);
  const auto full = TakeBackup(db->get());
  ASSERT_OK(full);
  const auto expected = ReadAllNamespaces(db->get());
  FailEverywhere(&env_, [&] { return RestoreFrom({full->bytes}, kCopy, &env_); }, *expected);
}

TEST_F(BackupCrashTest, CheckpointThatMeetsAnErrorCanBeTriedAgain) {
  auto db = OpenerFor(SmallStoreConfig())(kDir, &env_);
  ASSERT_OK(db);
  Fill(db->get(), 1);
  const auto expected = ReadAllNamespaces(db->get());
  FailEverywhere(&env_, [&] { return (*db)->Checkpoint(kCopy); }, *expected);
}

}  // namespace backup_crash_test
}  // namespace varve::test
