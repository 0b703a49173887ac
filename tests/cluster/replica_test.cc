#include "cluster/replica.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/cluster/stored_keys.h"

namespace varve::cluster {
namespace replica_test {

constexpr NodeId kSelf{1};
constexpr NodeId kPeer{2};
constexpr PartitionId kPartition{5};

// A replica whose storage answers when the test says so.
class ReplicaTest : public ::testing::Test {
 protected:
  ReplicaTest() { Boot({.actor = ActorId{1}, .epoch = Epoch{3}}); }

  void Boot(const Replica::Durable& durable) {
    actions_.clear();
    Replica::Options options{.self = kSelf, .partition = kPartition, .policy_of = [](std::string_view) {
                               return ConflictPolicy::kSiblings;
                             }};
    options.max_siblings = 3;
    options.max_queued = 4;
    options.lease_size = 8;
    replica_ = std::make_unique<Replica>(options, durable);
    for (const auto& [key, bytes] : stored_) replica_->Load(key, bytes);
    replica_->Start(&actions_);
    RunAll();
  }

  void Receive(Message::Body body, Epoch epoch = Epoch{3}) {
    Message message{
        .from = kPeer, .to = kSelf, .partition = kPartition, .epoch = epoch, .request = ++requests_};
    message.body = std::move(body);
    replica_->OnMessage(message, 1000, &actions_);
  }

  // Does the first storage action. False when there is none.
  bool RunOne(bool writes_fail = false) {
    for (size_t i = 0; i < actions_.size(); ++i) {
      if (std::holds_alternative<Send>(actions_[i]) || std::holds_alternative<LearnTopology>(actions_[i])) {
        continue;
      }
      const Action action = actions_[i];
      actions_.erase(actions_.begin() + static_cast<std::ptrdiff_t>(i));
      if (const auto* read = std::get_if<ReadKey>(&action)) {
        const auto found = stored_.find(read->key);
        std::optional<std::string> bytes;
        if (found != stored_.end()) bytes = found->second;
        replica_->OnKeyRead(read->operation, bytes, &actions_);
      } else if (const auto* write = std::get_if<WriteKey>(&action)) {
        if (writes_fail) {
          replica_->OnKeyWritten(write->operation, Status::IoError("no"), &actions_);
          return true;
        }
        stored_.erase(write->key);
        if (write->bytes) stored_[write->key] = *write->bytes;
        replica_->OnKeyWritten(write->operation, Status::Ok(), &actions_);
      } else if (const auto* lease = std::get_if<PersistLease>(&action)) {
        replica_->OnLeaseDurable(lease->end, &actions_);
      } else if (const auto* epoch = std::get_if<PersistEpoch>(&action)) {
        replica_->OnEpochDurable(epoch->epoch);
      } else if (const auto* list = std::get_if<ListKeys>(&action)) {
        replica_->OnKeysListed(list->operation, test::ListStored(stored_, *list), &actions_);
      } else if (const auto* floor = std::get_if<PersistFloor>(&action)) {
        replica_->OnFloorDurable(floor->floor);
      }
      return true;
    }
    return false;
  }
  void RunAll() {
    while (RunOne()) {
    }
  }

  // The replies so far, which are taken away.
  std::vector<Message> Replies() {
    std::vector<Message> replies;
    for (Action& action : actions_) {
      if (auto* send = std::get_if<Send>(&action)) replies.push_back(std::move(send->message));
    }
    std::erase_if(actions_, [](const Action& action) { return std::holds_alternative<Send>(action); });
    return replies;
  }
  template <typename Body>
  Body OnlyReply() {
    RunAll();
    std::vector<Message> replies = Replies();
    EXPECT_EQ(replies.size(), 1u);
    if (replies.size() != 1) return Body{};
    EXPECT_TRUE(std::holds_alternative<Body>(replies[0].body));
    EXPECT_EQ(replies[0].request, requests_);
    EXPECT_EQ(replies[0].to, kPeer);
    return std::get<Body>(replies[0].body);
  }
  KeyState Read(const std::string& key) {
    Receive(ReadRequest{key});
    return KeyState::Decode(OnlyReply<ReadReply>().state).value();
  }
  static std::string StateWith(Dot dot, const std::string& value) {
    KeyState state;
    state.Put({}, dot, value, 0, ConflictPolicy::kSiblings);
    return state.Encode();
  }

