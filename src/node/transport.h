// Transport: messages between the nodes of a cluster, over TCP, with or without TLS.
//
// What it promises. A message that Send took is delivered at most once. It may be lost: when a connection
// breaks, when its deadline passes before it is sent, when the receiver is short of memory, at Stop. There
// is no order: a small message may overtake a large one, and of messages around a reconnect any may come
// first. What is delivered is what was sent, to whom and by whom it says. Who needs more (answers, retries,
// order) builds it above.
//
// How. A node sends to a peer over a connection that it has begun, and receives over those that others have
// begun, so two nodes have two. Messages above 64 KiB travel in pieces between which small ones go; above
// max_message_bytes they are refused to the sender. Each connection begins with hellos (hello.h). A ping
// every second tells whether the peer is there; a peer that cannot be reached is tried again for ever, ever
// more seldom.
//
// With TLS both sides show certificates of the given authorities. With options.name_of a certificate must
// also be for the name of the node that its owner says to be.
#ifndef VARVE_NODE_TRANSPORT_H_
#define VARVE_NODE_TRANSPORT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "net/poller.h"
#include "node/acceptor.h"
#include "node/channel.h"
#include "node/dialer.h"
#include "node/log_limiter.h"
#include "node/outbox.h"
#include "node/transport_options.h"
#include "tls/context.h"
#include "varve/status.h"

namespace varve::node {

// Called in the transport's thread, one call at a time, and not after Stop. May call Send, SetPeer and
// RemovePeer. All other messages wait meanwhile: who has much to do hands it to others.
class TransportHandler {
 public:
  virtual ~TransportHandler() = default;
  virtual void OnMessage(const Delivery& delivery) = 0;
  // Behind the messages that had come at once.
  virtual void OnMessagesEnd() {}
  // The peer has become reachable (a ping was answered) or unreachable; it was last heard of at `since`.
  // Every peer begins unreachable, without a call; the first attempt to reach it is told when it fails.
  virtual void OnPeerChange(NodeId peer, bool is_reachable, Nanos since) = 0;
};

// Start and Stop by one thread; the rest is thread-safe.
class Transport {
 public:
  // Borrows `env`, whose clock the deadlines are by, and `handler`.
  Transport(TransportOptions options, Env* env, TransportHandler* handler);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // Listens, and starts the thread. kInvalidArgument: the identity is none; kIoError: no address can be had.
  Status Start();
  // Ends the connections and the thread; what waits is lost. It may take as long as a connect that is under
  // way. Idempotent; cannot be started again.
  void Stop();
  // After Start.
  uint16_t port() const { return port_; }

  // Connections that begin from now on speak TLS, with these: before Start, and again for other
  // certificates. All three files are needed. kInvalidArgument says which is wrong and why; then nothing
  // changes.
  Status UseTls(const tls::Files& files) VARVE_EXCLUDES(mu_);

  // The peer is there from now on. Known ones are looked for at the new address; what waits for them goes
  // there.
  void SetPeer(NodeId id, const PeerAddress& address) VARVE_EXCLUDES(mu_);
  // What waits for it is dropped. Its own connections to here stay.
  void RemovePeer(NodeId id) VARVE_EXCLUDES(mu_);

  // Never waits. `deadline`: by the clock of the Env; what has not been sent by then never is; 0: none.
  SendOutcome Send(NodeId to, std::string bytes, Nanos deadline = 0);
  // The same for many, which then go in few pieces. Empties `messages`.
  struct Outgoing {
    NodeId to{};
    std::string bytes;
    Nanos deadline = 0;
  };
  void SendAll(std::vector<Outgoing>* messages);
  // When the peer was last heard of, if it cannot be reached; std::nullopt: it can, or is no peer.
  std::optional<Nanos> UnreachableSince(NodeId id) const VARVE_EXCLUDES(mu_);
  const TransportCounters& counters() const { return counters_; }
  uint64_t expired() const { return outbox_.expired(); }  // messages that were dropped unsent
  uint64_t waiting() const { return outbox_.waiting(); }

 private:
  struct Reach {
    bool is_reachable = false;
    Nanos since = 0;
  };

  void Run();
  void RunPosted() VARVE_EXCLUDES(mu_);
  void Post(std::function<void()> task) VARVE_EXCLUDES(mu_);
  void Note(NodeId id, bool is_reachable, Nanos since) VARVE_EXCLUDES(mu_);
  Nanos Now() const { return env_->clock()->MonotonicNanos(); }
  Dialer::Context DialerContext();
  Acceptor::Context AcceptorContext();
  std::shared_ptr<const tls::Context> TlsOf(bool is_server) VARVE_EXCLUDES(mu_);

  const TransportOptions options_;
  Env* const env_;
  TransportHandler* const handler_;
  TransportCounters counters_;
  Outbox outbox_;
  net::Poller poller_;
  std::atomic<bool> is_stopping_{false};
  uint16_t port_ = 0;

  mutable Mutex mu_;
  std::vector<std::function<void()>> posted_ VARVE_GUARDED_BY(mu_);
  std::map<NodeId, Reach> reach_ VARVE_GUARDED_BY(mu_);
  std::shared_ptr<const tls::Context> server_tls_ VARVE_GUARDED_BY(mu_);
  std::shared_ptr<const tls::Context> client_tls_ VARVE_GUARDED_BY(mu_);

  // Of the transport's thread.
  Random random_;
  uint64_t keys_ = 0;
  LogLimiter log_;
  std::unique_ptr<Acceptor> acceptor_;
  std::unique_ptr<Dialer> dialer_;
  std::unique_ptr<Thread> thread_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_TRANSPORT_H_
