// A service over a store in memory, with a clock that tests set; and clients of it, without sockets.
#ifndef VARVE_TESTS_SERVER_SERVER_FIXTURE_H_
#define VARVE_TESTS_SERVER_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/crash_env.h"
#include "net/handler.h"
#include "server/service.h"
#include "tests/support/status_matchers.h"
#include "varve/db.h"

namespace varve::server::test {

inline std::string Encode(const std::vector<std::string_view>& args) {
  std::string bytes = "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    bytes.append("$").append(std::to_string(arg.size())).append("\r\n").append(arg).append("\r\n");
  }
  return bytes;
}

// One connection as the network would drive it.
class TestClient {
 public:
  TestClient(net::LoopHandler* loop, uint64_t id, bool is_local = true) : loop_(loop) {
    net::Peer peer;
    peer.id = id;
    peer.address = "127.0.0.1:" + std::to_string(id);
    peer.local_address = "127.0.0.1:6379";
    peer.is_local = is_local;
    peer.close = [] {};
    peer.wake = [] {};
    peer.write = [inbox = inbox_](std::string bytes) {
      if (inbox->on_message) inbox->on_message();
      MutexLock lock(&inbox->mu);
      inbox->bytes += bytes;
    };
    session_ = loop->OnConnect(peer);
  }

  // What is answered to `bytes`, all of it.
  std::string Send(std::string_view bytes) {
    input_.append(bytes);
    std::string output;
    do {
      ++turns_;
      turn_ = session_->OnInput(input_, &output);
      input_.erase(0, turn_.consumed);
    } while (turn_.next == net::Turn::Next::kMore);
    EXPECT_TRUE(loop_->BeforeSend());
    return output;
  }
  std::string Call(const std::vector<std::string_view>& args) { return Send(Encode(args)); }
  // What has been said to it since, without having asked.
  std::string Hear() {
    MutexLock lock(&inbox_->mu);
    return std::exchange(inbox_->bytes, {});
  }
  // Called before each of these, in the midst of whatever says it. Set while nothing is said.
  void set_on_message(std::function<void()> on_message) { inbox_->on_message = std::move(on_message); }
  const net::Turn& turn() const { return turn_; }
  // All it has had.
  int turns() const { return turns_; }
  uint64_t lifetime_millis() const { return session_->lifetime_millis(); }
  size_t left() const { return input_.size(); }

 private:
  struct Inbox {
    std::function<void()> on_message;
    Mutex mu;
    std::string bytes VARVE_GUARDED_BY(mu);
  };

  net::LoopHandler* const loop_;
  const std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::unique_ptr<net::ConnectionHandler> session_;
  std::string input_;
  net::Turn turn_;
  int turns_ = 0;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() : env_(1, SimClock::Mode::kManual) {}
  void SetUp() override { Start({}); }
  void TearDown() override { Stop(); }

  void Start(Options options) {
    options.net.loop_count = 2;
    Result<std::unique_ptr<Db>> db = OpenStore();
    ASSERT_OK(db);
    db_ = *std::move(db);
    service_ = std::make_unique<Service>(db_.get(), options, &env_, [this] { ++shutdowns_; });
    ASSERT_OK(service_->Load());
    for (int i = 0; i < 2; ++i) loops_.push_back(service_->NewLoop(i));
  }
  Result<std::unique_ptr<Db>> OpenStore() {
    store_options_.env = &env_;
    return Db::Open("/db", store_options_);
  }
  void Stop() {
    loops_.clear();
    service_.reset();
    db_.reset();
  }
  // REQUIRES: no client is left.
  void Restart(const Options& options = {}) {
    Stop();
    Start(options);
  }

  std::unique_ptr<TestClient> Connect(size_t loop = 0) {
    return std::make_unique<TestClient>(loops_[loop].get(), next_id_++);
  }
  // From another machine.
  std::unique_ptr<TestClient> ConnectStranger() {
    return std::make_unique<TestClient>(loops_[0].get(), next_id_++, /*is_local=*/false);
  }
  void AdvanceMillis(uint64_t millis) { env_.sim_clock()->Advance(millis * 1'000'000); }

  CrashEnv env_;
  varve::Options store_options_;
  std::unique_ptr<Db> db_;
  std::unique_ptr<Service> service_;
  std::vector<std::unique_ptr<net::LoopHandler>> loops_;
  uint64_t next_id_ = 1;
  int shutdowns_ = 0;
};

}  // namespace varve::server::test

#endif  // VARVE_TESTS_SERVER_SERVER_FIXTURE_H_
