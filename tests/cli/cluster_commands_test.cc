#include <gtest/gtest.h>

#include <sstream>

#include "cli/cluster_plan.h"
#include "cli/cluster_report.h"
#include "cli/cluster_status.h"
#include "cluster/topology_change.h"
#include "tests/cli/cli_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace varve::cli {
namespace cluster_commands_test {

using cluster::MemberState;
using cluster::NodeId;
using Color = ClusterVerdict::Color;

class ClusterCommandsTest : public CliTest {
 protected:
  ClusterCommandsTest() : where_("file:" + dir_.path() + "/topology.json") {
    environment_.variable = [this](const char* name) -> std::optional<std::string> {
      if (std::string_view(name) == "VARVE_CLUSTER_TOPOLOGY") return where_;
      return std::nullopt;
    };
  }

  int Cluster(std::vector<std::string> words) {
    words.insert(words.begin(), "cluster");
    return RunLine(words);
  }
  void Init() {
    ASSERT_EQ(Cluster({"init", Node(1), Node(2), Node(3), "--partitions", "16"}), kExitOk) << err_;
  }
  // Nobody listens at port 1.
  static std::string Node(int id) { return std::to_string(id) + "=127.0.0." + std::to_string(id) + ":1/1"; }
  node::ClusterState Read() {
    const auto store = node::ClusterStore::Open(where_, Env::Default());
    Result<node::ClusterState> state = (*store)->Read();
    EXPECT_TRUE(state.ok()) << state.status().ToString();
    return *std::move(state);
  }

