// Frames, hellos, queues and channels without sockets: what goes through in any pieces, and what does not.
#include "node/channel.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "node/backoff.h"
#include "node/log_limiter.h"
#include "node/packer.h"
#include "tests/support/status_matchers.h"

namespace varve::node {
namespace channel_test {

constexpr Nanos kNow = 1'000'000'000;

class Side : public Channel::Owner {
 public:
  Side(Channel::Side side, Hello hello, Channel::Limits limits = {}, size_t budget_bytes = size_t{1} << 30) {
    budget.limit = budget_bytes;
    channel = std::make_unique<Channel>(side, std::move(hello), nullptr, limits, this, &budget);
  }
  Status Approve(const Hello&, const tls::Session*) override { return approval; }
  void OnOpen() override { ++opened; }
  void OnMessage(const Delivery& delivery) override {
    messages.emplace_back(delivery.bytes);
    last = delivery;
  }
  void OnPong(uint64_t number) override { pongs.push_back(number); }
  std::string Take() {
    std::string bytes(channel->output());
    channel->Taken(bytes.size());
    return bytes;
  }

  AssemblyBudget budget;
  Status approval;
  int opened = 0;
  std::vector<std::string> messages;
  std::vector<uint64_t> pongs;
  Delivery last;
  std::unique_ptr<Channel> channel;
};

Hello HelloOf(uint64_t node, uint64_t nonce) {
  Hello hello{.nonce = nonce};
  hello.identity = {.cluster = "c", .node = NodeId{node}, .incarnation = 7, .features = 6, .required = 2};
  return hello;
}

struct Pair {
  explicit Pair(Channel::Limits limits = {}, size_t budget_bytes = size_t{1} << 30)
      : dialer(Channel::Side::kDials, HelloOf(1, 11)),
        acceptor(Channel::Side::kAccepts, HelloOf(2, 22), limits, budget_bytes) {
    dialer.channel->Begin();
  }
  // Carries bytes to and fro until nothing is left.
  Status Talk(size_t piece = 1 << 20) {
    Status status;
    while (status.ok() && (dialer.channel->pending_bytes() > 0 || acceptor.channel->pending_bytes() > 0)) {
      status = Carry(&dialer, &acceptor, piece);
      if (status.ok()) status = Carry(&acceptor, &dialer, piece);
    }
    return status;
  }
  static Status Carry(Side* from, Side* to, size_t piece) {
    const std::string bytes = from->Take();
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const Status status = to->channel->Receive(std::string_view(bytes).substr(at, piece), kNow);
      if (!status.ok()) return status;
    }
    return Status::Ok();
  }

  Side dialer, acceptor;
};

std::string Pattern(size_t size, uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

TEST(FrameTest, EveryFlippedBitAndWrongPlaceIsBad) {
  std::string bytes;
  AppendFrame(FrameType::kMessage, "head", "and body", 5, 9, &bytes);
  Frame frame;
  ASSERT_EQ(DecodeFrame(bytes, 5, 9, &frame), FrameOutcome::kFrame);
  EXPECT_EQ(frame.body, "headand body");
  EXPECT_EQ(frame.size, bytes.size());
  EXPECT_EQ(DecodeFrame(bytes, 5, 10, &frame), FrameOutcome::kBad);
  EXPECT_EQ(DecodeFrame(bytes, 6, 9, &frame), FrameOutcome::kBad);
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(DecodeFrame(std::string_view(bytes).substr(0, i), 5, 9, &frame), FrameOutcome::kNeedMore) << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_NE(DecodeFrame(changed, 5, 9, &frame), FrameOutcome::kFrame) << i << "." << bit;
    }
  }
}

TEST(FrameTest, TooLargeASizeIsBadAtOnce) {
  const std::string bytes("\x00\x00\x02\x00\x03\x00\x00\x00", 8);
  Frame frame;
  EXPECT_EQ(DecodeFrame(bytes, 0, 0, &frame), FrameOutcome::kBad);
}

TEST(FrameTest, BytesAreThese) {
  std::string bytes;
  AppendFrame(FrameType::kPing, "", "12345678", 1, 2, &bytes);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x08\0\0\0\x07\0\0\0", 8));
  EXPECT_EQ(bytes.substr(16), "12345678");
}

TEST(HelloTest, WhatIsSaidIsHeardAndEveryTruncationIsNoHello) {
  const Hello hello = HelloOf(3, 99);
  const std::string bytes = EncodeHello(hello);
  const Result<Hello> heard = DecodeHello(bytes + "what a later version adds");
  ASSERT_OK(heard);
  EXPECT_EQ(heard->nonce, 99u);
  EXPECT_EQ(heard->identity.cluster, "c");
  EXPECT_EQ(heard->identity.node, NodeId{3});
  EXPECT_EQ(heard->identity.incarnation, 7u);
  EXPECT_EQ(heard->identity.features, 6u);
  EXPECT_EQ(heard->identity.required, 2u);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_STATUS(kCorruption, DecodeHello(bytes.substr(0, size)));
}