  std::map<std::string, std::string> stored_;
  std::unique_ptr<Replica> replica_;
  Actions actions_;
  uint64_t requests_ = 0;
};

TEST_F(ReplicaTest, UpdatesMergesAndReads) {
  EXPECT_FALSE(Read("k").HasValue());
  Receive(UpdateRequest{.key = "k", .value = "mine"});
  const auto update = OnlyReply<UpdateReply>();
  EXPECT_EQ(update.code, ReplyCode::kOk);
  EXPECT_EQ(update.dot, (Dot{ActorId{1}, 1}));
  Receive(MergeRequest{"k", StateWith({ActorId{2}, 7}, "theirs"), true});
  const auto merge = OnlyReply<MergeReply>();
  EXPECT_EQ(KeyState::Decode(merge.state).value(), Read("k"));
  EXPECT_EQ(Read("k").siblings().size(), 2u);
  Receive(UpdateRequest{.key = "k", .is_delete = true, .seen = Read("k").Seen()});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kOk);
  EXPECT_FALSE(Read("k").HasValue());
}

TEST_F(ReplicaTest, NothingIsSaidBeforeItIsStored) {
  Receive(UpdateRequest{.key = "k", .value = "v"});
  Receive(MergeRequest{"k", StateWith({ActorId{2}, 7}, "w"), false});
  Receive(ReadRequest{"k"});
  EXPECT_TRUE(RunOne());  // the update reads
  EXPECT_TRUE(Replies().empty());
  EXPECT_TRUE(RunOne());  // and writes
  EXPECT_EQ(Replies().size(), 1u);
  EXPECT_TRUE(RunOne());  // the merge reads
  EXPECT_TRUE(Replies().empty());
  EXPECT_TRUE(RunOne());  // and writes
  EXPECT_EQ(Replies().size(), 1u);
  const auto read = OnlyReply<ReadReply>();  // sees both
  EXPECT_EQ(KeyState::Decode(read.state).value().siblings().size(), 2u);
}

TEST_F(ReplicaTest, FailedWriteIsNoAcknowledgementAndItsDotIsNotUsedAgain) {
  Receive(UpdateRequest{.key = "k", .value = "v"});
  EXPECT_TRUE(RunOne());
  EXPECT_TRUE(RunOne(/*writes_fail=*/true));
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kStorageFailed);
  // It may lie in the store: no floor may reach it.
  EXPECT_EQ(replica_->LastAppliedDot().counter, 0u);
  Receive(UpdateRequest{.key = "k", .value = "w"});
  EXPECT_EQ(OnlyReply<UpdateReply>().dot.counter, 2u);
  EXPECT_EQ(replica_->LastAppliedDot().counter, 0u);
}

TEST_F(ReplicaTest, DoubledUpdateIsDoneOnce) {
  Message message{.from = kPeer, .to = kSelf, .partition = kPartition, .epoch = Epoch{3}, .request = 77,
                  .body = UpdateRequest{.key = "k", .value = "v"}};
  replica_->OnMessage(message, 0, &actions_);
  RunAll();
  replica_->OnMessage(message, 0, &actions_);
  RunAll();
  EXPECT_EQ(Replies().size(), 1u);
  EXPECT_EQ(Read("k").siblings().size(), 1u);
}

TEST_F(ReplicaTest, OtherEpochsAreRefusedWithoutEffect) {
  Receive(UpdateRequest{.key = "k", .value = "v"}, Epoch{2});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kStaleEpoch);
  Receive(MergeRequest{"k", StateWith({ActorId{2}, 7}, "w"), false}, Epoch{4});
  EXPECT_EQ(OnlyReply<MergeReply>().code, ReplyCode::kUnknownEpoch);
  ASSERT_EQ(actions_.size(), 1u);
  EXPECT_EQ(std::get<LearnTopology>(actions_[0]).epoch, Epoch{4});
  EXPECT_TRUE(stored_.empty());
}

// What was accepted under the old topology and is durable under the new one is no acknowledgement: its coordinator
// counts quorums of yesterday.
TEST_F(ReplicaTest, FenceCatchesWhatIsOnItsWay) {
  Receive(MergeRequest{"k", StateWith({ActorId{2}, 7}, "w"), false});
  EXPECT_TRUE(RunOne());
  replica_->OnTopology(Epoch{4}, &actions_);
  EXPECT_EQ(replica_->durable_epoch(), Epoch{3});
  EXPECT_EQ(OnlyReply<MergeReply>().code, ReplyCode::kFenced);
  EXPECT_EQ(replica_->durable_epoch(), Epoch{4});
  EXPECT_EQ(stored_.size(), 1u);
  Receive(ReadRequest{"k"}, Epoch{4});
  replica_->OnTopology(Epoch{5}, &actions_);
  EXPECT_EQ(OnlyReply<ReadReply>().code, ReplyCode::kStaleEpoch);
  Receive(UpdateRequest{.key = "k", .value = "v"}, Epoch{5});
  replica_->OnTopology(Epoch{6}, &actions_);
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kStaleEpoch);  // was still waiting: not done
  EXPECT_TRUE(IsCertainlyWithoutEffect(ReplyCode::kStaleEpoch));
  EXPECT_FALSE(IsCertainlyWithoutEffect(ReplyCode::kFenced));
  Boot({.actor = ActorId{1}, .lease_end = 8, .epoch = replica_->durable_epoch()});
  Receive(ReadRequest{"k"}, Epoch{5});
  EXPECT_EQ(OnlyReply<ReadReply>().code, ReplyCode::kStaleEpoch);
}

