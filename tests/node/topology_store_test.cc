// One contract for all topology stores: in memory, in a file, in a real etcd.
#include "node/topology_store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <set>

#include "env/crash_env.h"
#include "node/base64.h"
#include "node/file_topology_store.h"
#include "node/memory_topology_store.h"
#include "node/topology_file.h"
#include "tests/node/topology_fixture.h"
#include "tests/support/workload.h"

namespace varve::node::test {
namespace topology_store_test {

using Outcome = CommitResult::Outcome;

TopologyCommit Put(const std::string& key, uint64_t revision, const std::string& value) {
  return {.conditions = {{key, revision}}, .changes = {{key, value}}};
}

class TopologyStoreTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "etcd") {
      if (EtcdProgram().empty()) GTEST_SKIP() << "skipped: Debian's etcd-server is not installed";
      // One for all tests; each has a prefix of its own.
      static varve::test::TempDir* const directory = new varve::test::TempDir;
      static EtcdProcess* const etcd = new EtcdProcess;
      static const bool is_up = etcd->Start(directory->Sub("etcd"));
      static const int registered = std::atexit([] {
        etcd->Kill();
        delete directory;
      });
      static_cast<void>(registered);
      ASSERT_TRUE(is_up);
      make_ = [] {
        return std::make_unique<EtcdTopologyStore>(EtcdOptions{.endpoints = {etcd->endpoint()}, .request_millis = 60'000},
                                                   Env::Default());
      };
      static std::atomic<int> tests{0};
      prefix_ = "/t" + std::to_string(++tests) + "/";
    } else if (GetParam() == "file") {
      make_ = [this] {
        return std::make_unique<FileTopologyStore>(
            dir_.Sub("topology"), FileTopologyOptions{.lock_timeout_nanos = 600 * kSecond, .poll_micros = 2000},
            Env::Default());
      };
    }
    store_ = make_ ? make_() : std::make_unique<MemoryTopologyStore>(Env::Default());
  }
  // Another way to the same store.
  TopologyStore* Another() {
    if (!make_) return store_.get();
    others_.push_back(make_());
    return others_.back().get();
  }
  std::string Key(const std::string& name) const { return prefix_ + name; }
  uint64_t Done(const TopologyCommit& commit) {
    const CommitResult result = store_->Commit(commit);
    EXPECT_EQ(result.outcome, Outcome::kDone) << result.reason;
    return result.revision;
  }

  varve::test::TempDir dir_;
  std::string prefix_ = "/t/";
  std::function<std::unique_ptr<TopologyStore>()> make_;
  std::vector<std::unique_ptr<TopologyStore>> others_;
  std::unique_ptr<TopologyStore> store_;
};

TEST_P(TopologyStoreTest, WhatIsCommittedIsRead) {
  const Result<TopologySnapshot> empty = store_->Read(prefix_);
  ASSERT_OK(empty);
  EXPECT_TRUE(empty->records.empty());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  const uint64_t first = Done(Put(Key("a"), 0, bytes));
  const uint64_t second = Done(Put(Key(std::string("\0\xff\xfe", 3)), 0, ""));
  EXPECT_GT(second, first);
  const Result<TopologySnapshot> read = Another()->Read(prefix_);
  ASSERT_OK(read);
  EXPECT_EQ(read->revision, second);
  const std::map<std::string, Record> expected = {{Key("a"), {bytes, first}},
                                                  {Key(std::string("\0\xff\xfe", 3)), {"", second}}};
  EXPECT_EQ(read->records, expected);
  // A prefix is one of bytes.
  EXPECT_EQ(store_->Read(Key("a"))->records.size(), 1u);
  EXPECT_TRUE(store_->Read(Key("b"))->records.empty());
  EXPECT_EQ(store_->Read(Key(std::string("\0\xff", 2)))->records.size(), 1u);
}

