// PeerConnection: a socket and the channel over it, in a poller.
#ifndef VARVE_NODE_PEER_CONNECTION_H_
#define VARVE_NODE_PEER_CONNECTION_H_

#include <cstdint>
#include <memory>
#include <span>

#include "env/stream_socket.h"
#include "net/poller.h"
#include "node/channel.h"
#include "node/transport_options.h"

namespace varve::node {

// Thread-compatible: of the transport's thread.
class PeerConnection {
 public:
  // `key`: what the poller calls it. Borrows `poller` and `counters`.
  PeerConnection(uint64_t key, StreamSocket socket, std::unique_ptr<Channel> channel, net::Poller* poller,
                 TransportCounters* counters)
      : key_(key), socket_(std::move(socket)), channel_(std::move(channel)), poller_(poller), counters_(counters) {}

  // Has the poller watch it.
  Status Watch() { return poller_->Add(socket_.descriptor(), key_, false); }
  // Takes what is there, within limits that let others have their turn. Not OK: it is over.
  Status Read(std::span<char> scratch, Nanos now);
  // Sends what the socket takes, and has the poller tell when it takes more. Not OK: it is over.
  Status Flush();

  Channel* channel() { return channel_.get(); }
  uint64_t key() const { return key_; }
  Nanos last_heard() const { return last_heard_; }  // 0: nothing yet
  // Everything has been sent.
  bool is_flushed() const { return !wants_write_; }

 private:
  const uint64_t key_;
  StreamSocket socket_;
  const std::unique_ptr<Channel> channel_;
  net::Poller* const poller_;
  TransportCounters* const counters_;
  bool wants_write_ = false;
  Nanos last_heard_ = 0;
};

}  // namespace varve::node

#endif  // VARVE_NODE_PEER_CONNECTION_H_