  test::TempDir dir_;
  std::string where_;
};

TEST_F(ClusterCommandsTest, InitMakesAClusterOnce) {
  Init();
  const node::ClusterState state = Read();
  EXPECT_EQ(state.topology.members.size(), 3u);
  EXPECT_EQ(state.topology.placement.partitions(), 16u);
  EXPECT_EQ(PartitionsToMove(state.topology), 0u);
  EXPECT_NE(state.topology.cluster, 0u);
  EXPECT_NE(state.settings.secret[0], state.settings.secret[1]);
  EXPECT_EQ(state.settings.write_quorum, 2u);
  EXPECT_EQ(state.topology.last_actor, cluster::kNoActor);
  EXPECT_EQ(Cluster({"init", Node(1)}), kExitUsage);
  EXPECT_NE(err_.find("there is a cluster already"), std::string::npos) << err_;
}

TEST_F(ClusterCommandsTest, AFixedClusterHasItsNamesFromTheStart) {
  ASSERT_EQ(Cluster({"init", Node(1), Node(2), Node(3), "--fixed"}), kExitOk) << err_;
  const cluster::Topology topology = Read().topology;
  for (const cluster::Member& member : topology.members) EXPECT_EQ(Value(member.actor), Value(member.id));
  where_.replace(0, 4, "fixed");
  EXPECT_EQ(Cluster({"join", Node(4), "--yes"}), kExitUsage);
  EXPECT_NE(err_.find("the topology is fixed"), std::string::npos) << err_;
  EXPECT_EQ(Read().topology, topology);
}

TEST_F(ClusterCommandsTest, JoinIsPlannedThenCommitted) {
  Init();
  const cluster::Topology before = Read().topology;
  ASSERT_EQ(Cluster({"join", Node(4) + "@rack b", "--offline"}), kExitOk) << err_;
  EXPECT_NE(out_.find("node 4 joins at 127.0.0.4:1/1 in rack rack b"), std::string::npos) << out_;
  EXPECT_NE(out_.find("nothing has changed yet"), std::string::npos);
  EXPECT_EQ(Read().topology, before);
  ASSERT_EQ(Cluster({"commit"}), kExitOk) << err_;
  const node::ClusterState after = Read();
  EXPECT_EQ(Value(after.topology.epoch), Value(before.epoch) + 1);
  EXPECT_EQ(after.topology.Find(NodeId{4})->state, MemberState::kJoining);
  EXPECT_GT(PartitionsToMove(after.topology), 0u);
  EXPECT_EQ(after.plan, "");
  EXPECT_EQ(Cluster({"commit"}), kExitUsage);
  EXPECT_NE(err_.find("nothing is planned"), std::string::npos);
}

TEST_F(ClusterCommandsTest, PlansGrowAndCanBeForgotten) {
  Init();
  ASSERT_EQ(Cluster({"join", Node(4), "--offline"}), kExitOk) << err_;
  ASSERT_EQ(Cluster({"leave", "1", "--offline", "--json"}), kExitOk) << err_;
  EXPECT_NE(out_.find("\"changes\":[\"node 4 joins at 127.0.0.4:1/1\",\"node 1 leaves\"]"), std::string::npos) << out_;
  ASSERT_EQ(Cluster({"plan", "--discard"}), kExitOk);
  ASSERT_EQ(Cluster({"plan"}), kExitOk);
  EXPECT_EQ(out_, "nothing is planned\n");
}

TEST_F(ClusterCommandsTest, APlanForAnotherEpochIsNotCommitted) {
  Init();
  ASSERT_EQ(Cluster({"join", Node(4), "--offline"}), kExitOk) << err_;
  // Somebody changes the topology, and the plan stays.
  const auto store = node::ClusterStore::Open(where_, Env::Default());
  const node::ClusterState state = Read();
  cluster::TopologyChange change(state.topology);
  ASSERT_OK(change.GiveActor(NodeId{1}).status());
  ASSERT_EQ((*store)->AdvanceTopology(state.topology_revision, state.settings_revision, cluster::EncodeTopology(change.topology())).outcome,
            node::CommitResult::Outcome::kDone);
  EXPECT_EQ(Cluster({"commit"}), kExitError);
  EXPECT_NE(err_.find("the plan was made for epoch"), std::string::npos) << err_;
  EXPECT_EQ(Read().topology, change.topology());
  // Shown again, it is for the new one.
  ASSERT_EQ(Cluster({"plan", "--offline"}), kExitOk);
  EXPECT_EQ(Cluster({"commit", "--epoch", std::to_string(Value(state.topology.epoch))}), kExitError);
  EXPECT_EQ(Cluster({"commit"}), kExitOk) << err_;
}

// Each reads, then each commits: one of them must lose.
TEST_F(ClusterCommandsTest, TwoAdministratorsCannotCollide) {
  Init();
  const auto store = node::ClusterStore::Open(where_, Env::Default());
  const node::ClusterState state = Read();
  const auto planned = MakePlannedTopology(state.topology, {{.kind = ClusterChange::Kind::kLeave, .node = NodeId{1}}}, 2);
  ASSERT_TRUE(planned.ok());
  ASSERT_EQ(Cluster({"leave", "2", "--yes"}), kExitOk) << err_;
  const cluster::Topology winner = Read().topology;
  EXPECT_EQ((*store)->ReplaceTopology(state, planned->next).code(), StatusCode::kConflict);
  EXPECT_EQ((*store)->ReplacePlan(state, "x").code(), StatusCode::kConflict);
  EXPECT_EQ(Read().topology, winner);
}

TEST_F(ClusterCommandsTest, WhoLeavesGivesAllAway) {
  Init();
  ASSERT_EQ(Cluster({"join", Node(4), "--yes"}), kExitOk) << err_;
  ASSERT_EQ(Cluster({"leave", "4", "--yes"}), kExitOk) << err_;
  const cluster::Topology topology = Read().topology;
  EXPECT_EQ(topology.Find(NodeId{4})->state, MemberState::kLeaving);
  EXPECT_FALSE(topology.IsUsed(NodeId{4}));
  ASSERT_EQ(Cluster({"status", "--offline"}), kExitOk);
  EXPECT_NE(out_.find("node 4 holds nothing any more"), std::string::npos) << out_;
  ASSERT_EQ(Cluster({"remove", "4", "--yes"}), kExitOk) << err_;
  EXPECT_EQ(Read().topology.Find(NodeId{4})->state, MemberState::kRemoved);
  EXPECT_EQ(Cluster({"join", Node(4)}), kExitUsage);
}

TEST_F(ClusterCommandsTest, WhoReplacesTakesWhatTheOtherHad) {
  Init();
  ASSERT_EQ(Cluster({"replace", "2", Node(5), "--yes"}), kExitOk) << err_;
  const cluster::Topology topology = Read().topology;
  EXPECT_EQ(CopiesByNode(topology.target), (std::map<NodeId, uint32_t>{{NodeId{1}, 16}, {NodeId{3}, 16}, {NodeId{5}, 16}}));
  EXPECT_EQ(topology.Find(NodeId{2})->state, MemberState::kLeaving);
}

TEST_F(ClusterCommandsTest, NonsenseIsRefused) {
  const std::vector<std::vector<std::string>> lines = {
      {"jion"}, {"init"}, {"init", "1"}, {"init", "0=a:1/1"}, {"init", "1=a:1"}, {"init", "1=a:1/0"}, {"init", "1=a/b:1/1"},
      {"init", Node(1), Node(1)}, {"init", Node(1), "--copies", "0"}, {"init", Node(1), "--partitions", "3"},
      {"init", Node(1), "--read", "4"}, {"init", Node(1), "--conflicts", "last"}, {"leave"}, {"plan", "x"}};
  for (const auto& words : lines) EXPECT_EQ(Cluster(words), kExitUsage) << testing::PrintToString(words) << err_;
  EXPECT_EQ(Cluster({"status"}), kExitError);
  EXPECT_NE(err_.find("there is no cluster yet"), std::string::npos) << err_;
  Init();
  EXPECT_EQ(Cluster({"leave", "7"}), kExitUsage);
  EXPECT_EQ(Cluster({"join", "4=127.0.0.1:1/1"}), kExitUsage);
  EXPECT_EQ(Cluster({"leave", "1", "2", "3"}), kExitUsage);
  where_ = "zookeeper:x";
  EXPECT_EQ(Cluster({"status"}), kExitUsage);
}

TEST_F(ClusterCommandsTest, WithoutNodesTheClusterIsRed) {
  Init();
  EXPECT_EQ(Cluster({"status", "--json"}), kExitError);
  EXPECT_NE(out_.find("{\"status\":\"red\""), std::string::npos) << out_;
  EXPECT_EQ(Cluster({"repair"}), kExitError);
  EXPECT_EQ(Cluster({"status", "--offline"}), kExitOk);
  EXPECT_EQ(out_.substr(0, 6), "green:") << out_;
}

TEST(ClusterPlanTest, TextIsReadBackAsItWas) {
  ClusterPlan plan{.epoch = cluster::Epoch{7}, .changes = {}};
  ClusterChange change{.kind = ClusterChange::Kind::kReplace, .node = NodeId{3}};
  change.joins = {.id = NodeId{9}, .weight = 4, .rack = "row 2 = b", .address = "h:1/2"};
  plan.changes = {{.kind = ClusterChange::Kind::kLeave, .node = NodeId{1}}, change,
                  {.kind = ClusterChange::Kind::kRemove, .node = NodeId{2}}};
  change.kind = ClusterChange::Kind::kJoin;
  change.node = cluster::kNoNode;
  change.joins.rack = "";
  plan.changes.push_back(change);
  const Result<ClusterPlan> read = DecodeClusterPlan(EncodeClusterPlan(plan));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(*read, plan);
  for (const char* text : {"leave 1\n", "epoch x\n", "epoch 1\nleave\n", "epoch 1\nleave 1 2\n", "epoch 1\ngo 1\n"}) {
    EXPECT_FALSE(DecodeClusterPlan(text).ok()) << text;
  }
}

// --- Namespaces

TEST_F(ClusterCommandsTest, NamespacesAreMadeChangedAndShown) {
  Init();
  ASSERT_EQ(Cluster({"namespace"}), kExitOk) << err_;
  EXPECT_EQ(out_, "");
  ASSERT_EQ(Cluster({"namespace", "create", "carts"}), kExitOk) << err_;
  ASSERT_EQ(Cluster({"namespace", "create", "sessions", "--conflicts", "lww", "--read", "1", "--write", "1"}), kExitOk) << err_;
  EXPECT_EQ(out_, "@carts/...\tsiblings\t2\t2\n@sessions/...\tlww\t1\t1\n");
  EXPECT_EQ(Cluster({"namespace", "create", "carts"}), kExitUsage);
  EXPECT_NE(err_.find("already"), std::string::npos) << err_;
  EXPECT_EQ(Cluster({"namespace", "create", "a/b"}), kExitUsage);
  EXPECT_EQ(Cluster({"namespace", "create", "x", "--read", "4"}), kExitUsage);
  EXPECT_EQ(Cluster({"namespace", "create", "x", "--conflicts", "cas"}), kExitUsage);
  EXPECT_EQ(Cluster({"namespace", "set", "sessions", "--conflicts", "siblings"}), kExitUsage);
  EXPECT_EQ(Cluster({"namespace", "set", "sessions"}), kExitUsage);
  EXPECT_EQ(Cluster({"namespace", "set", "x", "--read", "1"}), kExitUsage);
  EXPECT_EQ(Cluster({"namespace", "drop", "carts"}), kExitUsage);
  ASSERT_EQ(Cluster({"namespace", "set", "sessions", "--write", "3"}), kExitOk) << err_;
  ASSERT_EQ(Cluster({"namespace", "list", "--json"}), kExitOk);
  EXPECT_EQ(out_, "[{\"namespace\":\"carts\",\"conflicts\":\"siblings\",\"read\":2,\"write\":2},"
                  "{\"namespace\":\"sessions\",\"conflicts\":\"lww\",\"read\":1,\"write\":3}]\n");
  EXPECT_EQ(Read().settings.namespaces.at("sessions").least_write, 1u);
  EXPECT_EQ(Cluster({"status", "--offline"}), kExitOk);
  EXPECT_NE(out_.find("@sessions/...\tlww\t1\t3\n"), std::string::npos) << out_;
}

// Each reads, then each writes: one of them must lose. And a node that has not heard of it moves nothing.
TEST_F(ClusterCommandsTest, SettingsAreChangedByCompareAndSwap) {
  Init();
  const auto store = node::ClusterStore::Open(where_, Env::Default());
  const node::ClusterState state = Read();
  ASSERT_EQ(Cluster({"namespace", "create", "one"}), kExitOk) << err_;
  node::ClusterSettings next = state.settings;
  ASSERT_OK(node::AddNamespace("two", cluster::ConflictPolicy::kLww, 2, 2, &next));
  EXPECT_EQ((*store)->ReplaceSettings(state, next).code(), StatusCode::kConflict);
  EXPECT_EQ(Read().settings.namespaces.size(), 1u);
  const auto advanced = (*store)->AdvanceTopology(state.topology_revision, state.settings_revision,
                                                  cluster::EncodeTopology(state.topology));
  EXPECT_EQ(advanced.outcome, node::CommitResult::Outcome::kConflict);
  EXPECT_TRUE(advanced.current.contains((*store)->settings_key()));
}

// --- The verdict

class VerdictTest : public testing::Test {
 protected:
  VerdictTest() {
    std::vector<cluster::Member> members;
    for (uint64_t id = 1; id <= 4; ++id) members.push_back({.id = NodeId{id}, .address = std::to_string(id)});
    state_.topology = *MakeFirstTopology(4, 3, members);
    for (uint64_t id = 1; id <= 4; ++id) {
      Say(id, "cluster_current_epoch:" + std::to_string(Value(state_.topology.epoch)) + "\nvarve_settings_revision:7");
    }
    state_.settings_revision = 7;
  }
  void Say(uint64_t node, const std::string& lines) {
    answers_[NodeId{node}].info = ServerInfo(lines + "\nvarve_stored_bytes:1000\n");
  }
  ClusterVerdict Verdict() { return Judge(state_, answers_); }