TEST_P(TopologyStoreTest, ACommitTakesPlaceIfItsConditionsHoldAndElseNotAtAll) {
  const uint64_t first = Done(Put(Key("a"), 0, "1"));
  CommitResult lost = store_->Commit(Put(Key("a"), 0, "2"));
  EXPECT_EQ(lost.outcome, Outcome::kConflict);
  EXPECT_EQ(lost.current, (std::map<std::string, Record>{{Key("a"), {"1", first}}}));
  EXPECT_GE(lost.revision, first);
  EXPECT_EQ(store_->Commit(Put(Key("a"), first + 1, "2")).outcome, Outcome::kConflict);
  EXPECT_EQ(store_->Commit(Put(Key("b"), first, "2")).outcome, Outcome::kConflict);
  // Several at once; one that fails spoils all.
  TopologyCommit both = {.conditions = {{Key("a"), first}, {Key("leader"), 7}},
                         .changes = {{Key("a"), "2"}, {Key("b"), "3"}}};
  EXPECT_EQ(store_->Commit(both).outcome, Outcome::kConflict);
  EXPECT_EQ(store_->Read(prefix_)->records.size(), 1u);
  both.conditions[1].revision = 0;
  const uint64_t second = Done(both);
  EXPECT_EQ(store_->Read(prefix_)->records,
            (std::map<std::string, Record>{{Key("a"), {"2", second}}, {Key("b"), {"3", second}}}));
  // Deletes and writes together; what was deleted begins anew, with another revision.
  Done({.conditions = {{Key("a"), second}}, .changes = {{Key("a"), std::nullopt}, {Key("b"), "4"}}});
  EXPECT_EQ(store_->Commit(Put(Key("a"), second, "5")).outcome, Outcome::kConflict);
  EXPECT_GT(Done(Put(Key("a"), 0, "6")), second);
}

TEST_P(TopologyStoreTest, CommitsBeyondTheLimitsAreRefused) {
  TopologyCommit many;
  for (size_t i = 0; i < kMaxCommitOperations; ++i) {
    many.conditions.push_back({Key(std::to_string(i)), 0});
    many.changes.push_back({Key(std::to_string(i)), std::string(5000, 'x')});
  }
  Done(many);
  many.changes.push_back({Key("one more"), "x"});
  EXPECT_EQ(store_->Commit(many).outcome, Outcome::kRefused);
  EXPECT_EQ(store_->Commit({}).outcome, Outcome::kRefused);
  EXPECT_EQ(store_->Commit(Put("", 0, "x")).outcome, Outcome::kRefused);
  EXPECT_EQ(store_->Commit(Put(std::string(kMaxRecordKeyBytes + 1, 'k'), 0, "x")).outcome, Outcome::kRefused);
  EXPECT_EQ(store_->Commit(Put(Key("large"), 0, std::string(kMaxCommitBytes, 'x'))).outcome, Outcome::kRefused);
  EXPECT_EQ(store_->Commit({.changes = {{Key("x"), "1"}, {Key("x"), "2"}}}).outcome, Outcome::kRefused);
  Done(Put(Key("large"), 0, std::string(kMaxCommitBytes - 100, 'x')));
}

