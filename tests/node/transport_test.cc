// Transports over real sockets on loopback: what arrives, what does not, and what peers that misbehave can do.
#include "node/transport.h"

#include <algorithm>
#include <atomic>
#include <set>

#include "base/random.h"
#include "tests/node/node_fixture.h"
#include "tests/support/temp_dir.h"
#include "tests/support/workload.h"
#include "tests/tls/certificates.h"

namespace varve::node::test {
namespace transport_test {

std::string Pattern(size_t size, uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

// The bytes of a hello, as the dialer of `node` says it.
std::string HelloFrame(uint64_t node, uint64_t incarnation = 0, const std::string& cluster = "test") {
  Hello hello{.nonce = 5};
  hello.identity = {.cluster = cluster, .node = Id(node), .incarnation = incarnation};
  std::string bytes;
  AppendFrame(FrameType::kHello, "", EncodeHello(hello), kHelloSeed, 0, &bytes);
  return bytes;
}

// Reads the acceptor's hello; returns the seed of what the dialer of HelloFrame sends next.
uint64_t SeedAfterHello(RawSocket* socket) {
  std::string bytes;
  Frame frame;
  FrameOutcome outcome = FrameOutcome::kNeedMore;
  while (outcome == FrameOutcome::kNeedMore) {
    const std::string some = socket->ReadSome();
    if (some.empty()) break;
    bytes += some;
    outcome = DecodeFrame(bytes, kHelloSeed, 0, &frame);
  }
  EXPECT_EQ(outcome, FrameOutcome::kFrame);
  const Result<Hello> hello = DecodeHello(frame.body);
  EXPECT_OK(hello);
  return FrameSeed(5, hello->nonce, true);
}

std::string MessageFrame(uint64_t seed, uint64_t number, std::string_view text) {
  std::string bytes;
  AppendFrame(FrameType::kMessage, std::string_view("\0\0\0\0", 4), text, seed, number, &bytes);
  return bytes;
}

class TransportTest : public ::testing::Test {
 protected:
  // Two that know each other and can be reached.
  void StartBoth(TransportOptions options = {}) {
    a_ = std::make_unique<TestNode>(1, options);
    b_ = std::make_unique<TestNode>(2, options);
    a_->Start();
    b_->Start();
    a_->Knows(*b_);
    b_->Knows(*a_);
    ASSERT_TRUE(a_->AwaitReach(b_->id) && b_->AwaitReach(a_->id)) << a_->lines.text() << b_->lines.text();
  }
  void StartOne(TransportOptions options = {}) {
    b_ = std::make_unique<TestNode>(2, options);
    b_->Start();
  }
  SendOutcome Send(const std::string& text) { return a_->transport->Send(b_->id, text); }
  // That a connection of its own still works.
  void ExpectAlive() {
    TestNode friendly(77);
    friendly.Start();
    friendly.Knows(*b_);
    const size_t before = b_->collector.count();
    // Its connection, too, may have to greet more than once.
    EXPECT_TRUE(Await([&] {
      return friendly.transport->Send(b_->id, "still here") > SendOutcome::kFull || b_->collector.count() > before;
    })) << friendly.lines.text();
    EXPECT_GT(b_->collector.count(), before);
  }

  std::unique_ptr<TestNode> a_, b_;
};

TEST_F(TransportTest, MessagesOfAllSizesArriveBothWays) {
  StartBoth();
  std::multiset<std::string> sent;
  for (const size_t size : {size_t{0}, size_t{1}, size_t{100}, kPieceBytes - 1, kPieceBytes, kPieceBytes + 1,
                            2 * kPieceBytes, 10 * kPieceBytes + 3, size_t{20} << 20}) {
    sent.insert(Pattern(size, size));
    ASSERT_EQ(Send(Pattern(size, size)), SendOutcome::kQueued);
  }
  ASSERT_TRUE(Await([&] { return b_->collector.count() == sent.size(); }));
  const std::vector<std::string> got = b_->collector.messages();
  EXPECT_TRUE(std::multiset<std::string>(got.begin(), got.end()) == sent);
  EXPECT_EQ(b_->collector.last().from, a_->id);
  ASSERT_EQ(b_->transport->Send(a_->id, "back"), SendOutcome::kQueued);
  ASSERT_TRUE(Await([&] { return a_->collector.count() == 1; }));
  EXPECT_EQ(a_->transport->counters().sent.load(), sent.size());
  EXPECT_EQ(b_->transport->counters().received.load(), sent.size());
}

TEST_F(TransportTest, DeadlinesTravelAndExpiredMessagesDoNot) {
  StartBoth();
  Clock* const clock = Env::Default()->clock();
  const Nanos deadline = clock->MonotonicNanos() + 600 * kSecond;
  ASSERT_EQ(a_->transport->Send(b_->id, "x", deadline), SendOutcome::kQueued);
  ASSERT_TRUE(Await([&] { return b_->collector.count() == 1; }));
  // By the same clock here; milliseconds are cut off, and the way takes a while.
  EXPECT_GE(b_->collector.last().deadline + kMilli, deadline);
  EXPECT_EQ(a_->transport->Send(b_->id, "x", 1), SendOutcome::kExpired);
  EXPECT_EQ(a_->transport->Send(Id(9), "x"), SendOutcome::kUnknownPeer);
  a_->transport->SetPeer(Id(9), {"127.0.0.1", 1});  // nobody is there
  ASSERT_EQ(a_->transport->Send(Id(9), "x", clock->MonotonicNanos() + kMilli), SendOutcome::kQueued);
  EXPECT_TRUE(Await([&] { return a_->transport->expired() == 1; }));
  EXPECT_EQ(a_->transport->waiting(), 0u);
}

TEST_F(TransportTest, FullQueuesRefuseAtOnceAndPerPeer) {
  StartBoth({.queues = {.max_messages = 100}});
  a_->transport->SetPeer(Id(9), {"127.0.0.1", 1});
  for (int i = 0; i < 100; ++i) ASSERT_EQ(a_->transport->Send(Id(9), "x"), SendOutcome::kQueued);
  EXPECT_EQ(a_->transport->Send(Id(9), "x"), SendOutcome::kFull);
  EXPECT_EQ(Send("others go on"), SendOutcome::kQueued);
  EXPECT_TRUE(Await([&] { return b_->collector.count() == 1; }));
  a_->transport->RemovePeer(Id(9));
  EXPECT_EQ(a_->transport->Send(Id(9), "x"), SendOutcome::kUnknownPeer);
  a_->transport->Stop();
  EXPECT_EQ(Send("x"), SendOutcome::kStopped);
}

// A peer that stops reading: the queue fills, sends are refused, nothing waits; then all that was taken arrives.
TEST_F(TransportTest, SlowPeersFillTheirQueueOnly) {
  RawListener listener;
  a_ = std::make_unique<TestNode>(1, TransportOptions{.queues = {.max_bytes = 1 << 20}});
  a_->Start();
  a_->transport->SetPeer(Id(2), {"127.0.0.1", listener.port()});
  RawSocket peer = listener.Accept();
  Hello hello{.nonce = 6};
  hello.identity = {.cluster = "test", .node = Id(2)};
  std::string bytes;
  AppendFrame(FrameType::kHello, "", EncodeHello(hello), kHelloSeed, 0, &bytes);
  ASSERT_TRUE(peer.Send(bytes));
  const std::string piece = Pattern(10'000, 1);
  size_t taken = 0;
  while (a_->transport->Send(Id(2), piece) != SendOutcome::kFull) ++taken;
  // Room appears as the socket's buffers take more; at last they are full, too.
  for (int refused = 0; refused < 1000;) {
    const bool is_queued = a_->transport->Send(Id(2), piece) == SendOutcome::kQueued;
    taken += is_queued ? 1 : 0;
    refused = is_queued ? 0 : refused + 1;
  }
  EXPECT_LE(a_->transport->waiting(), (1u << 20) / 10'000);
  size_t received = 0;
  while (received < taken * 10'000) {
    const size_t some = peer.ReadSome().size();
    ASSERT_GT(some, 0u);
    received += some;
  }
  EXPECT_TRUE(Await([&] { return a_->transport->waiting() == 0; }));
}

TEST_F(TransportTest, ReconnectsAndDeliversNothingTwice) {
  const uint16_t port = FreePort();
  b_ = std::make_unique<TestNode>(2, TransportOptions{.port = port});
  b_->Start();
  a_ = std::make_unique<TestNode>(1);
  a_->Start();
  a_->Knows(*b_);
  std::atomic<bool> is_done{false};
  std::atomic<uint64_t> sent{0};
  // Sends all the while, small and large.
  std::thread sender([&] {
    for (uint64_t i = 0; !is_done.load(); ++i) {
      const std::string text = std::to_string(i) + " " + std::string(i % 50 == 0 ? 200'000 : 10, 'x');
      if (a_->transport->Send(Id(2), text) == SendOutcome::kQueued) sent.fetch_add(1);
      if (i % 64 == 0) std::this_thread::yield();
    }
  });
  std::vector<std::string> all;
  bool is_alive = true;
  for (int round = 0; round < 5 && is_alive; ++round) {
    is_alive = Await([&] { return b_->collector.count() > 100; });
    b_->transport->Stop();
    for (std::string& text : b_->collector.messages()) all.push_back(std::move(text));
    b_ = std::make_unique<TestNode>(2, TransportOptions{.identity = {.incarnation = static_cast<uint64_t>(round) + 1},
                                                        .port = port});
    b_->Start();
  }
  is_done.store(true);
  sender.join();
  ASSERT_TRUE(is_alive) << a_->lines.text();
  EXPECT_TRUE(a_->AwaitReach(Id(2)));
  std::set<std::string> different(all.begin(), all.end());
  EXPECT_EQ(different.size(), all.size());
  EXPECT_LE(all.size(), sent.load());
  EXPECT_GE(a_->transport->counters().connected.load(), 5u);
  for (const std::string& text : different) {
    const size_t space = text.find(' ');
    const uint64_t number = std::stoull(text.substr(0, space));
    EXPECT_EQ(text.size() - space - 1, number % 50 == 0 ? 200'000u : 10u);
  }
}

TEST_F(TransportTest, ReachabilityIsToldOnceForEachChange) {
  StartBoth();
  EXPECT_EQ(a_->collector.changes(b_->id), std::vector<bool>{true});
  EXPECT_FALSE(a_->transport->UnreachableSince(b_->id).has_value());
  EXPECT_FALSE(a_->transport->UnreachableSince(Id(50)).has_value());
  const Nanos before = Env::Default()->clock()->MonotonicNanos();
  b_->transport->Stop();
  ASSERT_TRUE(Await([&] { return a_->transport->UnreachableSince(b_->id).has_value(); }));
  EXPECT_LE(*a_->transport->UnreachableSince(b_->id), Env::Default()->clock()->MonotonicNanos());
  EXPECT_GT(*a_->transport->UnreachableSince(b_->id), before - 600 * kSecond);
  EXPECT_EQ(a_->collector.changes(b_->id), (std::vector<bool>{true, false}));
}

// A node that starts beside a dead one must not take it for one that is about to speak up.
TEST_F(TransportTest, WhoWasNeverThereIsToldOnceToo) {
  RawListener listener;
  a_ = std::make_unique<TestNode>(1, TransportOptions());
  a_->Start();
  a_->transport->SetPeer(Id(2), {"127.0.0.1", listener.port()});
  { RawSocket closed = listener.Accept(); }
  ASSERT_TRUE(Await([&] { return !a_->collector.changes(Id(2)).empty(); })) << a_->lines.text();
  for (int i = 0; i < 3; ++i) RawSocket closed = listener.Accept();
  EXPECT_EQ(a_->collector.changes(Id(2)), std::vector<bool>{false});
}

// The peer takes everything and answers nothing, as a machine that has died or stands still.
TEST_F(TransportTest, SilentPeersAreUnreachable) {
  RawListener listener;
  a_ = std::make_unique<TestNode>(1, TransportOptions{.ping_interval = 5 * kMilli, .suspect_after = 50 * kMilli});
  a_->Start();
  a_->transport->SetPeer(Id(2), {"127.0.0.1", listener.port()});
  RawSocket peer = listener.Accept();
  Hello hello{.nonce = 6};
  hello.identity = {.cluster = "test", .node = Id(2)};
  std::string bytes;
  AppendFrame(FrameType::kHello, "", EncodeHello(hello), kHelloSeed, 0, &bytes);
  ASSERT_TRUE(peer.Send(bytes));
  ASSERT_TRUE(Await([&] { return a_->lines.Has("node 2 is unreachable: is silent"); })) << a_->lines.text();
  EXPECT_TRUE(a_->transport->UnreachableSince(Id(2)).has_value());
  RawSocket again = listener.Accept();  // it tries again
  a_->transport->Stop();
}

TEST_F(TransportTest, AttemptsBecomeSeldom) {
  RawListener listener;
  a_ = std::make_unique<TestNode>(1, TransportOptions{.least_backoff = 4 * kMilli});
  a_->Start();
  const Nanos begin = Env::Default()->clock()->MonotonicNanos();
  a_->transport->SetPeer(Id(2), {"127.0.0.1", listener.port()});
  // At least half of 4, 8, 16, 32, 50, 50 ms lie between seven attempts, however slow the machine is.
  for (int i = 0; i < 7; ++i) RawSocket closed = listener.Accept();
  EXPECT_GE(Env::Default()->clock()->MonotonicNanos() - begin, 80 * kMilli);
}

TEST_F(TransportTest, OtherClustersVersionsAndNamesakesAreRefusedWithAReason) {
  StartOne({.identity = {.features = 1, .required = 1}});
  TestNode foreigner(3, {.identity = {.cluster = "elsewhere", .features = 1}});
  foreigner.Start();
  foreigner.Knows(*b_);
  EXPECT_TRUE(Await([&] { return foreigner.lines.Has("refused by the other end: a node of the cluster 'elsewhere'"); }));
  EXPECT_TRUE(Await([&] { return b_->lines.Has("a node of the cluster 'elsewhere', not of 'test'"); }));
  TestNode simple(4);
  simple.Start();
  simple.Knows(*b_);
  EXPECT_TRUE(Await([&] { return simple.lines.Has("one needs features that the other lacks"); }));
  // Somebody else lives at the peer's address.
  TestNode mistaken(5, {.identity = {.features = 1}});
  mistaken.Start();
  mistaken.transport->SetPeer(Id(6), b_->address());
  EXPECT_TRUE(Await([&] { return mistaken.lines.Has("node 6 is unreachable: invalid argument: is node 2"); }))
      << mistaken.lines.text();
  TestNode twin(2, {.identity = {.features = 1}});
  twin.Start();
  twin.transport->SetPeer(Id(6), b_->address());
  EXPECT_TRUE(Await([&] { return twin.lines.Has("I am node 2 myself"); })) << twin.lines.text();
  // A version from the future.
  Hello hello{.version = 9, .oldest = 9};
  std::string bytes;
  AppendFrame(FrameType::kHello, "", EncodeHello(hello), kHelloSeed, 0, &bytes);
  RawSocket future = RawSocket::Connect(b_->transport->port());
  ASSERT_TRUE(future.Send(bytes));
  EXPECT_NE(future.ReadSome().find("upgrade the older node"), std::string::npos);
  EXPECT_EQ(b_->collector.count(), 0u);
  EXPECT_GE(b_->transport->counters().refused.load(), 4u);
}

TEST_F(TransportTest, AnOlderIncarnationIsRefusedAndANewerTakesOver) {
  StartOne();
  RawSocket second = RawSocket::Connect(b_->transport->port());
  ASSERT_TRUE(second.Send(HelloFrame(3, 2)));
  ASSERT_TRUE(second.Send(MessageFrame(SeedAfterHello(&second), 0, "of 2")));
  ASSERT_TRUE(Await([&] { return b_->collector.count() == 1; }));
  RawSocket first = RawSocket::Connect(b_->transport->port());
  ASSERT_TRUE(first.Send(HelloFrame(3, 1)));
  EXPECT_NE(first.ReadSome().find("later incarnation"), std::string::npos);
  // A hello alone, which anybody could repeat, takes nobody's place; the first frame after it does.
  RawSocket third = RawSocket::Connect(b_->transport->port());
  ASSERT_TRUE(third.Send(HelloFrame(3, 3)));
  const uint64_t seed = SeedAfterHello(&third);
  EXPECT_EQ(b_->transport->counters().accepted.load(), 1u);
  ASSERT_TRUE(third.Send(MessageFrame(seed, 0, "of 3")));
  ASSERT_TRUE(Await([&] { return b_->collector.count() == 2; }));
  EXPECT_EQ(b_->collector.last().incarnation, 3u);
  EXPECT_EQ(second.ReadAll(), "");  // is ended
}

TEST_F(TransportTest, HostilePeersHarmNobodyElse) {
  StartOne({.greeting_timeout = 200 * kMilli});
  Random random(5);
  // Garbage, and what begins well.
  for (int i = 0; i < 50; ++i) {  // more than the log has lines for
    RawSocket socket = RawSocket::Connect(b_->transport->port());
    std::string bytes = i % 2 == 0 ? "" : HelloFrame(3);
    bytes += Pattern(1 + random.Uniform(5000), random.Next());
    socket.Send(bytes);
    socket.ReadAll();
  }
  // A frame announced as huge is not waited for.
  RawSocket huge = RawSocket::Connect(b_->transport->port());
  huge.Send(std::string("\xff\xff\xff\xff\x01\0\0\0", 8));
  EXPECT_EQ(huge.ReadAll(), "");
  // A hello repeated: the second is no frame of this connection.
  RawSocket repeats = RawSocket::Connect(b_->transport->port());
  repeats.Send(HelloFrame(3) + HelloFrame(3));
  Frame frame;
  EXPECT_EQ(DecodeFrame(repeats.ReadAll(), kHelloSeed, 0, &frame), FrameOutcome::kFrame);
  EXPECT_EQ(b_->transport->counters().accepted.load(), 0u);
  // Connections that say nothing, or half a hello, and stay.
  std::vector<RawSocket> silent;
  for (int i = 0; i < 40; ++i) {
    silent.push_back(RawSocket::Connect(b_->transport->port()));
    if (i % 2 == 0) silent.back().Send(HelloFrame(3).substr(0, 20));
  }
  ExpectAlive();
  // The 50, the two, and these.
  ASSERT_TRUE(Await([&] { return b_->transport->counters().broken.load() >= 92; }));
  for (RawSocket& socket : silent) EXPECT_EQ(socket.ReadAll(), "");  // are all ended
  ExpectAlive();
}

TEST_F(TransportTest, ThoseWhoGreetForeverGiveWay) {
  StartOne({.max_incoming = 4});
  std::vector<RawSocket> silent;
  for (int i = 0; i < 10; ++i) silent.push_back(RawSocket::Connect(b_->transport->port()));
  ASSERT_TRUE(Await([&] { return b_->lines.Has("too many connections"); }));
  ExpectAlive();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(silent[static_cast<size_t>(i)].ReadAll(), "");
}

TEST_F(TransportTest, ByteByByteIsAsGoodAsWhole) {
  StartOne();
  RawSocket socket = RawSocket::Connect(b_->transport->port());
  for (const char c : HelloFrame(3)) ASSERT_TRUE(socket.Send({&c, 1}));
  for (const char c : MessageFrame(SeedAfterHello(&socket), 0, "slowly")) ASSERT_TRUE(socket.Send({&c, 1}));
  ASSERT_TRUE(Await([&] { return b_->collector.count() == 1; }));
  EXPECT_EQ(b_->collector.messages(), std::vector<std::string>{"slowly"});
}

TEST_F(TransportTest, CutInTheMidstDeliversWholeMessagesOnly) {
  StartOne({.idle_timeout = 50 * kMilli});
  {
    RawSocket socket = RawSocket::Connect(b_->transport->port());
    ASSERT_TRUE(socket.Send(HelloFrame(3)));
    const uint64_t seed = SeedAfterHello(&socket);
    std::string bytes = MessageFrame(seed, 0, "whole");
    const std::string half = MessageFrame(seed, 1, "half");
    ASSERT_TRUE(socket.Send(bytes + half.substr(0, half.size() - 1)));
    ASSERT_TRUE(Await([&] { return b_->collector.count() == 1; }));
    // Half open: it stays there and says nothing more.
    EXPECT_TRUE(Await([&] { return b_->lines.Has("from node 3: says nothing"); }));
  }
  EXPECT_EQ(b_->collector.messages(), std::vector<std::string>{"whole"});
}

TEST_F(TransportTest, ManyNodesUnderLoadLoseNothingWhileConnectionsHold) {
  constexpr uint64_t kNodes = 4;
  const uint64_t each = 2000;
  std::vector<std::unique_ptr<TestNode>> nodes;
  for (uint64_t i = 0; i < kNodes; ++i) {
    nodes.push_back(std::make_unique<TestNode>(i + 1, TransportOptions{}));
    nodes.back()->Start();
  }
  for (auto& from : nodes) {
    for (auto& to : nodes) {
      if (from != to) from->Knows(*to);
    }
  }
  std::vector<std::thread> threads;
  for (auto& from : nodes) {
    threads.emplace_back([&, node = from.get()] {
      for (uint64_t i = 0; i < each; ++i) {
        for (auto& to : nodes) {
          if (to.get() == node) continue;
          const std::string text = std::to_string(Value(node->id)) + ":" + std::to_string(i);
          while (node->transport->Send(to->id, text) == SendOutcome::kFull) std::this_thread::yield();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (auto& node : nodes) {
    EXPECT_TRUE(Await([&] { return node->collector.count() >= each * (kNodes - 1); })) << node->lines.text();
    const std::vector<std::string> got = node->collector.messages();
    EXPECT_EQ(got.size(), each * (kNodes - 1));
    EXPECT_EQ(std::set<std::string>(got.begin(), got.end()).size(), got.size());
  }
}

TEST_F(TransportTest, PeersThatMoveAreFound) {
  StartBoth();
  b_->transport->Stop();
  b_ = std::make_unique<TestNode>(2);
  b_->Start();
  a_->Knows(*b_);
  ASSERT_EQ(Send("at the new place"), SendOutcome::kQueued);
  EXPECT_TRUE(Await([&] { return b_->collector.count() == 1; }));
}

TEST_F(TransportTest, AnIdentityThatIsNoneIsRefused) {
  Collector collector;
  Transport nobody({}, Env::Default(), &collector);
  EXPECT_STATUS(kInvalidArgument, nobody.Start());
  TransportOptions options{.identity = {.cluster = "c", .node = Id(1)}, .hosts = {"no.such.host.invalid"}};
  Transport nowhere(options, Env::Default(), &collector);
  EXPECT_FALSE(nowhere.Start().ok());
}

class TransportTlsTest : public TransportTest {
 protected:
  static std::string NameOf(NodeId id) { return "node-" + std::to_string(Value(id)); }
  tls::Files FilesFor(const std::string& name, const varve::test::Certificate& authority) {
    const auto made = varve::test::MakeCertificate(dir_.Sub(name), "DNS:" + name, &authority);
    return {.certificate = made.certificate_file, .key = made.key_file, .authorities = ca_.certificate_file};
  }
  std::unique_ptr<TestNode> Make(uint64_t number, const tls::Files& files) {
    auto node = std::make_unique<TestNode>(number, TransportOptions{.name_of = NameOf});
    EXPECT_OK(node->transport->UseTls(files));
    node->Start();
    return node;
  }

  varve::test::TempDir dir_;
  const varve::test::Certificate ca_ = varve::test::MakeCertificate(dir_.Sub("ca"), "", nullptr);
  const varve::test::Certificate other_ca_ = varve::test::MakeCertificate(dir_.Sub("other"), "", nullptr);
};

TEST_F(TransportTlsTest, NodesWithTheirCertificatesTalkAndOthersDoNot) {
  a_ = Make(1, FilesFor("node-1", ca_));
  b_ = Make(2, FilesFor("node-2", ca_));
  a_->Knows(*b_);
  b_->Knows(*a_);
  const std::string large = Pattern(5 << 20, 1);
  ASSERT_EQ(Send("small"), SendOutcome::kQueued);
  ASSERT_EQ(Send(large), SendOutcome::kQueued);
  ASSERT_TRUE(Await([&] { return b_->collector.count() == 2; })) << a_->lines.text() << b_->lines.text();
  EXPECT_TRUE(b_->collector.messages()[1] == large);
  // The right certificate for somebody else; says to be node 4.
  std::unique_ptr<TestNode> impostor = Make(4, FilesFor("node-3", ca_));
  impostor->Knows(*b_);
  EXPECT_TRUE(Await([&] { return impostor->lines.Has("the certificate is not for node-4"); })) << impostor->lines.text();
  // And nobody talks to it as node 4.
  a_->Knows(*impostor);
  EXPECT_TRUE(Await([&] { return a_->lines.Has("node 4 is unreachable: unavailable: TLS: certificate"); }))
      << a_->lines.text();
  // Another authority's.
  std::unique_ptr<TestNode> stranger = Make(5, FilesFor("node-5", other_ca_));
  stranger->Knows(*b_);
  EXPECT_TRUE(Await([&] { return stranger->lines.Has("node 2 is unreachable"); })) << stranger->lines.text();
  // Without TLS, and without a certificate, nobody gets in.
  TestNode plain(6);
  plain.Start();
  plain.Knows(*b_);
  EXPECT_TRUE(Await([&] { return plain.lines.Has("node 2 is unreachable"); }));
  EXPECT_EQ(b_->collector.count(), 2u);
  EXPECT_EQ(b_->transport->counters().accepted.load(), 1u);
}

TEST_F(TransportTlsTest, NewCertificatesAreForNewConnections) {
  a_ = Make(1, FilesFor("node-1", other_ca_));
  b_ = Make(2, FilesFor("node-2", ca_));
  a_->Knows(*b_);
  ASSERT_TRUE(Await([&] { return a_->lines.Has("node 2 is unreachable"); }));
  EXPECT_STATUS(kInvalidArgument, a_->transport->UseTls({}));
  ASSERT_OK(a_->transport->UseTls(FilesFor("node-1", ca_)));
  EXPECT_TRUE(a_->AwaitReach(b_->id)) << a_->lines.text();
}

}  // namespace transport_test
}  // namespace varve::node::test
