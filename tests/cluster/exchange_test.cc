#include "cluster/exchange.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/cluster/core_world.h"

namespace varve::cluster::test {
namespace exchange_test {

// A world in which node 4, which holds nothing, runs exchanges between replicas.
class ExchangeTest : public ::testing::Test {
 protected:
  static constexpr size_t kRunner = 4;

  // Each replica takes writes that no other hears of.
  void Diverge(int keys) {
    for (size_t i = 0; i < 3; ++i) {
      for (size_t j = 0; j < 5; ++j) {
        if (i != j) world_.Cut(i, j);
      }
    }
    for (int key = 0; key < keys; ++key) {
      for (size_t node = 0; node < 3; ++node) {
        if (world_.random().OneIn(3)) continue;
        const std::string name = "k" + std::to_string(key);
        const std::string value = world_.random().OneIn(4) ? "" : "v" + std::to_string(node);
        world_.Put(node, name, value, world_.StateOf(node, name).Seen(), world_.Options(Level::kOne, kMilli));
        world_.Settle();
      }
    }
    world_.HealAll();
    for (size_t i = 0; i < 3; ++i) {
      world_.nodes()[i].hints.clear();
      world_.Crash(i);
      world_.Restart(i);
    }
    world_.Settle();
  }

  Exchange Run(size_t left, size_t right, size_t max_leaves = 256) {
    Exchange::Options options{.self = world_.nodes()[kRunner].id,
                              .left = world_.nodes()[left].id,
                              .right = world_.nodes()[right].id,
                              .partition = kPartition,
                              .epoch = world_.sets().epoch,
                              .first_request = world_.random().Next() >> 1,
                              .patience = patience_};
    options.max_leaves = max_leaves;
    options.pace = pace_;
    Exchange exchange(options);
    Actions actions;
    exchange.Start(world_.now(), &actions);
    messages_ = actions.size();
    merges_to_left_ = 0;
    world_.Do(&world_.nodes()[kRunner], std::exchange(actions, {}));
    while (exchange.result() == Exchange::Result::kUnderWay) {
      std::vector<Message>& network = world_.network();
      for (size_t i = network.size(); i-- > 0;) {
        if (network[i].to != options.self) continue;
        const Message reply = std::move(network[i]);
        network.erase(network.begin() + static_cast<std::ptrdiff_t>(i));
        exchange.OnMessage(reply, world_.now(), &actions);
      }
      messages_ += actions.size();
      for (const Action& action : actions) {
        const auto* send = std::get_if<Send>(&action);
        if (send != nullptr && send->message.to == options.left) merges_to_left_ += std::holds_alternative<MergeRequest>(send->message.body);
      }
      world_.Do(&world_.nodes()[kRunner], std::exchange(actions, {}));
      if (during_) during_();
      world_.Step();
      exchange.OnTime(world_.now(), &actions);
    }
    return exchange;
  }
  bool AreEqual(size_t left, size_t right) {
    return world_.nodes()[left].stored == world_.nodes()[right].stored;
  }

