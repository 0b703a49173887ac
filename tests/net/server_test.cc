// The network with real sockets, and a protocol of lines: "n text\n" is answered with the text n times.
#include "net/server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "env/env.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace varve::net {
namespace server_test {

// What "wait" waits for.
std::atomic<bool> may_go_on{false};
// Told of the text of each line. Changes only while no server runs.
std::function<void(std::string_view)> on_text;

class Lines : public ConnectionHandler {
 public:
  Turn OnInput(std::string_view input, std::string* output) override {
    Turn turn;
    const size_t begin = output->size();
    while (true) {
      const std::string_view rest = input.substr(turn.consumed);
      const size_t end = rest.find('\n');
      if (end == rest.npos) return turn;
      if (output->size() - begin > 1 << 20) {
        turn.next = Turn::Next::kMore;
        return turn;
      }
      const std::string line(rest.substr(0, end));
      if (line.starts_with("hold ") && !std::exchange(is_held_, !is_held_)) {
        turn.next = Turn::Next::kWait;
        turn.wait_millis = std::stoull(line.substr(5));
        return turn;
      }
      turn.consumed += end + 1;
      if (line.starts_with("hold ")) {
        output->append("on");
        continue;
      }
      if (line == "wait") {
        while (!may_go_on.load()) std::this_thread::yield();
        continue;
      }
      if (line == "quit" || line == "drop") {
        turn.next = line == "quit" ? Turn::Next::kCloseAfterReplies : Turn::Next::kClose;
        return turn;
      }
      const size_t space = line.find(' ');
      const int count = std::stoi(line);
      if (on_text) on_text(std::string_view(line).substr(space + 1));
      for (int i = 0; i < count; ++i) output->append(line, space + 1);
    }
  }

 private:
  bool is_held_ = false;  // by the line at the beginning of the input: "hold n" waits for n milliseconds, or to be woken
};

// Lines, of a connection that ends by itself, unless it has said that it stays.
class ShortLines : public Lines {
 public:
  Turn OnInput(std::string_view input, std::string* output) override {
    stays_ = stays_ || input.starts_with("1 stay");
    return Lines::OnInput(input, output);
  }
  uint64_t lifetime_millis() const override { return stays_ ? 0 : 300; }

 private:
  bool stays_ = false;
};

// Flushes that end when the test says so. Thread-safe.
class Flushes {
 public:
  void Begin(std::function<void(bool)> done) {
    const std::lock_guard<std::mutex> lock(mu_);
    under_way_.push_back(std::move(done));
    ++begun_;
  }
  int begun() const { return begun_; }
  void End(bool may_send = true) {
    std::vector<std::function<void(bool)>> ended;
    {
      const std::lock_guard<std::mutex> lock(mu_);
      ended.swap(under_way_);
    }
    for (const auto& done : ended) done(may_send);
  }

 private:
  std::mutex mu_;
  std::vector<std::function<void(bool)>> under_way_;
  std::atomic<int> begun_{0};
};

class LinesLoop : public LoopHandler {
 public:
  explicit LinesLoop(const std::atomic<bool>* may_send, Flushes* flushes = nullptr, std::vector<Peer>* peers = nullptr)
      : may_send_(may_send), flushes_(flushes), peers_(peers) {}
  std::unique_ptr<ConnectionHandler> OnConnect(const Peer& peer) override {
    if (peers_ != nullptr) peers_->push_back(peer);
    if (peer.service != 0) return std::make_unique<ShortLines>();
    return std::make_unique<Lines>();
  }
  bool BeforeSend() override { return may_send_->load(); }
  bool BeginBeforeSend(std::function<void(bool)> done) override {
    if (flushes_ == nullptr) return false;
    flushes_->Begin(std::move(done));
    return true;
  }