TEST_F(ReplicaTest, DotsWaitForTheirLease) {
  Boot({.actor = ActorId{1}, .epoch = Epoch{3}});
  actions_.clear();
  // Uses up the lease without its extension coming through.
  std::vector<Action> held_back;
  for (int i = 0; i < 12; ++i) {
    Receive(UpdateRequest{.key = "k" + std::to_string(i), .value = "v"});
    while (true) {
      for (size_t j = 0; j < actions_.size(); ++j) {
        if (!std::holds_alternative<PersistLease>(actions_[j])) continue;
        held_back.push_back(actions_[j]);
        actions_.erase(actions_.begin() + static_cast<std::ptrdiff_t>(j));
        break;
      }
      if (!RunOne()) break;
    }
    if (replica_->queued() == 2) break;
  }
  EXPECT_EQ(Replies().size(), 8u);
  ASSERT_EQ(held_back.size(), 1u);
  replica_->OnLeaseDurable(std::get<PersistLease>(held_back[0]).end, &actions_);
  RunAll();
  const std::vector<Message> replies = Replies();
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(std::get<UpdateReply>(replies[1].body).dot.counter, 10u);
}

TEST_F(ReplicaTest, WithoutASoundActorItStoresAndMakesNoDots) {
  Receive(MergeRequest{"k", StateWith({ActorId{1}, 50}, "of a former life"), false});
  EXPECT_EQ(OnlyReply<MergeReply>().code, ReplyCode::kOk);
  EXPECT_FALSE(replica_->CanMakeDots());
  Receive(UpdateRequest{.key = "j", .value = "v"});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kCannotMakeDots);
  Boot({.actor = ActorId{9}, .epoch = Epoch{3}});
  SeenContext seen;
  seen.context.Add({ActorId{9}, 4});
  Receive(UpdateRequest{.key = "j", .value = "v", .seen = seen});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kCannotMakeDots);
  Boot({.epoch = Epoch{3}});
  Receive(UpdateRequest{.key = "j", .value = "v"});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kCannotMakeDots);
}

TEST_F(ReplicaTest, SiblingsHaveABound) {
  for (int i = 0; i < 3; ++i) {
    Receive(UpdateRequest{.key = "k", .value = "v"});
    EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kOk);
  }
  Receive(UpdateRequest{.key = "k", .value = "v"});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kTooManySiblings);
  Receive(UpdateRequest{.key = "k", .value = "settled", .seen = Read("k").Seen()});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kOk);
  EXPECT_EQ(Read("k").siblings().size(), 1u);
}

TEST_F(ReplicaTest, QueueHasABound) {
  for (int i = 0; i < 4; ++i) Receive(ReadRequest{"k"});
  EXPECT_TRUE(Replies().empty());
  Receive(ReadRequest{"k"});
  const std::vector<Message> refused = Replies();
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_EQ(std::get<ReadReply>(refused[0].body).code, ReplyCode::kOverloaded);
  RunAll();
  EXPECT_EQ(Replies().size(), 4u);
  EXPECT_EQ(replica_->queued(), 0u);
}

TEST_F(ReplicaTest, MalformedRequestsAreRefused) {
  Receive(MergeRequest{"k", "nonsense", false});
  EXPECT_EQ(OnlyReply<MergeReply>().code, ReplyCode::kMalformed);
  Receive(TreeRequest{HashTree::kFanOut});
  EXPECT_EQ(OnlyReply<TreeReply>().code, ReplyCode::kMalformed);
  stored_["k"] = "rotten";
  Receive(ReadRequest{"k"});
  EXPECT_EQ(OnlyReply<ReadReply>().code, ReplyCode::kStorageFailed);
}