TEST(HelloTest, VersionsClustersAndFeaturesAreAgreedOrRefused) {
  const Hello mine = HelloOf(1, 1);
  Hello theirs = HelloOf(2, 2);
  theirs.identity.features = 3;
  Result<Agreement> agreement = Agree(mine, theirs);
  ASSERT_OK(agreement);
  EXPECT_EQ(agreement->features, 2u);
  EXPECT_EQ(agreement->version, kProtocolVersion);
  theirs.identity.features = 1;
  theirs.identity.required = 0;
  EXPECT_STATUS(kInvalidArgument, Agree(mine, theirs));  // lacks 2
  theirs = HelloOf(2, 2);
  theirs.identity.required = theirs.identity.features = 14;
  EXPECT_STATUS(kInvalidArgument, Agree(mine, theirs));  // wants 8
  theirs = HelloOf(2, 2);
  theirs.identity.cluster = "d";
  EXPECT_STATUS(kInvalidArgument, Agree(mine, theirs));
  // A later version that still speaks this one, and one that does not, whatever its hello looks like.
  theirs = HelloOf(2, 2);
  theirs.version = 9;
  EXPECT_OK(Agree(mine, theirs));
  theirs.oldest = 2;
  const Result<Hello> heard = DecodeHello(EncodeHello(theirs).substr(0, 12));
  ASSERT_OK(heard);
  EXPECT_STATUS(kInvalidArgument, Agree(mine, *heard));
}

TEST(ChannelTest, MessagesGoThroughInAnyPieces) {
  for (const size_t piece : {size_t{1}, size_t{3}, size_t{17}, size_t{5000}, size_t{1} << 20}) {
    Pair pair;
    ASSERT_OK(pair.Talk(piece));
    EXPECT_EQ(pair.dialer.opened, 1);
    EXPECT_EQ(pair.acceptor.opened, 0);
    const std::string large = Pattern(3 * kPieceBytes + 17, 1);
    pair.dialer.channel->SendMessage("one", 0, kNow);
    pair.dialer.channel->SendFirstPiece(large.substr(0, kPieceBytes), large.size(), kNow + 5'000'000, kNow);
    pair.dialer.channel->SendMessage("", 0, kNow);
    pair.dialer.channel->SendPing(41);
    pair.dialer.channel->SendPiece(large.substr(kPieceBytes, kPieceBytes));
    pair.dialer.channel->SendPiece(large.substr(2 * kPieceBytes, kPieceBytes));
    pair.dialer.channel->SendPiece(large.substr(3 * kPieceBytes));
    ASSERT_OK(pair.Talk(piece));
    EXPECT_EQ(pair.acceptor.opened, 1);
    ASSERT_EQ(pair.acceptor.messages.size(), 3u);
    EXPECT_EQ(pair.acceptor.messages[0], "one");
    EXPECT_EQ(pair.acceptor.messages[1], "");
    EXPECT_TRUE(pair.acceptor.messages[2] == large);
    EXPECT_EQ(pair.acceptor.last.from, NodeId{1});
    EXPECT_EQ(pair.acceptor.last.incarnation, 7u);
    EXPECT_EQ(pair.acceptor.last.deadline, kNow + 5'000'000);
    EXPECT_EQ(pair.dialer.pongs, std::vector<uint64_t>{41});
    EXPECT_EQ(pair.acceptor.budget.used, 0u);
  }
}

TEST(ChannelTest, ARecordedConnectionDeliversNothing) {
  Pair pair;
  std::string recorded = pair.dialer.Take();
  ASSERT_OK(pair.acceptor.channel->Receive(recorded, kNow));
  ASSERT_OK(pair.dialer.channel->Receive(pair.acceptor.Take(), kNow));
  pair.dialer.channel->SendMessage("once", 0, kNow);
  const std::string rest = pair.dialer.Take();
  ASSERT_OK(pair.acceptor.channel->Receive(rest, kNow));
  ASSERT_EQ(pair.acceptor.messages.size(), 1u);
  recorded += rest;
  // To another connection, whose acceptor has another nonce; and the same message again on this one.
  Side other(Channel::Side::kAccepts, HelloOf(2, 23));
  EXPECT_STATUS(kCorruption, other.channel->Receive(recorded, kNow));
  EXPECT_EQ(other.opened, 0);
  EXPECT_TRUE(other.messages.empty());
  EXPECT_STATUS(kCorruption, pair.acceptor.channel->Receive(rest, kNow));
  EXPECT_EQ(pair.acceptor.messages.size(), 1u);
}