 private:
  const std::atomic<bool>* const may_send_;
  Flushes* const flushes_;
  std::vector<Peer>* const peers_;
};

// A blocking client.
class Client {
 public:
  explicit Client(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    is_connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    is_connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  bool is_connected() const { return is_connected_; }
  int descriptor() const { return fd_.get(); }
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  // Exactly so many bytes; fewer at the end of the connection.
  std::string Read(size_t size) {
    std::string bytes(size, '\0');
    size_t at = 0;
    while (at < size) {
      const ssize_t count = ::recv(fd_.get(), bytes.data() + at, size - at, 0);
      if (count <= 0) break;
      at += static_cast<size_t>(count);
    }
    bytes.resize(at);
    return bytes;
  }
  std::string ReadAll() {
    std::string all;
    for (std::string some = Read(65536); !some.empty(); some = Read(65536)) all += some;
    return all;
  }

 private:
  Descriptor fd_;
  bool is_connected_ = false;
};

class NetTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options, bool has_tcp = false) {
    options.has_tcp = has_tcp;
    options.hosts = {"127.0.0.1"};
    options.unix_socket = path_;
    server_ = std::make_unique<Server>(options, Env::Default());
    ASSERT_OK(server_->Start([this](int) { return std::make_unique<LinesLoop>(&may_send_, flushes_, peers_); }));
  }
  uint64_t Count(const std::atomic<uint64_t>& counter) { return counter.load(); }
  // One that may not have begun to wait.
  [[nodiscard]] bool WakeUntilAnswered(const Peer& peer, const Client& client) {
    pollfd answer{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
    return Await([&] {
      peer.wake();
      return ::poll(&answer, 1, 1) == 1;
    });
  }
  // Until others have got so far. False: they never do.
  template <typename Condition>
  [[nodiscard]] bool Await(const Condition& condition) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::yield();
    }
    return true;
  }

  varve::test::TempDir dir_;
  const std::string path_ = dir_.Sub("socket");
  std::atomic<bool> may_send_{true};
  std::vector<Peer>* peers_ = nullptr;  // set: all that have come; of one loop
  Flushes* flushes_ = nullptr;  // set: nothing is sent before one has ended
  std::unique_ptr<Server> server_;
};

TEST_F(NetTest, AnswersOverTcpAndUnixSockets) {
  Start({.loop_count = 2}, /*has_tcp=*/true);
  ASSERT_NE(server_->port(), 0);
  for (int i = 0; i < 4; ++i) {
    Client tcp(server_->port());
    Client local(path_);
    EXPECT_TRUE(tcp.Send("2 ab\n"));
    EXPECT_TRUE(local.Send("3 c\n"));
    EXPECT_EQ(tcp.Read(4), "abab");
    EXPECT_EQ(local.Read(3), "ccc");
  }
  EXPECT_EQ(Count(server_->counters().accepted), 8u);
}

TEST_F(NetTest, BytesMayComeInAnyPieces) {
  Start({});
  const std::string bytes = "1 one\n2 two\n10 x\n1 last\n";
  const std::string replies = "onetwotwoxxxxxxxxxxlast";
  for (size_t split = 1; split < bytes.size(); ++split) {
    Client client(path_);
    ASSERT_TRUE(client.Send(bytes.substr(0, split)));
    ASSERT_TRUE(client.Send(bytes.substr(split)));
    ASSERT_EQ(client.Read(replies.size()), replies) << split;
  }
  Client client(path_);
  for (const char byte : bytes) ASSERT_TRUE(client.Send({&byte, 1}));
  EXPECT_EQ(client.Read(replies.size()), replies);
}

// One that waits is not read, and does not keep the loop busy with what has come meanwhile.
TEST_F(NetTest, WhatComesWhileOneWaitsIsReadAfterwards) {
  std::vector<Peer> peers;
  peers_ = &peers;
  Start({});
  Client client(path_);
  ASSERT_TRUE(client.Send("1 a\nhold 60000\n"));
  ASSERT_EQ(client.Read(1), "a");
  ASSERT_TRUE(client.Send("1 b\n"));
  const std::clock_t before = std::clock();
  pollfd answer{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&answer, 1, 500), 0);
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 4) << "of half a second";
  peers[0].wake();
  EXPECT_EQ(client.Read(3), "onb");
  // And one that has been told of what came.
  ASSERT_TRUE(client.Send("hold 60000\n1 c\n"));
  ASSERT_TRUE(client.Send("1 d\n"));
  ASSERT_TRUE(WakeUntilAnswered(peers[0], client));
  EXPECT_EQ(client.Read(4), "oncd");
}