TEST_F(ReplicaTest, TombstonesAreErasedBelowTheFloorAndStayDeleted) {
  Receive(UpdateRequest{.key = "k", .value = "v"});
  const std::string late = OnlyReply<UpdateReply>().state;
  Receive(UpdateRequest{.key = "k", .is_delete = true, .seen = Read("k").Seen()});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kOk);
  replica_->Touch("k", &actions_);
  RunAll();
  EXPECT_EQ(stored_.size(), 1u);
  EXPECT_NE(replica_->tree().Root(), 0u);

  VersionVector floor;
  floor.Raise(replica_->LastAppliedDot().actor, replica_->LastAppliedDot().counter);
  replica_->RaiseFloor(floor, &actions_);
  EXPECT_TRUE(replica_->floor().empty());  // not durable yet
  RunAll();
  replica_->Touch("k", &actions_);
  RunAll();
  EXPECT_TRUE(stored_.empty());
  EXPECT_EQ(replica_->tree().Root(), 0u);
  // A month later a hint arrives.
  Receive(MergeRequest{"k", late, false});
  EXPECT_EQ(OnlyReply<MergeReply>().code, ReplyCode::kOk);
  EXPECT_TRUE(stored_.empty());
  EXPECT_FALSE(Read("k").HasValue());
}

// An exchange under a fence that a crash could undo would prove nothing.
TEST_F(ReplicaTest, TreeIsShownWhenTheFenceIsDurable) {
  replica_->OnTopology(Epoch{4}, &actions_);
  Receive(TreeRequest{HashTree::kRoot}, Epoch{4});
  const std::vector<Message> early = Replies();
  ASSERT_EQ(early.size(), 1u);
  EXPECT_EQ(std::get<TreeReply>(early[0].body).code, ReplyCode::kUnknownEpoch);
  RunAll();
  Receive(TreeRequest{HashTree::kRoot}, Epoch{4});
  EXPECT_EQ(OnlyReply<TreeReply>().code, ReplyCode::kOk);
}

TEST_F(ReplicaTest, NewActorBeginsAnew) {
  Receive(UpdateRequest{.key = "k", .value = "v"});
  EXPECT_EQ(OnlyReply<UpdateReply>().dot.actor, ActorId{1});
  replica_->TakeActor(kNoActor, 0, &actions_);
  Receive(UpdateRequest{.key = "k", .value = "v"});
  EXPECT_EQ(OnlyReply<UpdateReply>().code, ReplyCode::kCannotMakeDots);
  replica_->TakeActor(ActorId{9}, 24, &actions_);  // which it has had before
  Receive(UpdateRequest{.key = "k", .value = "w"});
  EXPECT_EQ(OnlyReply<UpdateReply>().dot, (Dot{ActorId{9}, 25}));
  EXPECT_EQ(replica_->LastAppliedDot(), (Dot{ActorId{9}, 25}));
  EXPECT_EQ(Read("k").siblings().size(), 2u);
}

TEST_F(ReplicaTest, SweepTouchesEveryKey) {
  for (int i = 0; i < 40; ++i) {
    const std::string key = std::to_string(i);
    Receive(UpdateRequest{.key = key, .value = "v"});
    RunAll();
    Replies();
    if (i % 2 == 0) Receive(UpdateRequest{.key = key, .is_delete = true, .seen = Read(key).Seen()});
    RunAll();
  }
  Replies();
  EXPECT_EQ(stored_.size(), 40u);
  VersionVector floor;
  floor.Raise(replica_->LastAppliedDot().actor, replica_->LastAppliedDot().counter);
  replica_->RaiseFloor(floor, &actions_);
  RunAll();
  replica_->Sweep(&actions_);
  replica_->Sweep(&actions_);  // from the start
  size_t most = 0;
  while (RunOne()) most = std::max(most, replica_->queued());
  EXPECT_LT(most, 12u);  // there is room for requests
  EXPECT_EQ(stored_.size(), 20u);
  EXPECT_EQ(replica_->queued(), 0u);
  EXPECT_TRUE(Replies().empty());
}

TEST_F(ReplicaTest, TreeTellsWhatDiffers) {
  for (int i = 0; i < 20; ++i) {
    Receive(UpdateRequest{.key = std::to_string(i), .value = "v"});
    RunAll();
  }
  Replies();
  HashTree expected;
  for (const auto& [key, bytes] : stored_) expected.Change(key, 0, HashTree::HashOf(key, bytes));
  Receive(TreeRequest{HashTree::kRoot});
  EXPECT_EQ(OnlyReply<TreeReply>().hashes, expected.Under(HashTree::kRoot));
  Receive(TreeRequest{17});
  EXPECT_EQ(OnlyReply<TreeReply>().hashes, expected.Under(17));
  // The same after a restart.
  Boot({.actor = ActorId{1}, .lease_end = 64, .epoch = Epoch{3}});
  EXPECT_EQ(replica_->tree().Root(), expected.Root());
}

}  // namespace replica_test
}  // namespace varve::cluster
