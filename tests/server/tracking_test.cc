// CLIENT TRACKING: who keeps copies is told of every change behind what it has read.
#include <chrono>
#include <string>
#include <thread>

#include "server/tracking.h"
#include "tests/server/server_fixture.h"

namespace varve::server::test {
namespace tracking_test {

std::string Told(std::string_view key) {
  return ">2\r\n$10\r\ninvalidate\r\n*1\r\n$" + std::to_string(key.size()) + "\r\n" + std::string(key) + "\r\n";
}
constexpr char kToldOfAll[] = ">2\r\n$10\r\ninvalidate\r\n_\r\n";

class TrackingTest : public ServerTest {
 protected:
  std::unique_ptr<TestClient> ConnectTracker(const std::vector<std::string_view>& options = {}) {
    auto client = Connect();
    client->Call({"HELLO", "3"});
    std::vector<std::string_view> command = {"CLIENT", "TRACKING", "ON"};
    command.insert(command.end(), options.begin(), options.end());
    EXPECT_EQ(client->Call(command), "+OK\r\n");
    return client;
  }
};

TEST_F(TrackingTest, OnceForEachRead) {
  const auto tracker = ConnectTracker();
  const auto writer = Connect(1);
  writer->Call({"SET", "k", "1"});
  EXPECT_EQ(tracker->Hear(), "") << "it has not read it";
  tracker->Call({"GET", "k"});
  writer->Call({"SET", "k", "2"});
  EXPECT_EQ(tracker->Hear(), Told("k"));
  writer->Call({"SET", "k", "3"});
  EXPECT_EQ(tracker->Hear(), "") << "it knows";
  tracker->Call({"GET", "k"});
  writer->Send(Encode({"SET", "other", "1"}) + Encode({"SET", "k", "3"}) + Encode({"SET", "k", "4"}));
  EXPECT_EQ(tracker->Hear(), Told("k")) << "also of what would have been a run of SETs";
  tracker->Call({"GET", "k"});
  tracker->Call({"CLIENT", "TRACKING", "OFF"});
  writer->Call({"DEL", "k"});
  EXPECT_EQ(tracker->Hear(), "");
}

TEST_F(TrackingTest, WhatFailsOrIsDiscardedIsNotTold) {
  const auto tracker = ConnectTracker();
  const auto writer = Connect(1);
  writer->Call({"SET", "k", "text"});
  tracker->Call({"GET", "k"});
  writer->Call({"INCR", "k"});
  writer->Call({"MULTI"});
  writer->Call({"SET", "k", "2"});
  writer->Call({"DISCARD"});
  writer->Call({"WATCH", "watched"});
  tracker->Call({"SET", "watched", "x"});
  writer->Call({"MULTI"});
  writer->Call({"SET", "k", "2"});
  EXPECT_EQ(writer->Call({"EXEC"}), "*-1\r\n");
  EXPECT_EQ(tracker->Hear(), "");
  writer->Call({"MULTI"});
  writer->Call({"SET", "k", "2"});
  EXPECT_EQ(writer->Call({"EXEC"}), "*1\r\n+OK\r\n");
  EXPECT_EQ(tracker->Hear(), Told("k"));
}

TEST_F(TrackingTest, ExpiryIsAChange) {
  const auto tracker = ConnectTracker();
  Connect(1)->Call({"SET", "k", "v", "PX", "100"});
  tracker->Call({"GET", "k"});
  AdvanceMillis(101);
  std::string heard;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (heard.empty() && std::chrono::steady_clock::now() < give_up) {  // a thread of the store tells
    AdvanceMillis(1);
    std::this_thread::yield();
    heard = tracker->Hear();
  }
  EXPECT_EQ(heard, Told("k"));
}

TEST_F(TrackingTest, ManyAtOnceAreAll) {
  const auto tracker = ConnectTracker();
  const auto prefixes = ConnectTracker({"BCAST", "PREFIX", "p"});
  const auto writer = Connect(1);
  const std::vector<std::vector<std::string_view>> commands = {
      {"FLUSHDB"}, {"FLUSHALL"}, {"SWAPDB", "0", "1"}, {"V.DELRANGE", "a", "z"}, {"V.RMTREE", "a"}};
  for (const std::vector<std::string_view>& command : commands) {
    writer->Call({"SET", "k", "v"});
    tracker->Call({"GET", "k"});
    EXPECT_EQ(writer->Call(command), "+OK\r\n");
    EXPECT_EQ(tracker->Hear(), kToldOfAll) << command[0];
    EXPECT_EQ(prefixes->Hear(), kToldOfAll) << command[0];
  }
}

TEST_F(TrackingTest, AnotherConnectionIsToldInstead) {
  const auto listener = Connect(1);
  const std::string reply = listener->Call({"CLIENT", "ID"});
  const std::string id = reply.substr(1, reply.size() - 3);
  listener->Call({"SUBSCRIBE", "__redis__:invalidate"});
  const auto tracker = Connect();
  EXPECT_EQ(tracker->Call({"CLIENT", "TRACKING", "ON", "REDIRECT", id}), "+OK\r\n");
  EXPECT_EQ(tracker->Call({"CLIENT", "GETREDIR"}), ":" + id + "\r\n");
  tracker->Call({"GET", "k"});
  const auto writer = Connect(1);
  writer->Call({"SET", "k", "1"});
  EXPECT_EQ(listener->Hear(), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n");
  EXPECT_EQ(tracker->Hear(), "");
  writer->Call({"FLUSHALL"});
  EXPECT_EQ(listener->Hear(), "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n$-1\r\n");
}

TEST_F(TrackingTest, WhoseListenerIsGoneIsToldThat) {
  auto listener = Connect(1);
  const std::string reply = listener->Call({"CLIENT", "ID"});
  const std::string id = reply.substr(1, reply.size() - 3);
  const auto tracker = ConnectTracker({"REDIRECT", id});
  tracker->Call({"GET", "k"});
  listener.reset();
  Connect(1)->Call({"SET", "k", "1"});
  EXPECT_EQ(tracker->Hear(), ">2\r\n$21\r\ntracking-redir-broken\r\n:" + id + "\r\n");
  EXPECT_NE(tracker->Call({"CLIENT", "TRACKINGINFO"}).find("broken_redirect"), std::string::npos);
  EXPECT_NE(tracker->Call({"CLIENT", "INFO"}).find(" flags=tR "), std::string::npos);
}

TEST_F(TrackingTest, MemoryIsBounded) {
  Clients clients;
  Tracking tracking(&clients, 10'000);
  const auto client = std::make_shared<Client>();
  client->peer.id = 1;
  client->protocol = 3;
  size_t told = 0;
  client->peer.write = [&](std::string) { ++told; };
  tracking.Begin(client, {});
  for (int i = 0; i < 1000; ++i) tracking.Remember(*client, "key" + std::to_string(i));
  EXPECT_LT(tracking.key_count(), 80u);
  EXPECT_EQ(tracking.key_count() + told, 1000u) << "whoever has read what is forgotten is told";
  for (int i = 0; i < 1000; ++i) tracking.Invalidate("key" + std::to_string(i), 0);
  EXPECT_EQ(told, 1000u);
  tracking.End(*client);
  EXPECT_FALSE(tracking.is_active());
}

TEST_F(TrackingTest, PrefixesAreFew) {
  const auto client = Connect();
  std::vector<std::string> names;
  for (int i = 0; i < 257; ++i) names.push_back("p" + std::to_string(1000 + i));
  std::vector<std::string_view> command = {"CLIENT", "TRACKING", "ON", "BCAST"};
  for (const std::string& name : names) command.insert(command.end(), {"PREFIX", name});
  EXPECT_EQ(client->Call(command), "-ERR a client may have 256 prefixes at most\r\n");
  command.resize(command.size() - 2);
  EXPECT_EQ(client->Call(command), "+OK\r\n");
  EXPECT_EQ(client->Call({"CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "q"}), "-ERR a client may have 256 prefixes at most\r\n");
}

// A change that is made while the client reads is either in what it reads, or told.
TEST_F(TrackingTest, NoChangeIsMissed) {
  for (int round = 0; round < 20; ++round) {
    constexpr int kWrites = 200;
    const auto writer = Connect(1);
    std::thread other([&] {
      for (int i = 0; i < kWrites; ++i) writer->Call({"SET", "k", std::to_string(i)});
    });
    const auto tracker = ConnectTracker();
    std::string copy;
    for (int i = 0; i < kWrites; ++i) {
      if (copy.empty()) copy = tracker->Call({"GET", "k"});
      // A message that came within the turn is sent behind its reply.
      if (!tracker->Hear().empty()) copy.clear();
    }
    other.join();
    if (!tracker->Hear().empty()) copy.clear();
    if (!copy.empty()) {
      EXPECT_EQ(copy, writer->Call({"GET", "k"}));
    }
  }
}

}  // namespace tracking_test
}  // namespace varve::server::test