TEST(ChannelTest, RefusalsSayWhyAtBothEnds) {
  Pair pair;
  pair.acceptor.approval = Status::InvalidArgument("not today\n");
  EXPECT_STATUS(kInvalidArgument, Pair::Carry(&pair.dialer, &pair.acceptor, 1 << 20));
  EXPECT_EQ(pair.acceptor.channel->state(), Channel::State::kRefused);
  EXPECT_OK(pair.acceptor.channel->Receive("anything", kNow));
  const Status refused = Pair::Carry(&pair.acceptor, &pair.dialer, 1 << 20);
  EXPECT_STATUS(kInvalidArgument, refused);
  EXPECT_NE(refused.message().find("not today?"), refused.message().npos);
}

TEST(ChannelTest, FramesThatDoNotBelongThereEndTheConnection) {
  const auto outcome = [](const auto& send) {
    Pair pair;
    EXPECT_OK(pair.Talk());
    send(pair.dialer.channel.get());
    const Status status = pair.Talk();
    EXPECT_TRUE(pair.acceptor.messages.empty());
    return status;
  };
  EXPECT_STATUS(kCorruption, outcome([](Channel* c) { c->SendPiece("x"); }));
  EXPECT_STATUS(kCorruption, outcome([](Channel* c) { c->SendAbandon(); }));
  EXPECT_STATUS(kCorruption, outcome([](Channel* c) { c->SendFirstPiece("", 9, 0, kNow); }));
  EXPECT_STATUS(kCorruption, outcome([](Channel* c) { c->SendFirstPiece("xx", 2, 0, kNow); }));
  EXPECT_STATUS(kCorruption, outcome([](Channel* c) {
                  c->SendFirstPiece("xx", 5, 0, kNow);
                  c->SendPiece("yyyy");
                }));
  EXPECT_STATUS(kCorruption, outcome([](Channel* c) {
                  c->SendFirstPiece("xx", 5, 0, kNow);
                  c->SendFirstPiece("xx", 5, 0, kNow);
                }));
  EXPECT_OK(outcome([](Channel* c) {
    c->SendFirstPiece("xx", 5, 0, kNow);
    c->SendAbandon();
  }));
}

TEST(ChannelTest, MessagesThereIsNoRoomForAreDroppedAndOthersGoOn) {
  for (const bool by_budget : {true, false}) {
    Pair pair(by_budget ? Channel::Limits{} : Channel::Limits{.max_message_bytes = 5 * kPieceBytes},
              by_budget ? 4 * kPieceBytes : size_t{1} << 30);
    ASSERT_OK(pair.Talk());
    const std::string large = Pattern(10 * kPieceBytes, 2);
    for (int round = 0; round < 3; ++round) {
      pair.dialer.channel->SendFirstPiece(large.substr(0, kPieceBytes), large.size(), 0, kNow);
      for (size_t i = 1; i < 10; ++i) {
        pair.dialer.channel->SendPiece(large.substr(i * kPieceBytes, kPieceBytes));
        ASSERT_OK(pair.Talk());
        EXPECT_LE(pair.acceptor.budget.used, pair.acceptor.budget.limit);
      }
      pair.dialer.channel->SendMessage("small", 0, kNow);
      ASSERT_OK(pair.Talk());
    }
    EXPECT_EQ(pair.acceptor.messages, std::vector<std::string>(3, "small"));
    EXPECT_EQ(pair.acceptor.budget.dropped, 3u);
    EXPECT_EQ(pair.acceptor.budget.used, 0u);
  }
}

TEST(ChannelTest, WhoReadsNoAnswersIsCut) {
  Pair pair;
  ASSERT_OK(pair.Talk());
  Status status;
  int pings = 0;
  for (; status.ok() && pings < 100'000; ++pings) {
    pair.dialer.channel->SendPing(1);
    status = Pair::Carry(&pair.dialer, &pair.acceptor, 1 << 20);
  }
  EXPECT_STATUS(kCorruption, status);
  EXPECT_LE(pair.acceptor.channel->pending_bytes(), Channel::Limits{}.max_answer_bytes + 100);
}

class QueueTest : public ::testing::Test {
 protected:
  SendOutcome Push(size_t size, Nanos deadline = 0, Nanos now = 1) {
    return queue_.Push(std::string(size, 'x'), deadline, now);
  }
  QueueLimits limits_{.max_messages = 10, .max_bytes = 4000, .max_message_bytes = 1 << 20};
  SendQueue queue_{&limits_};
};