  node::ClusterState state_;
  NodeAnswers answers_;
};

TEST_F(VerdictTest, AllAsItShallBeIsGreen) {
  EXPECT_EQ(Verdict().color, Color::kGreen);
  EXPECT_EQ(Verdict().reasons.size(), 0u);
  EXPECT_EQ(BytesOfACopy(state_, answers_), 4000.0 / 48);
}

TEST_F(VerdictTest, OneSilentNodeIsYellowAndTwoAreRed) {
  answers_[NodeId{2}].error = "refused";
  EXPECT_EQ(Verdict().color, Color::kYellow);
  answers_[NodeId{3}].error = "refused";
  EXPECT_EQ(Verdict().color, Color::kRed);
  EXPECT_NE(Verdict().reasons[0].find("cannot be read"), std::string::npos);
}

TEST_F(VerdictTest, WhatIsNotAsItShallBeIsNamed) {
  const std::string epoch = "cluster_current_epoch:" + std::to_string(Value(state_.topology.epoch));
  Say(1, "cluster_current_epoch:1\nvarve_settings_revision:6");
  Say(2, epoch + "\nvarve_hints:3\nvarve_actor:0");
  Say(3, epoch + "\nvarve_unreachable:4\nvarve_topology_trouble:no route");
  Say(4, "");
  const ClusterVerdict verdict = Verdict();
  EXPECT_EQ(verdict.color, Color::kYellow);
  EXPECT_EQ(verdict.reasons.size(), 7u) << testing::PrintToString(verdict.reasons);
}

TEST_F(VerdictTest, NamespacesAreJudgedByTheirOwnQuorums) {
  ASSERT_OK(node::AddNamespace("all", cluster::ConflictPolicy::kSiblings, 1, 3, &state_.settings));
  EXPECT_EQ(Verdict().color, Color::kGreen);
  answers_[NodeId{2}].error = "refused";
  const ClusterVerdict verdict = Verdict();
  EXPECT_EQ(verdict.color, Color::kRed);
  EXPECT_EQ(verdict.reasons[0].find("of namespace all, "), 0u) << verdict.reasons[0];
  EXPECT_NE(verdict.reasons[0].find("cannot be written"), std::string::npos);
}

TEST_F(VerdictTest, MovesAreYellowAndNeedBothSets) {
  const auto planned = MakePlannedTopology(state_.topology, {{.kind = ClusterChange::Kind::kLeave, .node = NodeId{1}}}, 3);
  ASSERT_TRUE(planned.ok());
  state_.topology = planned->next;
  EXPECT_EQ(Verdict().color, Color::kYellow);
  // All copies lie on 2, 3 and 4 then: without 4 the next sets of what moves have their quorum still.
  cluster::TopologyChange change(state_.topology);
  for (uint16_t p = 0; p < 16; ++p) static_cast<void>(change.StartMove(cluster::PartitionId{p}));
  state_.topology = change.topology();
  ASSERT_FALSE(state_.topology.moves.empty());
  EXPECT_EQ(Verdict().color, Color::kYellow);
  answers_[NodeId{4}].error = answers_[NodeId{3}].error = "gone";
  EXPECT_EQ(Verdict().color, Color::kRed);
}

// --- What a plan costs

class PlanReportTest : public VerdictTest {
 protected:
  void Store(uint64_t node, uint64_t bytes) {
    answers_[NodeId{node}].info = ServerInfo("varve_stored_bytes:" + std::to_string(bytes));
  }
  std::string Plan(const ClusterChange& change, bool json) {
    const auto planned = MakePlannedTopology(state_.topology, {change}, 3);
    EXPECT_TRUE(planned.ok());
    std::istringstream in;
    std::ostringstream out;
    const Console console{.in = in, .out = out, .err = out};
    const Arguments arguments;
    const Backend backend;
    PrintPlan({.arguments = arguments, .console = console, .backend = backend, .dir = "", .json = json}, state_,
              {.epoch = state_.topology.epoch, .changes = {change}}, *planned, answers_);
    return out.str();
  }
  ClusterChange Leave(uint64_t node) { return {.kind = ClusterChange::Kind::kLeave, .node = NodeId{node}}; }
};

// 48 copies of 16 MiB, 12 on each of four nodes. Of the twelve that go each of the others gets four: 64 MiB, in two seconds.
TEST_F(PlanReportTest, TellsBytesAndTime) {
  for (uint64_t node = 1; node <= 4; ++node) Store(node, uint64_t{12 * 16} << 20);
  const std::string json = Plan(Leave(4), true);
  EXPECT_NE(json.find("\"copies_to_make\":12,\"bytes\":201326592,\"seconds\":2,"), std::string::npos) << json;
  const std::string text = Plan(Leave(4), false);
  EXPECT_NE(text.find("12 copies of partitions are made"), std::string::npos) << text;
  EXPECT_NE(text.find("; 201 MB, at least 2.0 s, as a node takes 33.6 MB/s at most\n"), std::string::npos) << text;
}

// All go to one node: the time is that of the node which gets the most.
TEST_F(PlanReportTest, OneNodeThatGetsAllTakesLonger) {
  for (uint64_t node = 1; node <= 4; ++node) Store(node, uint64_t{12 * 16} << 20);
  const std::string json = Plan({.kind = ClusterChange::Kind::kReplace, .node = NodeId{4}, .joins = {.id = NodeId{5}, .address = "5"}}, true);
  EXPECT_NE(json.find("\"copies_to_make\":12,\"bytes\":201326592,\"seconds\":6,"), std::string::npos) << json;
}

// A node that is dead says nothing, and is what plans are often about.
TEST_F(PlanReportTest, OfSilentNodesTheOthersTellWhatACopyHas) {
  for (uint64_t node = 1; node <= 3; ++node) Store(node, uint64_t{12 * 16} << 20);
  answers_[NodeId{4}] = {.error = "refused"};
  EXPECT_NE(Plan(Leave(4), true).find("\"bytes\":201326592,\"seconds\":2,"), std::string::npos);
  answers_.clear();
  EXPECT_EQ(Plan(Leave(4), true).find("bytes"), std::string::npos);
  EXPECT_EQ(Plan(Leave(4), false).find("at least"), std::string::npos);
}

}  // namespace cluster_commands_test
}  // namespace varve::cli
