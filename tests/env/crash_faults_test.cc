// Calls of a CrashEnv that fail on request.
#include "env/crash_faults.h"

#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/env/crash_fixture.h"

namespace varve::test {
namespace crash_faults_test {

using ::testing::HasSubstr;

class CrashFaultsTest : public CrashEnvTest {};

TEST_F(CrashFaultsTest, TheNthCallFailsOnce) {
  auto file = Open("a");
  env_.FailCall(3, Fault::kEio);
  EXPECT_OK(file->Write(0, "1"));
  EXPECT_OK(file->Sync());
  const Status status = file->Write(0, "2");
  EXPECT_STATUS(kIoError, status);
  EXPECT_THAT(status.ToString(), HasSubstr("write /db/a"));
  EXPECT_EQ(Content("a"), "1");
  EXPECT_OK(file->Write(0, "3"));
  EXPECT_EQ(env_.fault_count(), 1u);
}

TEST_F(CrashFaultsTest, AFaultForEverEndsWhenCleared) {
  auto file = Open("a");
  env_.FailCall(2, Fault::kNoSpace, FaultSpan::kForever);
  EXPECT_OK(file->Write(0, "1"));
  EXPECT_THAT(file->Write(0, "2").ToString(), HasSubstr("no space"));
  EXPECT_STATUS(kIoError, env_.CreateDir("/db/sub"));
  EXPECT_EQ(env_.fault_count(), 2u);
  env_.ClearFaults();
  EXPECT_OK(file->Write(0, "3"));
}

TEST_F(CrashFaultsTest, FiltersChooseKindsAndPaths) {
  auto log = Open("log");
  auto other = Open("other");
  env_.FailCall(2, Fault::kEio, FaultSpan::kOnce,
                {.kinds = {CallKind::kWrite}, .path_contains = "log"});
  EXPECT_OK(other->Write(0, "x"));
  EXPECT_OK(log->Write(0, "1"));
  EXPECT_OK(log->Sync());
  EXPECT_OK(other->Write(0, "x"));
  EXPECT_STATUS(kIoError, log->Write(0, "2"));
  env_.FailCall(1, Fault::kEio, FaultSpan::kOnce, {.path_contains = "target"});
  EXPECT_STATUS(kIoError, env_.RenameFile(Path("other"), Path("target")));
  EXPECT_TRUE(env_.FileExists(Path("other")));
}

TEST_F(CrashFaultsTest, ReadsAndChangesAreToldApart) {
  PutDurably("a", "x");
  auto file = Open("a");
  char byte;
  env_.FailCall(1, Fault::kEio, FaultSpan::kForever, CallFilter::Reads());
  EXPECT_OK(file->Write(0, "y"));
  EXPECT_STATUS(kIoError, file->Read(0, 1, &byte));
  EXPECT_STATUS(kIoError, file->Size());
  EXPECT_STATUS(kIoError, env_.OpenRandomAccess(Path("a")));
  EXPECT_STATUS(kIoError, env_.ListDir("/db"));
  env_.ClearFaults();
  env_.FailCall(1, Fault::kEio, FaultSpan::kForever, CallFilter::Changes());
  EXPECT_OK(file->Read(0, 1, &byte));
  EXPECT_OK(env_.ListDir("/db"));
  EXPECT_STATUS(kIoError, file->Write(0, "z"));
  EXPECT_STATUS(kIoError, file->Sync());
}

// Every kind of call counts once, under its own name, and can fail without an effect.
TEST_F(CrashFaultsTest, EveryKindOfCallIsCountedAndFails) {
  PutDurably("a", "content");
  auto file = Open("a");
  auto mapped = Map("log", 1 << 20);
  char byte;
  struct Case {
    CallKind kind;
    std::function<Status()> call;
  };
  const std::vector<Case> cases = {
      {CallKind::kOpenRead, [&] { return env_.OpenRandomAccess(Path("a")).status(); }},
      {CallKind::kOpenWrite,
       [&] { return env_.OpenWritable(Path("n"), Env::OpenMode::kCreateNew).status(); }},
      {CallKind::kOpenWrite, [&] { return env_.OpenMapped(Path("n"), 4'096).status(); }},
      {CallKind::kRead, [&] { return file->Read(0, 1, &byte).status(); }},
      {CallKind::kStat, [&] { return file->Size().status(); }},
      {CallKind::kStat, [&] { return env_.FileSize(Path("a")).status(); }},
      {CallKind::kStat, [&] { return env_.FreeSpace("/db").status(); }},
      {CallKind::kList, [&] { return env_.ListDir("/db").status(); }},
      {CallKind::kWrite, [&] { return file->Write(0, "CONTENT"); }},
      {CallKind::kAllocate, [&] { return file->Allocate(0, 9'999); }},
      {CallKind::kPopulate, [&] { return mapped->Populate(0, 1); }},
      {CallKind::kTruncate, [&] { return file->Truncate(0); }},
      {CallKind::kSync, [&] { return file->Sync(); }},
      {CallKind::kSync, [&] { return mapped->Sync(); }},
      {CallKind::kSyncDir, [&] { return env_.SyncDir("/db"); }},
      {CallKind::kRename, [&] { return env_.RenameFile(Path("a"), Path("n")); }},
      {CallKind::kLink, [&] { return env_.LinkFile(Path("a"), Path("n")); }},
      {CallKind::kRemove, [&] { return env_.RemoveFile(Path("a")); }},
      {CallKind::kRemove, [&] { return env_.RemoveDir("/db"); }},
      {CallKind::kCreateDir, [&] { return env_.CreateDir(Path("n")); }},
      {CallKind::kLock, [&] { return env_.LockFile(Path("n")).status(); }},
      {CallKind::kClose, [&] { return file->Close(); }},
      {CallKind::kClose, [&] { return mapped->Close(0); }},
  };
  const std::vector<std::string> names = env_.FileNames();
  std::set<CallKind> covered;
  for (const Case& c : cases) {
    SCOPED_TRACE(CallKindName(c.kind));
    covered.insert(c.kind);
    const uint64_t before = env_.call_count(c.kind);
    const uint64_t all = env_.call_count();
    env_.FailCall(1, Fault::kEio);
    const Status status = c.call();
    EXPECT_STATUS(kIoError, status);
    EXPECT_THAT(status.ToString(), HasSubstr(std::string(CallKindName(c.kind)) + " /db"));
    EXPECT_EQ(env_.call_count(c.kind), before + 1);
    EXPECT_EQ(env_.call_count(), all + 1);
    EXPECT_EQ(env_.FileNames(), names);
    EXPECT_EQ(Content("a"), "content");
  }
  EXPECT_EQ(covered.size(), kCallKindCount);
  EXPECT_EQ(env_.fault_count(), cases.size());
}

TEST_F(CrashFaultsTest, AShortWriteStoresAFront) {
  std::set<size_t> sizes;
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(env_.WriteFileForTest(Path("a"), ""));
    env_.FailCall(1, Fault::kShortWrite, FaultSpan::kOnce, {.kinds = {CallKind::kWrite}});
    EXPECT_STATUS(kIoError, Open("a")->Write(0, "0123456789"));
    const std::string content = Content("a");
    ASSERT_EQ(content, std::string("0123456789").substr(0, content.size()));
    sizes.insert(content.size());
  }
  EXPECT_GT(sizes.size(), 5u);
}

TEST_F(CrashFaultsTest, AFileThatFailsToCloseIsClosed) {
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "x"));
  auto mapped = Map("log", 1 << 20);
  ASSERT_OK(mapped->Populate(0, 4'096));
  mapped->data()[0] = 'x';
  env_.FailCall(1, Fault::kEio, FaultSpan::kForever, {.kinds = {CallKind::kClose}});
  EXPECT_STATUS(kIoError, file->Close());
  EXPECT_OK(file->Close());
  EXPECT_STATUS(kIoError, file->Write(0, "y"));
  EXPECT_STATUS(kIoError, mapped->Close(1));
  EXPECT_OK(mapped->Close(1));
  EXPECT_EQ(Content("log"), "x" + std::string(4'095, '\0'));
  Map("log", 1 << 20);  // mapping it again is allowed
}

// --- Failed syncs.

TEST_F(CrashFaultsTest, ASyncThatFailsCleanlyChangesNothing) {
  PutDurably("a", std::string(4'096, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Write(0, std::string(4'096, 'n')));
  env_.FailCall(1, Fault::kEio);
  EXPECT_STATUS(kIoError, file->Sync());
  EXPECT_EQ(ContentAfter(kLose, "a"), std::string(4'096, 'o'));
  ASSERT_OK(file->Sync());
  EXPECT_EQ(ContentAfter(kLose, "a"), std::string(4'096, 'n'));
}

TEST_F(CrashFaultsTest, AfterAFailedSyncTheNextOneLies) {
  PutDurably("a", std::string(64 * 512, 'o'));
  auto file = Open("a");
  ASSERT_OK(file->Write(0, std::string(64 * 512, 'n')));
  env_.FailCall(1, Fault::kFailedSync);
  EXPECT_STATUS(kIoError, file->Sync());
  const std::string partly = ContentAfter(kLose, "a");
  EXPECT_NE(partly.find('o'), std::string::npos);
  EXPECT_NE(partly.find('n'), std::string::npos);
  EXPECT_EQ(Content("a"), std::string(64 * 512, 'n'));

  ASSERT_OK(file->Sync());  // the kernel believes that all is clean
  EXPECT_EQ(ContentAfter(kLose, "a"), partly);
  auto crashed = env_.CloneAfterProcessCrash();  // and goes on believing it
  auto reopened = crashed->OpenWritable(Path("a"), Env::OpenMode::kOpenExisting);
  ASSERT_OK(reopened);
  ASSERT_OK((*reopened)->Sync());
  EXPECT_EQ(Content(crashed->CloneAfterPowerCut(kLose).get(), "a"), partly);

  const size_t lost = partly.find('o');
  ASSERT_OK(file->Write(lost, "W"));  // what is written again is synced again
  ASSERT_OK(file->Sync());
  EXPECT_EQ(ContentAfter(kLose, "a").substr(lost, 512), "W" + std::string(511, 'n'));
}

TEST_F(CrashFaultsTest, AFailedSyncOfAMappingIsPartToo) {
  PutDurably("log", std::string(64 * 512, 'o'));
  auto mapped = Map("log", 1 << 20);
  ASSERT_OK(mapped->Populate(0, 64 * 512));
  std::memset(mapped->data(), 'n', 64 * 512);
  env_.FailCall(1, Fault::kFailedSync);
  EXPECT_STATUS(kIoError, mapped->Sync());
  ASSERT_OK(mapped->Sync());
  const std::string partly = ContentAfter(kLose, "log");
  EXPECT_NE(partly.find('o'), std::string::npos);
  EXPECT_NE(partly.find('n'), std::string::npos);
}

TEST_F(CrashFaultsTest, AFailedSyncOfADirectoryKeepsSomeNames) {
  for (int i = 0; i < 32; ++i) Open("f" + std::to_string(i));
  env_.FailCall(1, Fault::kFailedSync);
  EXPECT_STATUS(kIoError, env_.SyncDir("/db"));
  const auto partly = env_.CloneAfterPowerCut(kLose)->FileNames();
  EXPECT_GT(partly.size(), 0u);
  EXPECT_LT(partly.size(), 32u);
  ASSERT_OK(env_.SyncDir("/db"));
  EXPECT_EQ(env_.CloneAfterPowerCut(kLose)->FileNames(), partly);
  EXPECT_EQ(env_.CloneAfterPowerCut(kKeep)->FileNames().size(), 32u);
}

// --- The hook.

TEST_F(CrashFaultsTest, TheHookSeesEachCallBeforeItsEffect) {
  std::vector<std::string> seen;
  env_.SetCallHook([&](const CallInfo& call) {
    seen.push_back(std::to_string(call.index) + " " + std::string(CallKindName(call.kind)) + " " +
                   call.path + " " + std::string(call.data) + " " +
                   Content(env_.CloneAfterProcessCrash().get(), "a"));
  });
  const uint64_t first = env_.call_count() + 1;
  auto file = Open("a");
  ASSERT_OK(file->Write(0, "x"));
  ASSERT_OK(file->Sync());
  env_.SetCallHook(nullptr);
  ASSERT_OK(file->Sync());
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_THAT(seen[0], HasSubstr(std::to_string(first) + " open for writing /db/a  not found"));
  EXPECT_EQ(seen[1], std::to_string(first + 1) + " write /db/a x ");
  EXPECT_EQ(seen[2], std::to_string(first + 2) + " sync /db/a  x");
}

// The story of every crash test: a cut at each call of a workload leaves the old or the new state.
TEST_F(CrashFaultsTest, AtomicReplacementSurvivesACutAtEveryCall) {
  PutDurably("CURRENT", "old");
  std::set<std::string> found;
  env_.SetCallHook([&](const CallInfo& call) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      const std::string current = ContentAfter(PowerCut::Torn(seed), "CURRENT");
      EXPECT_TRUE(current == "old" || current == "new")
          << CallKindName(call.kind) << " " << current;
      found.insert(current);
    }
  });
  auto file = Open("tmp");
  ASSERT_OK(file->Write(0, "new"));
  ASSERT_OK(file->Sync());
  ASSERT_OK(file->Close());
  ASSERT_OK(env_.RenameFile(Path("tmp"), Path("CURRENT")));
  ASSERT_OK(env_.SyncDir("/db"));
  env_.SetCallHook(nullptr);
  EXPECT_EQ(found, (std::set<std::string>{"old", "new"}));
  EXPECT_EQ(ContentAfter(kLose, "CURRENT"), "new");
}

}  // namespace crash_faults_test
}  // namespace varve::test