// Many add to one number, each by reading and committing; none is lost.
TEST_P(TopologyStoreTest, NoCommitIsLostAmongMany) {
  constexpr int kThreads = 4;
  const int each = GetParam() == "memory" ? 200 : 15;
  Done(Put(Key("n"), 0, "0"));
  std::vector<TopologyStore*> stores;
  for (int i = 0; i < kThreads; ++i) stores.push_back(Another());
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (TopologyStore* const store : stores) {
    threads.emplace_back([&, store] {
      for (int done = 0; done < each;) {
        const Result<TopologySnapshot> read = store->Read(Key("n"));
        if (!read.ok()) return static_cast<void>(++failures);
        const Record& record = read->records.at(Key("n"));
        const CommitResult result =
            store->Commit(Put(Key("n"), record.revision, std::to_string(std::stoi(record.value) + 1)));
        if (result.outcome == Outcome::kDone) {
          ++done;
        } else if (result.outcome != Outcome::kConflict) {
          return static_cast<void>(++failures);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
  EXPECT_EQ(store_->Read(Key("n"))->records.at(Key("n")).value, std::to_string(kThreads * each));
}

TEST_P(TopologyStoreTest, AWatchTellsWhatIsAndWhatBecomesOfIt) {
  Done(Put(Key("old"), 0, "1"));
  Follower follower, from_known;
  const TopologySnapshot known = *store_->Read(prefix_);
  const std::unique_ptr<TopologyWatch> watch = store_->Watch(prefix_, {}, &follower);
  const std::unique_ptr<TopologyWatch> second = store_->Watch(prefix_, known, &from_known);
  EXPECT_TRUE(follower.AwaitRecords({{Key("old"), "1"}}));
  // Nothing differs from what it knows; it is told so.
  EXPECT_TRUE(Await([&] { return from_known.calls() == 1; }));
  EXPECT_TRUE(from_known.records().empty());
  TopologyStore* const other = Another();
  EXPECT_EQ(other->Commit(Put(Key("new"), 0, "2")).outcome, Outcome::kDone);
  EXPECT_EQ(other->Commit(Put(prefix_.substr(0, prefix_.size() - 1) + "beside", 0, "3")).outcome, Outcome::kDone);
  EXPECT_TRUE(follower.AwaitRecords({{Key("old"), "1"}, {Key("new"), "2"}}));
  EXPECT_TRUE(from_known.AwaitRecords({{Key("new"), "2"}}));
  Done({.changes = {{Key("old"), std::nullopt}, {Key("new"), "4"}}});
  EXPECT_TRUE(follower.AwaitRecords({{Key("new"), "4"}}));
  EXPECT_FALSE(follower.went_back());
  EXPECT_EQ(follower.troubles(), 0);
}

TEST_P(TopologyStoreTest, WatchesKeepUpWithManyCommitsAndEndAtOnce) {
  Follower follower;
  std::unique_ptr<TopologyWatch> watch = store_->Watch(prefix_, {}, &follower);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 60; ++i) {
    const std::string key = Key(std::to_string(i % 7));
    if (i % 5 == 4) {
      Done({.changes = {{key, std::nullopt}, {Key("x"), std::to_string(i)}}});
      expected.erase(key);
      expected[Key("x")] = std::to_string(i);
    } else {
      Done({.changes = {{key, std::to_string(i)}}});
      expected[key] = std::to_string(i);
    }
  }
  EXPECT_TRUE(follower.AwaitRecords(expected));
  EXPECT_FALSE(follower.went_back());
  watch.reset();
  const int calls = follower.calls();
  Done({.changes = {{Key("y"), "unheard"}}});
  EXPECT_EQ(follower.calls(), calls);
}

INSTANTIATE_TEST_SUITE_P(Stores, TopologyStoreTest, ::testing::Values("memory", "file", "etcd"),
                         [](const auto& kind) { return kind.param; });

// --- Of single stores.

TEST(TopologyMirrorTest, DifferencesAndNoWayBack) {
  TopologyMirror mirror({.revision = 5, .records = {{"a", {"1", 3}}, {"b", {"2", 4}}}});
  EXPECT_FALSE(mirror.Advance({.revision = 4, .records = {}}).has_value());
  const auto changes = mirror.Advance({.revision = 7, .records = {{"b", {"3", 6}}, {"c", {"4", 7}}}});
  ASSERT_TRUE(changes.has_value());
  EXPECT_EQ(*changes, (TopologyWatcher::Changes{{"a", std::nullopt}, {"b", Record{"3", 6}}, {"c", Record{"4", 7}}}));
  EXPECT_TRUE(mirror.Apply(7, {{"b", std::nullopt}}).empty());
  EXPECT_EQ(mirror.Apply(8, {{"b", std::nullopt}}).size(), 1u);
  const auto rest = mirror.Advance({.revision = 9, .records = {{"c", {"4", 7}}}});
  ASSERT_TRUE(rest.has_value());
  EXPECT_TRUE(rest->empty());
}

TEST(MemoryTopologyStoreTest, FailsAsTold) {
  using Fault = MemoryTopologyStore::Fault;
  MemoryTopologyStore store(Env::Default());
  Follower follower;
  const std::unique_ptr<TopologyWatch> watch = store.Watch("", {}, &follower);
  store.SetFault(Fault::kUnknownLost);
  EXPECT_EQ(store.Commit(Put("a", 0, "1")).outcome, Outcome::kUnknown);
  EXPECT_TRUE(store.Read("")->records.empty());
  store.SetFault(Fault::kUnknownApplied);
  EXPECT_EQ(store.Commit(Put("a", 0, "1")).outcome, Outcome::kUnknown);
  EXPECT_TRUE(follower.AwaitRecords({{"a", "1"}}));
  store.SetFault(Fault::kUnavailable);
  EXPECT_STATUS(kUnavailable, store.Read(""));
  EXPECT_EQ(store.Commit(Put("a", 0, "1")).outcome, Outcome::kUnavailable);
  EXPECT_TRUE(Await([&] { return follower.troubles() == 1; }));
  const int calls = follower.calls();
  store.SetFault(Fault::kNone);
  EXPECT_TRUE(Await([&] { return follower.calls() > calls; }));  // it can be asked again
}

TEST(TopologyFileTest, IsWhatPeopleWriteAndNothingElse) {
  const Result<TopologySnapshot> state = DecodeTopologyFile(
      R"({"format": 1, "records": [{"key": "a", "value": "x"}, {"key64": "AP8=", "value64": "", "revision": 1}]})");
  ASSERT_OK(state);
  EXPECT_EQ(state->revision, 1u);
  EXPECT_EQ(state->records, (std::map<std::string, Record>{{"a", {"x", 1}}, {std::string("\0\xff", 2), {"", 1}}}));
  const Result<TopologySnapshot> again = DecodeTopologyFile(EncodeTopologyFile(*state));
  ASSERT_OK(again);
  EXPECT_EQ(again->records, state->records);
  EXPECT_STATUS(kNotSupported, DecodeTopologyFile(R"({"format": 2, "records": []})"));
  for (const char* const wrong :
       {"", "[]", "{}", R"({"format": 1})", R"({"format": 1, "records": {}})", R"({"format": 1, "records": [1]})",
        R"({"format": 1, "records": [{"key": "a"}]})", R"({"format": 1, "records": [{"key": "", "value": ""}]})",
        R"({"format": 1, "records": [{"key": "a", "value64": "!"}]})", R"({"format": "x", "records": []})",
        R"({"format": 1, "revision": -1, "records": []})",
        R"({"format": 1, "records": [{"key": "a", "value": "", "revision": 2}]})",
        R"({"format": 1, "records": [{"key": "a", "value": ""}, {"key": "a", "value": ""}]})"}) {
    EXPECT_STATUS(kCorruption, DecodeTopologyFile(wrong)) << wrong;
  }
}

TEST(Base64Test, ThereAndBack) {
  EXPECT_EQ(EncodeBase64(""), "");
  EXPECT_EQ(EncodeBase64("f"), "Zg==");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8=");
  EXPECT_EQ(EncodeBase64("foo"), "Zm9v");
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    std::string bytes(random.Uniform(50), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
  }
  for (const char* const wrong : {"Z", "Zg", "Zg=", "=g==", "Zh==", "Zm9=", "Zm9v====", "Z===", "Zg==Zg==", "Z!=="}) {
    EXPECT_FALSE(DecodeBase64(wrong).has_value()) << wrong;
  }
}

TEST(FileTopologyStoreTest, AFixedTopologyIsReadAndNeverWritten) {
  const varve::test::TempDir dir;
  const std::string path = dir.Sub("fixed");
  FileTopologyStore fixed(path, {.is_fixed = true}, Env::Default());
  EXPECT_STATUS(kUnavailable, fixed.Read(""));
  FileTopologyStore writer(path, {}, Env::Default());
  ASSERT_EQ(writer.Commit(Put("a", 0, "1")).outcome, Outcome::kDone);
  EXPECT_EQ(fixed.Read("")->records.size(), 1u);
  EXPECT_EQ(fixed.Commit(Put("b", 0, "1")).outcome, Outcome::kRefused);
  Follower follower;
  const std::unique_ptr<TopologyWatch> watch = fixed.Watch("", {}, &follower);
  EXPECT_TRUE(follower.AwaitRecords({{"a", "1"}}));
}

// Every call of the file system fails once: what the outcome says is what there is.
TEST(FileTopologyStoreTest, FailuresAreToldAsWhatTheyAre) {
  for (uint64_t call = 1;; ++call) {
    CrashEnv env;
    ASSERT_OK(env.CreateDir("/d"));
    FileTopologyStore store("/d/topology", {.lock_timeout_nanos = 0}, &env);
    ASSERT_EQ(store.Commit(Put("a", 0, "1")).outcome, Outcome::kDone);
    env.FailCall(call, Fault::kEio, FaultSpan::kOnce, {});
    const CommitResult result = store.Commit({.changes = {{"a", "2"}}});
    const bool was_reached = env.fault_count() > 0;
    env.ClearFaults();
    const Result<TopologySnapshot> read = store.Read("");
    ASSERT_OK(read);
    const std::string value = read->records.at("a").value;
    if (result.outcome == Outcome::kDone) {
      EXPECT_EQ(value, "2") << call;
    } else if (result.outcome == Outcome::kUnavailable) {
      EXPECT_EQ(value, "1") << call;
    } else {
      EXPECT_EQ(result.outcome, Outcome::kUnknown) << call;
    }
    if (!was_reached) break;
    ASSERT_LT(call, 1000u);
  }
}

// The power is cut at every call of a commit, and behind it: the file is the old one or the new one, and the new one
// when the commit was done.
TEST(FileTopologyStoreTest, PowerCutsLeaveTheOldOrTheNew) {
  CrashEnv env;
  ASSERT_OK(env.CreateDir("/d"));
  ASSERT_OK(env.SyncDir("/"));
  FileTopologyStore store("/d/topology", {}, &env);
  ASSERT_EQ(store.Commit(Put("a", 0, "1")).outcome, Outcome::kDone);
  std::vector<std::unique_ptr<CrashEnv>> worlds;
  env.SetCallHook([&](const CallInfo&) {
    worlds.push_back(env.CloneAfterPowerCut(PowerCut::LoseUnsynced()));
    for (uint64_t seed = 0; seed < 5; ++seed) worlds.push_back(env.CloneAfterPowerCut(PowerCut::Torn(seed)));
  });
  ASSERT_EQ(store.Commit({.changes = {{"a", "2"}}}).outcome, Outcome::kDone);
  env.SetCallHook({});
  EXPECT_GT(worlds.size(), 20u);
  const size_t during = worlds.size();
  worlds.push_back(env.CloneAfterPowerCut(PowerCut::LoseUnsynced()));
  for (size_t i = 0; i < worlds.size(); ++i) {
    FileTopologyStore after("/d/topology", {}, worlds[i].get());
    const Result<TopologySnapshot> read = after.Read("");
    ASSERT_OK(read);
    const std::string value = read->records.at("a").value;
    EXPECT_TRUE(value == "2" || (value == "1" && i < during)) << i << value;
  }
}

}  // namespace topology_store_test
}  // namespace varve::node::test
