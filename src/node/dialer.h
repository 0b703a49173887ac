// Dialer: the ways to the peers: connects, connects again, sends what waits in the outbox, and says who is
// unreachable.
#ifndef VARVE_NODE_DIALER_H_
#define VARVE_NODE_DIALER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "env/worker_pool.h"
#include "node/backoff.h"
#include "node/packer.h"
#include "node/peer_connection.h"
#include "node/transport_options.h"
#include "tls/context.h"

namespace varve::node {

// Thread-compatible: of the transport's thread.
class Dialer {
 public:
  struct Context {
    const TransportOptions* options;
    Env* env;
    net::Poller* poller;
    Outbox* outbox;
    TransportCounters* counters;
    Random* random;
    std::function<void(std::function<void()>)> post;  // thread-safe: runs it in the transport's thread
    std::function<void(const std::string&)> log;
    std::function<uint64_t()> next_key;
    std::function<std::shared_ptr<const tls::Context>()> tls;  // nullptr: without
    // `since`: of what it is now.
    std::function<void(NodeId, bool is_reachable, Nanos since)> on_change;
  };
  explicit Dialer(Context context);
  ~Dialer();

  // Adds it, or lets it be found elsewhere.
  void SetPeer(NodeId id, const PeerAddress& address, Nanos now);
  void RemovePeer(NodeId id);
  // Sends what waits for it.
  void SendTo(NodeId id, Nanos now);
  // Whether the event was for one of its connections.
  bool Handle(const net::Poller::Event& event, std::span<char> scratch, Nanos now);
  // Does what is due. Returns when something will be.
  Nanos RunTimers(Nanos now);

 private:
  class Link;
  void Connect(Link* link);
  void OnConnected(NodeId id, uint64_t attempt, Result<StreamSocket> socket);
  Result<std::unique_ptr<tls::Session>> NewSession(const Link& link);
  void Fill(Link* link, Nanos now);
  void Lose(Link* link, const std::string& why, Nanos now);
  void Forget(Link* link);
  void RunTimersOf(Link* link, Nanos now);
  Nanos NextOf(const Link& link) const;

  const Context context_;
  AssemblyBudget no_budget_;  // nothing comes in pieces on the way back
  std::map<NodeId, std::unique_ptr<Link>> links_;
  std::map<uint64_t, Link*> by_key_;
  uint64_t attempts_ = 0;
  Nanos next_timer_ = 0;  // nothing is due before; 0 when that has to be found out
  std::atomic<bool> is_ending_{false};
  // Ends before what its tasks would post to; they find no link then.
  std::unique_ptr<WorkerPool> pool_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_DIALER_H_