TEST_F(QueueTest, CountAndBytesAreBounded) {
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Push(1), SendOutcome::kQueued);
  EXPECT_EQ(Push(1), SendOutcome::kFull);
  std::vector<Message> taken;
  queue_.TakeSmall(2, 1 << 20, &taken);
  EXPECT_EQ(taken.size(), 10u);
  EXPECT_EQ(queue_.bytes(), 0u);
  EXPECT_EQ(Push(3000), SendOutcome::kQueued);
  EXPECT_EQ(Push(1000), SendOutcome::kFull);
  // A large one is taken above the limit, but no second one, and none above its own limit.
  EXPECT_EQ(Push(kPieceBytes + 1), SendOutcome::kQueued);
  EXPECT_EQ(Push(kPieceBytes + 1), SendOutcome::kFull);
  EXPECT_EQ(Push((1 << 20) + 1), SendOutcome::kTooLarge);
}

TEST_F(QueueTest, ExpiredMessagesAreDroppedAndGiveWay) {
  EXPECT_EQ(Push(1, 5, 5), SendOutcome::kExpired);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Push(100, 10), SendOutcome::kQueued);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Push(100, 20), SendOutcome::kQueued);
  EXPECT_EQ(Push(100, 0, 9), SendOutcome::kFull);
  EXPECT_EQ(Push(100, 0, 10), SendOutcome::kQueued);
  EXPECT_EQ(queue_.expired(), 5u);
  EXPECT_EQ(queue_.size(), 6u);
  std::vector<Message> taken;
  queue_.TakeSmall(25, 1 << 20, &taken);
  EXPECT_EQ(taken.size(), 1u);
  EXPECT_EQ(queue_.expired(), 10u);
}

TEST(PackerTest, SmallMessagesOvertakeLargeOnesAndExpiredOnesAreAbandoned) {
  Pair pair;
  ASSERT_OK(pair.Talk());
  Outbox outbox(QueueLimits{});
  outbox.AddPeer(NodeId{2});
  bool must_wake = false;
  const auto send = [&](std::string bytes, Nanos deadline) {
    ASSERT_EQ(outbox.Send(NodeId{2}, std::move(bytes), deadline, kNow, &must_wake), SendOutcome::kQueued);
  };
  Packer packer(NodeId{2}, &outbox);
  const std::string large = Pattern(20 * kPieceBytes + 5, 3);
  send(large, 0);
  EXPECT_TRUE(packer.Fill(kNow, pair.dialer.channel.get()));
  send("small", 0);
  ASSERT_OK(pair.Talk());
  EXPECT_TRUE(packer.Fill(kNow, pair.dialer.channel.get()));
  ASSERT_OK(pair.Talk());
  EXPECT_EQ(pair.acceptor.messages, std::vector<std::string>{"small"});
  while (packer.Fill(kNow, pair.dialer.channel.get())) ASSERT_OK(pair.Talk());
  ASSERT_OK(pair.Talk());
  ASSERT_EQ(pair.acceptor.messages.size(), 2u);
  EXPECT_TRUE(pair.acceptor.messages[1] == large);
  // One whose time comes when it has been sent in part.
  send(large, kNow + 10);
  EXPECT_TRUE(packer.Fill(kNow, pair.dialer.channel.get()));
  ASSERT_OK(pair.Talk());
  EXPECT_GT(pair.acceptor.budget.used, 0u);
  EXPECT_FALSE(packer.Fill(kNow + 10, pair.dialer.channel.get()));
  ASSERT_OK(pair.Talk());
  EXPECT_EQ(pair.acceptor.budget.used, 0u);
  EXPECT_EQ(pair.acceptor.messages.size(), 2u);
}

TEST(BackoffTest, GrowsWithinItsBoundsAndBeginsAnew) {
  Random random(4);
  Backoff backoff(100, 5000);
  uint64_t due = 100;
  for (int i = 0; i < 100; ++i) {
    const uint64_t wait = backoff.Next(&random);
    EXPECT_GE(wait, due / 2);
    EXPECT_LE(wait, due);
    due = due > 2500 ? 5000 : due * 2;
  }
  EXPECT_EQ(due, 5000u);
  backoff.Reset();
  EXPECT_LE(backoff.Next(&random), 100u);
}

TEST(LogLimiterTest, SaysHowMuchItKeepsBack) {
  std::vector<std::string> lines;
  LogLimiter limiter([&](const std::string& line) { lines.push_back(line); });
  for (int i = 0; i < 50; ++i) limiter.Write("x", 2'000'000'000);
  EXPECT_EQ(lines.size(), 20u);
  limiter.Write("y", 3'000'000'000);
  ASSERT_EQ(lines.size(), 22u);
  EXPECT_EQ(lines[20], "30 more lines");
}

}  // namespace channel_test
}  // namespace varve::node