// Also not one that stops: what has come is not read any more.
TEST_F(NetTest, StoppingIsNotKeptBusyByWhoWaits) {
  Start({.drain_millis = 1000});
  Client client(path_);
  // More than a socket takes, and not so much that it is paused.
  ASSERT_TRUE(client.Send("60000 0123456789\nhold 60000\n1 b\n"));
  ASSERT_EQ(client.Read(1), "0");
  ASSERT_TRUE(client.Send("1 c\n"));
  const std::clock_t before = std::clock();
  server_->Stop();
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 2) << "of a second";
}

// The time of a wait that was over early is not that of the next.
TEST_F(NetTest, EachWaitHasItsOwnTime) {
  std::vector<Peer> peers;
  peers_ = &peers;
  Start({});
  Client client(path_);
  pollfd answer{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
  ASSERT_TRUE(client.Send("1 a\nhold 300\n"));
  ASSERT_EQ(client.Read(1), "a");
  ASSERT_TRUE(WakeUntilAnswered(peers[0], client));
  ASSERT_EQ(client.Read(2), "on");
  ASSERT_TRUE(client.Send("1 b\nhold 60000\n"));  // longer
  ASSERT_EQ(client.Read(1), "b");
  EXPECT_EQ(::poll(&answer, 1, 600), 0);
  ASSERT_TRUE(WakeUntilAnswered(peers[0], client));
  ASSERT_EQ(client.Read(2), "on");
  ASSERT_TRUE(client.Send("hold 20\n"));  // shorter
  EXPECT_EQ(::poll(&answer, 1, 30'000), 1);
  EXPECT_EQ(client.Read(2), "on");
}

TEST_F(NetTest, WhatWasWrittenBeforeTheCloseArrives) {
  Start({});
  Client client(path_);
  // More follows, which nobody reads: that must not take the replies away.
  ASSERT_TRUE(client.Send("100000 0123456789\nquit\n1 ignored\n"));
  EXPECT_EQ(client.ReadAll().size(), 1'000'000u);
  Client dropped(path_);
  ASSERT_TRUE(dropped.Send("1 x\ndrop\n"));
  EXPECT_LE(dropped.ReadAll().size(), 1u);
}

TEST_F(NetTest, NobodyWaitsForAClientThatDoesNotRead) {
  Start({.max_output_bytes = 64 << 20});
  Client lazy(path_);
  // Two megabytes, which no socket takes.
  ASSERT_TRUE(lazy.Send("200000 0123456789\n"));
  Client other(path_);
  ASSERT_TRUE(other.Send("1 hello\n"));
  EXPECT_EQ(other.Read(5), "hello");
  EXPECT_EQ(lazy.Read(2'000'000).size(), 2'000'000u);
}

TEST_F(NetTest, SlowReadersAreCut) {
  Start({.max_output_bytes = 4 << 20});
  Client lazy(path_);
  ASSERT_TRUE(lazy.Send("2000000 0123456789\n"));
  ASSERT_TRUE(Await([&] { return Count(server_->counters().cut_for_output) == 1; }));
  EXPECT_LT(lazy.ReadAll().size(), 20'000'000u);
  ASSERT_TRUE(Await([&] { return Count(server_->counters().buffer_bytes) == 0; }));
}

// Who first sends everything and then reads gets it all, in order, however much it is.
TEST_F(NetTest, PipelinesWhoseRepliesNobodyReadsYetArePaused) {
  Start({.pause_output_bytes = 1 << 20, .max_output_bytes = 4 << 20});
  Client client(path_);
  std::string requests;
  std::string replies;
  for (int i = 0; i < 20; ++i) {
    requests += "100000 0123456789\n";
    for (int j = 0; j < 1000; ++j) requests += "1 " + std::to_string(i * 1000 + j) + "\n";
  }
  for (int part = 0; part < 3; ++part) ASSERT_TRUE(client.Send(requests));
  for (int part = 0; part < 3; ++part) {
    for (int i = 0; i < 20; ++i) {
      const std::string large = client.Read(1'000'000);
      ASSERT_EQ(large.size(), 1'000'000u);
      EXPECT_EQ(large.compare(999'980, 20, "01234567890123456789"), 0);
      for (int j = 0; j < 1000; ++j) {
        const std::string wanted = std::to_string(i * 1000 + j);
        ASSERT_EQ(client.Read(wanted.size()), wanted);
      }
    }
  }
  EXPECT_EQ(Count(server_->counters().cut_for_output), 0u);
}

TEST_F(NetTest, EndlessRequestsAreCut) {
  Start({.max_input_bytes = 1 << 20});
  Client client(path_);
  const std::string much(4 << 20, 'x');
  client.Send(much);
  ASSERT_TRUE(Await([&] { return Count(server_->counters().cut_for_input) == 1; }));
  EXPECT_EQ(client.ReadAll(), "");
  ASSERT_TRUE(Await([&] { return Count(server_->counters().buffer_bytes) == 0; }));
}

// Many that each keep within their own limit: the largest goes, the others stay.
TEST_F(NetTest, MemoryOfAllIsBounded) {
  Start({.loop_count = 2, .memory_budget_bytes = 8 << 20});
  Client small(path_);
  ASSERT_TRUE(small.Send("1 hello\n"));
  EXPECT_EQ(small.Read(5), "hello");
  std::vector<std::unique_ptr<Client>> hogs;
  for (int i = 0; i < 8; ++i) {
    hogs.push_back(std::make_unique<Client>(path_));
    hogs.back()->Send(std::string((2 << 20) - 1, 'x'));
  }
  ASSERT_TRUE(Await([&] { return Count(server_->counters().cut_for_memory) >= 3; }));
  ASSERT_TRUE(Await([&] { return Count(server_->counters().buffer_bytes) <= 8 << 20; }));
  ASSERT_TRUE(small.Send("1 still\n"));
  EXPECT_EQ(small.Read(5), "still");
}

// Many that are ready at once, each with a large reply, and one with a small request that comes during the first of
// their turns: it waits for that turn, not for all.
TEST_F(NetTest, SmallTurnsWaitForOneLargeTurn) {
  constexpr int kHogs = 16;
  std::atomic<bool> counts{false};
  std::function<void()> during_first;
  std::vector<std::string> turns;
  on_text = [&](std::string_view text) {
    if (!counts) return;
    turns.emplace_back(text);
    if (turns.size() == 1) during_first();
  };
  Start({});
  Client small(path_);
  ASSERT_TRUE(small.Send("1 known\n"));
  ASSERT_EQ(small.Read(5), "known");
  Client gate(path_);
  ASSERT_TRUE(gate.Send("1 known\n"));
  ASSERT_EQ(gate.Read(5), "known");
  const std::string large = "100 " + std::string(1'000, 'x') + '\n';
  std::vector<std::unique_ptr<Client>> hogs;
  for (int i = 0; i < kHogs; ++i) {
    hogs.push_back(std::make_unique<Client>(path_));
    ASSERT_TRUE(hogs.back()->Send(large));
    ASSERT_EQ(hogs.back()->Read(100'000).size(), 100'000u);
  }
  // The loop stands still while all of them send.
  may_go_on = false;
  ASSERT_TRUE(gate.Send("wait\n"));
  during_first = [&] { ASSERT_TRUE(small.Send("1 small\n")); };
  counts = true;
  for (const auto& hog : hogs) ASSERT_TRUE(hog->Send(large));
  may_go_on = true;
  for (const auto& hog : hogs) ASSERT_EQ(hog->Read(100'000).size(), 100'000u);
  ASSERT_EQ(small.Read(5), "small");
  server_.reset();
  on_text = nullptr;
  ASSERT_EQ(turns.size(), kHogs + 1u);
  EXPECT_EQ(std::find(turns.begin(), turns.end(), "small") - turns.begin(), 1);
}

// Many that are ready at once, each with a large reply: nobody gets a turn while there is too much already.
TEST_F(NetTest, TurnsStopAboveTheBudget) {
  constexpr size_t kBudget = 16 << 20;
  may_go_on = false;
  Start({.memory_budget_bytes = kBudget});
  Client waiting(path_);
  std::vector<std::unique_ptr<Client>> hogs;
  for (int i = 0; i < 60; ++i) hogs.push_back(std::make_unique<Client>(path_));
  ASSERT_TRUE(Await([&] { return Count(server_->counters().open) == 61; }));
  // Those of which nobody knows that they ask for much have their turns one after the other.
  for (const auto& hog : hogs) {
    ASSERT_TRUE(hog->Send("1 x\n"));
    ASSERT_EQ(hog->Read(1), "x");
  }
  ASSERT_TRUE(waiting.Send("wait\n"));
  const std::string line = "400 " + std::string(10'000, 'x') + '\n';
  for (const auto& hog : hogs) ASSERT_TRUE(hog->Send(line));
  std::atomic<bool> is_over{false};
  uint64_t most = 0;
  std::thread watch([&] {
    while (!is_over.load()) most = std::max(most, Count(server_->counters().buffer_bytes));
  });
  may_go_on = true;
  const bool are_cut = Await([&] { return Count(server_->counters().cut_for_memory) >= 4; });
  is_over = true;
  watch.join();
  EXPECT_TRUE(are_cut);
  // And one reply of four megabytes, in a string that doubles.
  EXPECT_LE(most, kBudget + (8 << 20));
}

TEST_F(NetTest, TooManyConnectionsAreTold) {
  Start({.max_connections = 3, .refusal = "-full\n"});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<Client>(path_));
    ASSERT_TRUE(clients.back()->Send("1 x\n"));
    ASSERT_EQ(clients.back()->Read(1), "x");
  }
  for (int i = 0; i < 20; ++i) {
    Client refused(path_);
    EXPECT_EQ(refused.ReadAll(), "-full\n");
  }
  EXPECT_EQ(Count(server_->counters().refused), 20u);
  clients.pop_back();
  ASSERT_TRUE(Await([&] { return Count(server_->counters().open) == 2; }));
  Client next(path_);
  ASSERT_TRUE(next.Send("1 x\n"));
  EXPECT_EQ(next.Read(1), "x");
}

// Out of descriptors, accepting pauses; it goes on when there are some again.
TEST_F(NetTest, AcceptingResumesWhenThereAreDescriptors) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan, which is built in with ASan, needs descriptors of its own to check types";
#endif
  Start({});
  Client first(path_);
  ASSERT_TRUE(first.Send("1 x\n"));
  ASSERT_EQ(first.Read(1), "x");
  // A client's socket, which is connected by the kernel alone, and none for the server's side.
  Descriptor waiting(::socket(AF_UNIX, SOCK_STREAM, 0));
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit before = limit;
  limit.rlim_cur = static_cast<rlim_t>(waiting.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(::connect(waiting.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_TRUE(Await([&] { return Count(server_->counters().accept_pauses) >= 1; }));
  EXPECT_EQ(Count(server_->counters().open), 1u);
  ASSERT_TRUE(first.Send("1 y\n"));
  EXPECT_EQ(first.Read(1), "y");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_TRUE(Await([&] { return Count(server_->counters().open) == 2; }));
}

TEST_F(NetTest, StopSendsWhatHasBeenAnswered) {
  Start({.loop_count = 2, .drain_millis = 60'000});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(path_));
    ASSERT_TRUE(clients.back()->Send("1 x\n"));
    ASSERT_EQ(clients.back()->Read(1), "x");
    // More than a turn answers, and more than a socket takes.
    std::string bytes;
    for (int k = 0; k < 40; ++k) bytes += "10000 0123456789\n";
    ASSERT_TRUE(clients.back()->Send(bytes));
    ASSERT_EQ(clients.back()->Read(1), "0");
  }
  std::thread stopper([&] { server_->Stop(); });
  for (const auto& client : clients) EXPECT_EQ(client->ReadAll().size(), 3'999'999u);
  stopper.join();
  EXPECT_FALSE(Client(path_).is_connected());
}

TEST_F(NetTest, StopDoesNotWaitForEverForSlowReaders) {
  Start({.drain_millis = 20});
  Client lazy(path_);
  ASSERT_TRUE(lazy.Send("1000000 0123456789\n"));
  ASSERT_EQ(lazy.Read(1), "0");
  server_->Stop();
  EXPECT_LT(lazy.ReadAll().size(), 9'999'999u);
}

// A node of a cluster answers from threads of its own, which end after the server. Needs AddressSanitizer to see it fail.
TEST_F(NetTest, WhoHasConnectionsWokenMayOutliveThem) {
  std::vector<Peer> peers;
  peers_ = &peers;
  Start({});
  Client client(path_);
  ASSERT_TRUE(client.Send("1 x\n"));
  ASSERT_EQ(client.Read(1), "x");
  server_->Stop();
  ASSERT_EQ(peers.size(), 1u);
  peers[0].wake();
  peers[0].close();
  peers[0].write("late");
}

// What may not be sent because it could not be made durable is never seen.
TEST_F(NetTest, NothingIsSentThatMayNotBe) {
  Start({});
  Client client(path_);
  ASSERT_TRUE(client.Send("1 x\n"));
  ASSERT_EQ(client.Read(1), "x");
  may_send_ = false;
  ASSERT_TRUE(client.Send("1 y\n"));
  EXPECT_EQ(client.ReadAll(), "");
}

// Whether it says nothing, half of a request, or whole ones; and the main port has no such limit.
TEST_F(NetTest, ConnectionsOfALimitedLifetimeEnd) {
  Start({.extra_ports = {{.service = 3, .hosts = {"127.0.0.1"}}}, .loop_count = 2}, /*has_tcp=*/true);
  ASSERT_EQ(server_->addresses(3).size(), 1u);
  ASSERT_EQ(server_->addresses(0).size(), 2u);
  const std::string address = server_->addresses(3)[0];
  const auto port = static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  Client unlimited(path_);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 6; ++i) clients.push_back(std::make_unique<Client>(port));
  Client stays(port);
  ASSERT_TRUE(stays.Send("1 stay\n"));
  EXPECT_EQ(stays.Read(4), "stay");
  clients[1]->Send("1 half");
  clients[2]->Send("1 x\n");
  clients[3]->Send("1 x\nquit\n");
  clients[4]->Send("1000000 0123456789\n");
  EXPECT_EQ(clients[0]->ReadAll(), "");
  EXPECT_EQ(clients[1]->ReadAll(), "");
  ASSERT_TRUE(Await([&] { return Count(server_->counters().open) == 2; }));
  for (Client* const client : {&unlimited, &stays}) {
    ASSERT_TRUE(client->Send("1 x\n"));
    EXPECT_EQ(client->Read(1), "x");
  }
}

TEST_F(NetTest, SocketFilesOfTheDeadAreReplacedAndOthersNot) {
  {
    Descriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(::bind(dead.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  Start({});
  ServerOptions options;
  options.has_tcp = false;
  options.unix_socket = path_;
  Server second(options, Env::Default());
  EXPECT_STATUS(kBusy, second.Start([this](int) { return std::make_unique<LinesLoop>(&may_send_); }));
  Client client(path_);
  ASSERT_TRUE(client.Send("1 x\n"));
  EXPECT_EQ(client.Read(1), "x");
}

TEST_F(NetTest, ClientsComeAndGo) {
  Start({.loop_count = 2});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this] {
      for (int i = 0; i < 100; ++i) {
        Client client(path_);
        client.Send("1000 abc\n5");
        if (i % 3 == 0) continue;
        EXPECT_EQ(client.Read(3000).size(), 3000u);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(Await([&] { return Count(server_->counters().open) == 0; }));
  EXPECT_EQ(Count(server_->counters().buffer_bytes), 0u);
}

// --- Flushes beside the loop.

class NetFlushTest : public NetTest {
 protected:
  NetFlushTest() { flushes_ = &all_flushes_; }
  ~NetFlushTest() override {
    // The loops wait for those that are under way.
    std::atomic<bool> has_ended{false};
    std::thread stopper([&] {
      server_.reset();
      has_ended = true;
    });
    while (!has_ended) all_flushes_.End();
    stopper.join();
  }
  static bool HasSomethingToRead(const Client& client) {
    pollfd ready{.fd = client.descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&ready, 1, 20) == 1;
  }

  Flushes all_flushes_;
};

TEST_F(NetFlushTest, NothingIsSentBeforeItsFlushHasEnded) {
  Start({});
  Client client(path_);
  ASSERT_TRUE(client.Send("2 ab\n"));
  ASSERT_TRUE(Await([&] { return all_flushes_.begun() == 1; }));
  EXPECT_FALSE(HasSomethingToRead(client));
  all_flushes_.End();
  EXPECT_EQ(client.Read(4), "abab");
}

// What was executed while a flush was under way is not covered by it.
TEST_F(NetFlushTest, WhatIsExecutedMeanwhileWaitsForTheNextFlush) {
  Start({});
  Client first(path_);
  Client second(path_);
  ASSERT_TRUE(first.Send("1 first\n"));
  ASSERT_TRUE(Await([&] { return all_flushes_.begun() == 1; }));
  const uint64_t before = Count(server_->counters().input_bytes);
  ASSERT_TRUE(first.Send("1 more\n"));
  ASSERT_TRUE(second.Send("1 second\n"));
  ASSERT_TRUE(Await([&] { return Count(server_->counters().input_bytes) == before + 16; }));
  EXPECT_EQ(all_flushes_.begun(), 1) << "one at a time";
  all_flushes_.End();
  EXPECT_EQ(first.Read(5), "first");
  ASSERT_TRUE(Await([&] { return all_flushes_.begun() == 2; }));
  EXPECT_FALSE(HasSomethingToRead(first));
  EXPECT_FALSE(HasSomethingToRead(second));
  all_flushes_.End();
  EXPECT_EQ(first.Read(4), "more");
  EXPECT_EQ(second.Read(6), "second");
}

TEST_F(NetFlushTest, AFailedFlushEndsThoseWhoWaitedForIt) {
  Start({});
  Client client(path_);
  Client other(path_);
  ASSERT_TRUE(client.Send("1 x\n"));
  ASSERT_TRUE(Await([&] { return all_flushes_.begun() == 1; }));
  all_flushes_.End(/*may_send=*/false);
  EXPECT_EQ(client.ReadAll(), "");
  ASSERT_TRUE(other.Send("1 y\n"));
  ASSERT_TRUE(Await([&] { return all_flushes_.begun() == 2; }));
  all_flushes_.End();
  EXPECT_EQ(other.Read(1), "y");
}

TEST_F(NetFlushTest, ConnectionsMayGoAndCloseMeanwhile) {
  Start({});
  {
    Client gone(path_);
    ASSERT_TRUE(gone.Send("1 x\n"));
    ASSERT_TRUE(Await([&] { return all_flushes_.begun() == 1; }));
  }
  Client closes(path_);
  ASSERT_TRUE(closes.Send("1 last\nquit\n"));
  ASSERT_TRUE(Await([&] { return Count(server_->counters().input_bytes) == 4 + 12; }));
  all_flushes_.End();
  ASSERT_TRUE(Await([&] { return all_flushes_.begun() == 2; }));
  all_flushes_.End();
  EXPECT_EQ(closes.ReadAll(), "last");
}

TEST_F(NetFlushTest, MuchThatIsReadSlowlyComesWhole) {
  Start({});
  Client client(path_);
  ASSERT_TRUE(client.Send("300000 0123456789\n300000 abcdefghij\nquit\n"));
  std::atomic<bool> has_all{false};
  std::thread flusher([&] {
    while (!has_all) all_flushes_.End();
  });
  std::string expected;
  for (int i = 0; i < 300000; ++i) expected += "0123456789";
  for (int i = 0; i < 300000; ++i) expected += "abcdefghij";
  EXPECT_TRUE(client.ReadAll() == expected);
  has_all = true;
  flusher.join();
}

}  // namespace server_test
}  // namespace varve::net
