#include "node/member.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "cluster/key_namespace.h"
#include "cluster/planner.h"
#include "cluster/topology_change.h"
#include "node/memory_topology_store.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace varve::node {
namespace member_test {

using cluster::NodeId;
using Fault = MemoryTopologyStore::Fault;

// A cluster of one node.
class MemberTest : public testing::Test {
 protected:
  MemberTest()
      : memory_(new MemoryTopologyStore(Env::Default())),
        store_(std::unique_ptr<TopologyStore>(memory_), "p/", Env::Default()),
        host_("127." + std::to_string(1 + ::getpid() / 250 % 250) + "." + std::to_string(1 + ::getpid() % 250) + ".99") {
    cluster::TopologyChange change(cluster::NewTopology(1, 2, 1));
    cluster::Member member;
    member.id = NodeId{1};
    member.address = host_ + ":27379/1";
    EXPECT_OK(change.AddMember(member));
    EXPECT_OK(change.SetState(NodeId{1}, cluster::MemberState::kUp));
    const auto plan = cluster::MakePlan(change.topology().placement, {{NodeId{1}, 1, ""}}, 1);
    EXPECT_TRUE(plan.ok() && change.SetTarget(plan->placement).ok());
    EXPECT_OK(store_.Create(change.topology(), {}));
  }
  ~MemberTest() override { Stop(); }

  void Open() {
    auto db = Db::Open(dir_.path() + "/store");
    ASSERT_TRUE(db.ok()) << db.status().ToString();
    db_ = *std::move(db);
  }
  void Start() {
    if (db_ == nullptr) Open();
    Result<ClusterState> state = Member::ReadOrRecall(&store_, db_.get());
    ASSERT_TRUE(state.ok()) << state.status().ToString();
    is_recalled_ = state->topology_revision == 0;
    MemberOptions options;
    options.self = NodeId{1};
    options.boot = "boot";
    options.transport.hosts = {host_};
    auto member = Member::Start(std::move(options), *std::move(state), &store_, db_.get(), Env::Default());
    ASSERT_TRUE(member.ok()) << member.status().ToString();
    member_ = *std::move(member);
  }
  void Stop() {
    member_.reset();
    db_.reset();
  }
  uint64_t Deadline() { return Env::Default()->clock()->MonotonicNanos() + 60'000'000'000; }
  cluster::Outcome Put(const std::string& key) {
    std::promise<cluster::Outcome> outcome;
    member_->Put({.key = key, .value = "v", .deadline = Deadline()},
                 [&outcome](const cluster::FinishPut& finish) { outcome.set_value(finish.outcome); });
    return outcome.get_future().get();
  }
  size_t Get(const std::string& key) {
    std::promise<size_t> values;
    member_->Get({.key = key, .deadline = Deadline()},
                 [&values](const cluster::FinishGet& finish) { values.set_value(finish.values.size()); });
    return values.get_future().get();
  }

  varve::test::TempDir dir_;
  MemoryTopologyStore* const memory_;
  ClusterStore store_;
  const std::string host_;  // that no other process has
  std::unique_ptr<Db> db_;
  std::unique_ptr<Member> member_;
  bool is_recalled_ = false;
};

TEST_F(MemberTest, StartsByWhatItKnewWhileTheStoreIsAway) {
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_FALSE(is_recalled_);
  ASSERT_EQ(Put("key"), cluster::Outcome::kOk);
  Stop();
  memory_->SetFault(Fault::kUnavailable);
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(is_recalled_);
  EXPECT_EQ(Get("key"), 1u);
  EXPECT_EQ(Put("other"), cluster::Outcome::kOk);
  EXPECT_EQ(member_->settings()->copies, 3u);
  // What has changed meanwhile is taken when the store is there again, and known to the next life.
  memory_->SetFault(Fault::kNone);
  const Result<ClusterState> state = store_.Read();
  ASSERT_TRUE(state.ok());
  ClusterSettings next = state->settings;
  ASSERT_OK(AddNamespace("new", cluster::ConflictPolicy::kLww, 1, 1, &next));
  ASSERT_OK(store_.ReplaceSettings(*state, next));
  while (member_->settings()->namespaces.empty()) Env::Default()->clock()->SleepNanos(1'000'000);
  // The member's thread has written it by the time that it does something else.
  EXPECT_EQ(Put(cluster::ReplicaKey("@new/1", cluster::ConflictPolicy::kLww)), cluster::Outcome::kOk);
  Stop();
  memory_->SetFault(Fault::kUnavailable);
  ASSERT_NO_FATAL_FAILURE(Start());
  EXPECT_TRUE(is_recalled_);
  EXPECT_EQ(*member_->settings(), next);
}

// Whoever brings an event may run the core, and takes what others bring meanwhile.
TEST_F(MemberTest, RequestsOfManyThreadsAreEachAnsweredOnce) {
  ASSERT_NO_FATAL_FAILURE(Start());
  constexpr int kThreads = 4;
  constexpr int kEach = 200;
  std::atomic<int> answers{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string key = "k" + std::to_string(t) + "." + std::to_string(i);
        member_->Put({.key = key, .value = "v", .deadline = Deadline()}, [&, key](const cluster::FinishPut& put) {
          EXPECT_EQ(put.outcome, cluster::Outcome::kOk);
          member_->Get({.key = key, .deadline = Deadline()}, [&](const cluster::FinishGet& get) {
            EXPECT_EQ(get.values, std::vector<std::string>{"v"});
            member_->Later(1'000'000, [&] { ++answers; });
          });
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (answers < kThreads * kEach) Env::Default()->clock()->SleepNanos(1'000'000);
  Stop();
  EXPECT_EQ(answers, kThreads * kEach);
}

TEST_F(MemberTest, StopWaitsForWhoeverRunsTheCore) {
  ASSERT_NO_FATAL_FAILURE(Start());
  ASSERT_EQ(Put("key"), cluster::Outcome::kOk);
  std::promise<void> is_answered;
  std::promise<void> may_go_on;
  std::thread asks([&] {
    member_->Get({.key = "key", .deadline = Deadline()}, [&](const cluster::FinishGet&) {
      is_answered.set_value();
      may_go_on.get_future().wait();
    });
  });
  is_answered.get_future().wait();
  std::future<void> stop = std::async(std::launch::async, [&] { member_->Stop(); });
  EXPECT_EQ(stop.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  may_go_on.set_value();
  stop.get();
  asks.join();
  // Nothing is answered any more.
  member_->Get({.key = "key", .deadline = Deadline()}, [](const cluster::FinishGet&) { ADD_FAILURE(); });
}

TEST_F(MemberTest, WhoKnewNothingWaits) {
  memory_->SetFault(Fault::kUnavailable);
  ASSERT_NO_FATAL_FAILURE(Open());
  EXPECT_EQ(Member::ReadOrRecall(&store_, db_.get()).status().code(), StatusCode::kUnavailable);
}

}  // namespace member_test
}  // namespace varve::node
