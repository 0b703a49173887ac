#include "cluster/get_operation.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "cluster/coordinator.h"
#include "tests/cluster/core_world.h"

namespace varve::cluster::test {
namespace get_operation_test {

// Without a network: whom reads ask. Node 1 coordinates, nodes 1, 2 and 3 are the replicas.
class ReadsTest : public ::testing::Test {
 protected:
  RequestOptions Options(Level level = Level::kQuorum) {
    return {.sets = world_.SharedNow(), .level = level, .deadline = 2000 * kMilli};
  }
  // Who has been asked to read since the last call.
  std::vector<uint64_t> Asked() {
    std::vector<uint64_t> asked;
    for (const Action& action : std::exchange(actions_, {})) {
      const auto* send = std::get_if<Send>(&action);
      if (send == nullptr || !std::holds_alternative<ReadRequest>(send->message.body)) continue;
      asked.push_back(Value(send->message.to));
      number_ = send->message.request;
    }
    return asked;
  }
  // The first of the next reads that does not ask all.
  std::vector<uint64_t> BeginSparingRead(Nanos now) {
    for (uint64_t client = 1; client <= 40 * GetOperation::kReadsPerRepair; ++client) {
      coordinator_.Get(client, {"k", Options()}, now, &actions_);
      if (std::vector<uint64_t> asked = Asked(); asked.size() < 3) return asked;
    }
    ADD_FAILURE() << "all reads ask all";
    return {};
  }
  void Reply(uint64_t from, ReplyCode code, Nanos now) {
    Reply(from, ReadReply{code, code == ReplyCode::kOk ? KeyState().Encode() : ""}, now);
  }
  void Reply(uint64_t from, Message::Body body, Nanos now = kMilli) {
    coordinator_.OnMessage({.from = NodeId{from}, .to = NodeId{1}, .request = number_, .body = std::move(body)}, now, &actions_);
  }
  // Of writes that have seen nothing, each by an actor of its own.
  static std::string StateOf(const std::vector<std::string>& values) {
    KeyState state;
    for (const std::string& value : values) {
      state.Put({}, {ActorId{static_cast<uint32_t>(value[0])}, 1}, value, 0, ConflictPolicy::kSiblings);
    }
    return state.Encode();
  }
  // What it has answered since the last call, and whom it has told to merge what.
  using Merges = std::map<uint64_t, std::string>;
  std::pair<std::vector<std::string>, Merges> Answered() {
    std::pair<std::vector<std::string>, Merges> answered;
    for (const Action& action : std::exchange(actions_, {})) {
      if (const auto* finish = std::get_if<FinishGet>(&action)) answered.first = finish->values;
      const auto* send = std::get_if<Send>(&action);
      const auto* merge = send == nullptr ? nullptr : std::get_if<MergeRequest>(&send->message.body);
      if (merge != nullptr) answered.second[Value(send->message.to)] = merge->state;
    }
    return answered;
  }

