// Acceptor: connections that others have begun: greets them, delivers their messages, answers their pings,
// and ends those that say nothing.
//
// A node has one open connection to here. A newer one takes its place when it has proven to be live, not
// before: a hello that somebody repeats ends nothing.
#ifndef VARVE_NODE_ACCEPTOR_H_
#define VARVE_NODE_ACCEPTOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/poller.h"
#include "net/socket.h"
#include "node/peer_connection.h"
#include "node/transport_options.h"
#include "tls/context.h"

namespace varve::node {

// Thread-compatible: of the transport's thread.
class Acceptor {
 public:
  struct Context {
    const TransportOptions* options;
    net::Poller* poller;
    TransportCounters* counters;
    Random* random;
    std::function<void(const std::string&)> log;
    std::function<uint64_t()> next_key;
    std::function<std::shared_ptr<const tls::Context>()> tls;  // nullptr: without
    std::function<void(const Delivery&)> deliver;
  };
  explicit Acceptor(Context context);
  ~Acceptor();

  // kIoError when none of the hosts' addresses can be had.
  Status Listen();
  uint16_t port() const { return port_; }

  // Whether the event was for it.
  bool Handle(const net::Poller::Event& event, std::span<char> scratch, Nanos now);
  // Does what is due. Returns when something will be.
  Nanos RunTimers(Nanos now);

 private:
  class Guest;
  void AcceptAll(const net::Listener& listener, Nanos now);
  void Take(StreamSocket socket, std::string address, Nanos now);
  void MakeRoom();
  void PauseListening(Nanos now);
  void ResumeListening();
  // The guest may be another's successor.
  void OnOpen(Guest* guest);
  Status Approve(const Hello& theirs, const tls::Session* tls) const;
  void End(uint64_t key, const std::string& why);
  Nanos DueOf(const Guest& guest) const;

  const Context context_;
  AssemblyBudget budget_;
  uint64_t counted_drops_ = 0;
  std::map<uint64_t, net::Listener> listeners_;
  uint16_t port_ = 0;
  Nanos listen_again_at_ = 0;  // 0: it listens
  std::map<uint64_t, std::unique_ptr<Guest>> guests_;  // the oldest first
  std::map<NodeId, uint64_t> open_;                    // the open connection of a node
  std::map<NodeId, uint64_t> incarnations_;            // the latest that was open
  std::vector<uint64_t> replaced_;                     // to be ended
  Nanos next_timer_ = 0;  // nothing is due before; 0 when that has to be found out
};

}  // namespace varve::node

#endif  // VARVE_NODE_ACCEPTOR_H_