  CoreWorld world_{7, 3, 2, ConflictPolicy::kSiblings};
  size_t messages_ = 0;
  size_t merges_to_left_ = 0;
  FillPace* pace_ = nullptr;
  Nanos patience_ = 60'000 * kMilli;
  std::function<void()> during_;  // before each step
};

TEST_F(ExchangeTest, APaceHoldsItBack) {
  Diverge(300);
  FillPace pace(4000);
  pace_ = &pace;
  patience_ = 2000 * kMilli;  // a key has to wait for longer
  double room = 16 * (100 + FillPace::kBytesOfAKey);  // keys that were begun when there was room
  Nanos last = world_.now();
  during_ = [&] {
    room += static_cast<double>(pace.bytes_per_second()) * static_cast<double>(world_.now() - std::exchange(last, world_.now())) / 1e9;
  };
  const Exchange exchange = Run(0, 1, HashTree::kLeaves);
  ASSERT_EQ(exchange.result(), Exchange::Result::kComplete);
  const auto charged = static_cast<double>(exchange.keys() * FillPace::kBytesOfAKey);
  ASSERT_GT(charged, 100'000);
  EXPECT_LE(charged, room);
}

TEST_F(ExchangeTest, ItsAnswersLeadThePace) {
  Diverge(1000);
  FillPace pace(320'000);
  pace_ = &pace;
  ASSERT_EQ(Run(0, 1, HashTree::kLeaves).result(), Exchange::Result::kComplete);
  EXPECT_GT(pace.bytes_per_second(), 320'000 / FillPace::kSteps);
}

// What left alone has it is not told again; where right has more it is.
TEST_F(ExchangeTest, LeftIsToldWhatItDoesNotKnow) {
  for (const size_t other : {1, 2, 3, 4}) world_.Cut(0, other);
  for (int key = 0; key < 20; ++key) {
    world_.Put(0, "k" + std::to_string(key), "v", {}, world_.Options(Level::kOne, kMilli));
    world_.Settle();
  }
  world_.HealAll();
  world_.nodes()[0].hints.clear();
  EXPECT_EQ(Run(0, 1).keys(), 20u);
  EXPECT_EQ(merges_to_left_, 0u);
  EXPECT_TRUE(AreEqual(0, 1));
  for (const size_t other : {0, 2, 3, 4}) world_.Cut(1, other);
  world_.Put(1, "k7", "another", {}, world_.Options(Level::kOne, kMilli));
  world_.Settle();
  world_.HealAll();
  world_.nodes()[1].hints.clear();
  EXPECT_EQ(Run(0, 1).keys(), 1u);
  EXPECT_EQ(merges_to_left_, 1u);
  EXPECT_TRUE(AreEqual(0, 1));
}

TEST_F(ExchangeTest, EachGetsWhatTheOtherHas) {
  Diverge(40);
  ASSERT_FALSE(AreEqual(0, 1));
  const Exchange first = Run(0, 1);
  EXPECT_EQ(first.result(), Exchange::Result::kComplete);
  EXPECT_GT(first.keys(), 10u);
  EXPECT_TRUE(AreEqual(0, 1));
  EXPECT_EQ(Run(1, 2).result(), Exchange::Result::kComplete);
  EXPECT_EQ(Run(2, 0).result(), Exchange::Result::kComplete);
  EXPECT_TRUE(AreEqual(0, 2));
  // Their trees are equal then, and that is all that is looked at.
  const Exchange again = Run(0, 2);
  EXPECT_EQ(again.keys(), 0u);
  EXPECT_EQ(messages_, 2u);
}

TEST_F(ExchangeTest, ManyDifferencesTakeSeveralExchanges) {
  Diverge(40);
  int exchanges = 1;
  while (Run(0, 1, 5).result() == Exchange::Result::kPartial) ASSERT_LT(++exchanges, 100);
  EXPECT_GT(exchanges, 3);
  EXPECT_TRUE(AreEqual(0, 1));
}

// Writes that come while the lists are on their way neither end nor mislead the exchange.
TEST_F(ExchangeTest, ListsInPiecesMissNothingThatWasThereAtTheBegin) {
  Diverge(40);
  const auto before = std::array{world_.nodes()[0].stored, world_.nodes()[1].stored};
  ASSERT_GT(before[0].size(), 20u);
  during_ = [this, i = 0]() mutable {
    if (++i % 5 == 0) world_.Put(0, "k" + std::to_string(i % 40), "later", {}, world_.Options(Level::kOne, kMilli));
  };
  EXPECT_EQ(Run(0, 1).result(), Exchange::Result::kComplete);
  for (size_t from : {0, 1}) {
    for (const auto& [key, bytes] : before[from]) {
      const KeyState known = *KeyState::Decode(bytes, world_.nodes()[from].replica->floor());
      KeyState state = world_.StateOf(1 - from, key);
      KeyState merged = state;
      merged.Merge(known, ConflictPolicy::kSiblings);
      EXPECT_TRUE(merged == state) << key << " of " << from;
    }
  }
}

TEST_F(ExchangeTest, DeletesWinAlsoWhenNobodyRemembersThem) {
  Diverge(1);
  Run(0, 1);
  Run(1, 2);
  Run(0, 1);
  world_.Put(0, "k0", "", world_.StateOf(0, "k0").Seen(), world_.Options(Level::kAll));
  world_.Settle();
  const std::string name = "k0";
  // Two of three have heard of the floor, and reap.
  VersionVector floor;
  for (size_t i = 0; i < 3; ++i) {
    const Dot last = world_.nodes()[i].replica->LastAppliedDot();
    floor.Raise(last.actor, last.counter);
  }
  for (size_t i = 0; i < 2; ++i) {
    Actions actions;
    world_.nodes()[i].replica->RaiseFloor(floor, &actions);
    world_.Do(&world_.nodes()[i], std::exchange(actions, {}));
    world_.Settle();
    world_.nodes()[i].replica->Touch(name, &actions);
    world_.Do(&world_.nodes()[i], std::move(actions));
    world_.Settle();
    EXPECT_TRUE(world_.nodes()[i].stored.empty());
  }
  EXPECT_EQ(world_.nodes()[2].stored.size(), 1u);  // has the tombstone yet
  EXPECT_EQ(Run(0, 2).result(), Exchange::Result::kComplete);
  EXPECT_FALSE(world_.StateOf(0, name).HasValue());
  EXPECT_FALSE(world_.StateOf(2, name).HasValue());
}

TEST_F(ExchangeTest, EndsWhenAReplicaIsAway) {
  Diverge(3);
  world_.Crash(1);
  EXPECT_EQ(Run(0, 1).result(), Exchange::Result::kFailed);
  world_.Restart(1);
  world_.sets().epoch = Epoch{9};  // whoever runs it has a topology that replicas do not know
  EXPECT_EQ(Run(0, 1).result(), Exchange::Result::kFailed);
}

TEST(HashTreeTest, ChangesInAnyOrderGiveTheSameTree) {
  HashTree one;
  HashTree other;
  const auto hash = [](std::string_view key, std::string_view bytes) { return HashTree::HashOf(key, bytes); };
  one.Change("a", 0, hash("a", "1"));
  one.Change("b", 0, hash("b", "1"));
  one.Change("a", hash("a", "1"), hash("a", "2"));
  other.Change("b", 0, hash("b", "1"));
  other.Change("a", 0, hash("a", "2"));
  EXPECT_EQ(one.Root(), other.Root());
  EXPECT_EQ(one.Under(HashTree::kRoot), other.Under(HashTree::kRoot));
  other.Change("c", 0, hash("c", ""));
  const uint32_t leaf = HashTree::LeafOf("c");
  for (uint32_t i = 0; i < HashTree::kFanOut; ++i) {
    EXPECT_EQ(one.Under(HashTree::kRoot)[i] == other.Under(HashTree::kRoot)[i], i != leaf / HashTree::kFanOut);
    EXPECT_EQ(one.Under(leaf / HashTree::kFanOut)[i] == other.Under(leaf / HashTree::kFanOut)[i],
              i != leaf % HashTree::kFanOut);
  }
  EXPECT_EQ(HashTree::HashOf("c", std::nullopt), 0u);
  // Values that change places are a difference.
  EXPECT_NE(hash("a", "1") ^ hash("b", "2"), hash("a", "2") ^ hash("b", "1"));
}

}  // namespace exchange_test
}  // namespace varve::cluster::test
