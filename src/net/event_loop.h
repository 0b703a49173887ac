// EventLoop: the connections of one thread, over epoll.
//
// One wake-up: every connection that has input reads once and takes a turn; BeforeSend is called; then
// all of them send. So what a connection has pipelined is answered by one write, and what BeforeSend costs
// (a flush of the disk) is shared by all that were ready. Those whose last turn was large wait in a queue,
// with those that have more to do than one turn: of it a wake-up does 64 KiB, or one turn, after all the others,
// so that who asks for little waits for no more than that and a turn, however many large ones there are.
#ifndef VARVE_NET_EVENT_LOOP_H_
#define VARVE_NET_EVENT_LOOP_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "net/connection.h"
#include "net/handler.h"
#include "net/options.h"
#include "net/socket.h"

namespace varve::net {

class EventLoop {
 public:
  // Borrows all of it.
  EventLoop(const ServerOptions& options, Counters* counters, Clock* clock)
      : options_(options), counters_(counters), clock_(clock) {}

  Status Open(std::unique_ptr<LoopHandler> handler);
  // Serves until Stop, then drains. In a thread of its own.
  void Run();

  // After Run has returned: connections and handlers go. What is posted from then on is kept and never run.
  void End();

  // --- Thread-safe.
  void Stop();
  // `task` runs in the loop; never, when that has ended.
  void Post(std::function<void()> task) VARVE_EXCLUDES(mu_);
  uint64_t connection_count() const { return connection_count_.load(std::memory_order_relaxed); }
  // Bytes of the connection that has the most.
  size_t largest_bytes() const { return largest_bytes_.load(std::memory_order_relaxed); }

  // --- In the loop's thread, or before it runs.

  // Calls `on_accept` for each connection that comes in.
  using OnAccept = std::function<void(Descriptor, const Listener&)>;
  Status AddListener(const Listener* listener, OnAccept on_accept);
  // `tls`: nullptr for connections without.
  void Adopt(Descriptor descriptor, const Listener& listener, uint64_t id,
             std::shared_ptr<const tls::Context> tls);
  // Sends the refusal and closes.
  void Refuse(Descriptor descriptor);
  // Asks that the largest connection goes while the budget is exceeded and it is here.
  void set_is_largest(std::function<bool(size_t bytes)> is_largest) {
    is_largest_ = std::move(is_largest);
  }

 private:
  static constexpr size_t kScratchBytes = 64 * 1024;
  // What epoll knows things by: connections by their number, and these.
  static constexpr uint64_t kWakeKey = 0;
  static constexpr uint64_t kListenerKey = uint64_t{1} << 63;

  struct Listening {
    const Listener* listener;
    OnAccept on_accept;
    bool is_paused = false;
  };

  void HandleEvent(uint64_t key, uint32_t events);
  void AcceptAll(Listening* listening);
  void PauseAccepting();
  void ResumeAccepting();
  void ReadFrom(Connection* connection);
  void NoteTurn(Connection* connection);
  // In a wake-up with much to do whoever has been served first is sent its replies meanwhile.
  void CountPart(size_t turn_bytes);
  bool IsLarge(const Connection& connection) const;
  // For a turn, after those with less to do.
  void Queue(Connection* connection);
  void RunQueue();
  void RunDue();
  // Unless a flush is under way: then when that is done.
  void SendAll();
  void OnFlushed(bool may_send);
  void AwaitFlush();
  void Send(const std::vector<uint64_t>& ids, bool may_send);
  void Settle(Connection* connection);
  bool IsOverBudget() const;
  void KeepWithinBudget();
  void ClearWake();
  void RunPosted() VARVE_EXCLUDES(mu_);
  int TimeoutMillis() const;
  uint64_t NowMillis() const { return clock_->MonotonicNanos() / 1'000'000; }
  void SetDeadline(Connection* connection, uint64_t deadline);
  void Drain();
  void WakeLoop();

  const ServerOptions& options_;
  Counters* const counters_;
  Clock* const clock_;
  std::unique_ptr<LoopHandler> handler_;
  Descriptor epoll_;
  Descriptor wake_;
  std::vector<Listening> listeners_;
  uint64_t accept_again_at_ = 0;  // 0: not paused
  OutputPool pool_;  // outlives the connections
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<uint64_t> turned_;     // have taken a turn, and nothing that it wrote may be sent yet
  std::vector<uint64_t> flushing_;   // what they wrote may be sent when the flush is done that is under way
  bool is_flushing_ = false;
  size_t part_bytes_ = 0;            // that turns have taken and written since something was sent
  std::deque<uint64_t> queue_;       // can go on at once, or have input after a large turn
  std::multimap<uint64_t, uint64_t> deadlines_;  // millis -> connection
  std::unique_ptr<char[]> scratch_;
  std::function<bool(size_t)> is_largest_;
  std::atomic<uint64_t> connection_count_{0};
  std::atomic<size_t> largest_bytes_{0};
  std::atomic<bool> is_stopping_{false};
  Mutex mu_;
  std::vector<std::function<void()>> posted_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::net

#endif  // VARVE_NET_EVENT_LOOP_H_
