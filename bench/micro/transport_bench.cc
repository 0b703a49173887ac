// Transport on loopback: messages a second, and the time to and fro.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <string>
#include <vector>

#include "node/transport.h"

namespace varve::node {
namespace {

// Counts, and answers if it is asked to.
class Counter : public TransportHandler {
 public:
  void OnMessage(const Delivery& delivery) override {
    if (answers != nullptr) static_cast<void>(answers->Send(delivery.from, std::string(delivery.bytes)));
    count.fetch_add(1, std::memory_order_release);
    count.notify_one();
  }
  void OnPeerChange(NodeId, bool, Nanos) override {}
  std::atomic<uint64_t> count{0};
  Transport* answers = nullptr;
};

struct Two {
  Two() {
    if (!a.Start().ok() || !b.Start().ok()) return;
    a.SetPeer(NodeId{2}, {"127.0.0.1", b.port()});
    b.SetPeer(NodeId{1}, {"127.0.0.1", a.port()});
    while (a.UnreachableSince(NodeId{2}) || b.UnreachableSince(NodeId{1})) Env::Default()->clock()->SleepNanos(kMilli);
  }
  static TransportOptions Options(uint64_t node) { return {.identity = {.cluster = "bench", .node = NodeId{node}}}; }
  Counter at_a, at_b;
  Transport a{Options(1), Env::Default(), &at_a};
  Transport b{Options(2), Env::Default(), &at_b};
};

double ProcessSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// One way, as many as fit; `range(0)`: bytes of a message. "cpu": microseconds of both nodes and the sender, a message.
void BM_TransportOneWay(benchmark::State& state) {
  Two two;
  const std::string message(static_cast<size_t>(state.range(0)), 'x');
  const double cpu = ProcessSeconds();
  uint64_t sent = 0;
  for (auto unused : state) {
    while (two.a.Send(NodeId{2}, message) != SendOutcome::kQueued) Env::Default()->clock()->SleepNanos(20'000);
    ++sent;
  }
  for (uint64_t seen = 0; seen < sent; seen = two.at_b.count.load(std::memory_order_acquire)) two.at_b.count.wait(seen);
  state.SetItemsProcessed(static_cast<int64_t>(sent));
  state.SetBytesProcessed(static_cast<int64_t>(sent) * state.range(0));
  state.counters["cpu"] = (ProcessSeconds() - cpu) * 1e6 / static_cast<double>(sent);
}
BENCHMARK(BM_TransportOneWay)->Arg(100)->Arg(1000)->Arg(65536)->Arg(1 << 20)->UseRealTime();

// To and fro, `range(0)` under way at a time; percentiles of one at a time.
void BM_TransportRoundTrip(benchmark::State& state) {
  Two two;
  two.at_b.answers = &two.b;
  const std::string message(100, 'x');
  const uint64_t width = static_cast<uint64_t>(state.range(0));
  std::vector<uint64_t> nanos;
  uint64_t sent = 0;
  for (auto unused : state) {
    const uint64_t begin = Env::Default()->clock()->MonotonicNanos();
    for (uint64_t i = 0; i < width; ++i) sent += two.a.Send(NodeId{2}, message) == SendOutcome::kQueued ? 1 : 0;
    for (uint64_t seen = 0; (seen = two.at_a.count.load(std::memory_order_acquire)) < sent;) two.at_a.count.wait(seen);
    nanos.push_back(Env::Default()->clock()->MonotonicNanos() - begin);
  }
  std::sort(nanos.begin(), nanos.end());
  state.SetItemsProcessed(static_cast<int64_t>(sent));
  state.counters["p50_us"] = static_cast<double>(nanos[nanos.size() / 2]) * 1e-3;
  state.counters["p99_us"] = static_cast<double>(nanos[nanos.size() * 99 / 100]) * 1e-3;
}
BENCHMARK(BM_TransportRoundTrip)->Arg(1)->Arg(32)->UseRealTime();

}  // namespace
}  // namespace varve::node