  CoreWorld world_{1, 3, 2, ConflictPolicy::kSiblings};  // for its sets
  Coordinator coordinator_{{.self = NodeId{1},
                            .policy_of = [](std::string_view) { return ConflictPolicy::kSiblings; },
                            .first_operation = 1}};
  Actions actions_;
  uint64_t number_ = 0;  // of the last read
};

TEST_F(ReadsTest, AskNoMoreThanTheyNeed) {
  std::map<uint64_t, int> second;
  int for_repair = 0;
  constexpr int kReads = 9600;
  for (int client = 0; client < kReads; ++client) {
    coordinator_.Get(static_cast<uint64_t>(client), {"k", Options()}, 0, &actions_);
    const std::vector<uint64_t> asked = Asked();
    if (asked.size() == 3) {
      ++for_repair;
      continue;
    }
    ASSERT_EQ(asked.size(), 2u);
    EXPECT_EQ(asked[0], 1u);
    ++second[asked[1]];
  }
  EXPECT_GT(for_repair, kReads / 16 / 2);
  EXPECT_LT(for_repair, kReads / 16 * 2);
  EXPECT_GT(second[2], kReads / 3);
  EXPECT_GT(second[3], kReads / 3);
}

// Writes come between the reads of SETs.
TEST_F(ReadsTest, EveryOtherNumberIsEvenToo) {
  std::map<uint64_t, int> second;
  for (uint64_t client = 0; client < 2000; ++client) {
    coordinator_.Get(2 * client, {"k", Options()}, 0, &actions_);
    if (const std::vector<uint64_t> asked = Asked(); asked.size() == 2) ++second[asked[1]];
    coordinator_.Put(2 * client + 1, {{.key = "k"}, Options()}, 0, &actions_);
  }
  EXPECT_GT(second[2], 2000 / 3);
  EXPECT_GT(second[3], 2000 / 3);
}

TEST_F(ReadsTest, DoNotAskSuspects) {
  coordinator_.SetSuspect(NodeId{3}, true);
  for (int read = 0; read < 10; ++read) EXPECT_EQ(BeginSparingRead(0), (std::vector<uint64_t>{1, 2}));
}

TEST_F(ReadsTest, AskTheOthersOfWhomTheyGetNoAnswer) {
  const std::vector<uint64_t> asked = BeginSparingRead(0);
  Reply(1, ReplyCode::kOk, kMilli);
  coordinator_.OnTime(9 * kMilli, &actions_);
  EXPECT_TRUE(Asked().empty());
  coordinator_.OnTime(10 * kMilli, &actions_);
  EXPECT_EQ(Asked(), std::vector<uint64_t>{5 - asked[1]});
  Reply(5 - asked[1], ReplyCode::kOk, 11 * kMilli);
  ASSERT_EQ(actions_.size(), 1u);
  EXPECT_EQ(std::get<FinishGet>(actions_[0]).outcome, Outcome::kOk);
}

TEST_F(ReadsTest, AskTheOthersAtOnceWhenRefused) {
  for (const ReplyCode code : {ReplyCode::kUnknownEpoch, ReplyCode::kOverloaded, ReplyCode::kStorageFailed, ReplyCode::kMalformed}) {
    const std::vector<uint64_t> asked = BeginSparingRead(0);
    Reply(asked[1], code, kMilli);
    EXPECT_EQ(Asked(), std::vector<uint64_t>{5 - asked[1]}) << static_cast<int>(code);
  }
}

TEST_F(ReadsTest, MergeWhatDiffersAndRepairWhoLacksIt) {
  coordinator_.Get(1, {"k", Options(Level::kAll)}, 0, &actions_);
  ASSERT_EQ(Asked().size(), 3u);
  Reply(1, ReadReply{ReplyCode::kOk, StateOf({"v"})});
  Reply(2, ReadReply{ReplyCode::kOk, StateOf({"w"})});
  EXPECT_TRUE(actions_.empty());
  Reply(3, ReadReply{ReplyCode::kOk, StateOf({"v", "w"})});
  EXPECT_EQ(Answered(), std::pair(std::vector<std::string>({"v", "w"}), Merges({{1, StateOf({"v", "w"})}, {2, StateOf({"v", "w"})}})));
  EXPECT_EQ(coordinator_.operations(), 0u);
}

TEST_F(ReadsTest, RepairNobodyWhenAllHaveTheSame) {
  coordinator_.Get(1, {"k", Options(Level::kAll)}, 0, &actions_);
  ASSERT_EQ(Asked().size(), 3u);
  for (const uint64_t node : {1, 2, 3}) Reply(node, ReadReply{ReplyCode::kOk, StateOf({"v"})});
  EXPECT_EQ(Answered(), std::pair(std::vector<std::string>({"v"}), Merges()));
  EXPECT_EQ(coordinator_.operations(), 0u);
}

// Of two replies to write-backs the later one overtakes the other. What it has said is repaired though all say the less in the end.
TEST_F(ReadsTest, RememberWhatAReplicaHasSaidBefore) {
  coordinator_.Get(1, {"k", Options(Level::kLinear)}, 0, &actions_);
  ASSERT_EQ(Asked().size(), 3u);
  Reply(3, ReplyCode::kStorageFailed, kMilli);
  Reply(1, ReplyCode::kOk, kMilli);
  Reply(2, ReadReply{ReplyCode::kOk, StateOf({"v"})});
  EXPECT_EQ(Answered().second, Merges({{1, StateOf({"v"})}, {2, StateOf({"v"})}}));
  Reply(1, MergeReply{ReplyCode::kOk, StateOf({"v", "w"})});
  Reply(1, MergeReply{ReplyCode::kOk, StateOf({"v"})});
  EXPECT_EQ(Answered(), std::pair(std::vector<std::string>({"v"}), Merges({{1, StateOf({"v", "w"})}, {2, StateOf({"v", "w"})}})));
}

TEST_F(ReadsTest, OfLinearLevelAskAll) {
  for (uint64_t client = 0; client < 100; ++client) {
    coordinator_.Get(client, {"k", Options(Level::kLinear)}, 0, &actions_);
    EXPECT_EQ(Asked().size(), 3u);
  }
}

}  // namespace get_operation_test
}  // namespace varve::cluster::test
