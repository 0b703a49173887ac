// The transport's limits and times, and what it counts.
#ifndef VARVE_NODE_TRANSPORT_OPTIONS_H_
#define VARVE_NODE_TRANSPORT_OPTIONS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "node/hello.h"
#include "node/outbox.h"

namespace varve::node {

inline constexpr Nanos kMilli = 1'000'000;
inline constexpr Nanos kSecond = 1'000 * kMilli;
inline constexpr Nanos kNever = ~Nanos{0};

// Where a peer listens: a name or an address, and the port.
struct PeerAddress {
  std::string host;
  uint16_t port = 0;
  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

struct TransportOptions {
  Identity identity;
  std::vector<std::string> hosts = {"127.0.0.1"};
  uint16_t port = 0;  // 0: the system chooses
  QueueLimits queues;
  // All messages together that have come in part. For more the largest wait for nobody: they are dropped.
  size_t assembly_bytes = size_t{1} << 30;
  // Connections of others, greeting or open. One more makes the one go that has greeted longest.
  size_t max_incoming = 1024;
  Nanos connect_timeout = 1 * kSecond;  // of each address of a host
  Nanos greeting_timeout = 5 * kSecond;
  Nanos ping_interval = 1 * kSecond;
  // A ping that is not answered for so long ends the connection, and the peer is unreachable.
  Nanos suspect_after = 3 * kSecond;
  // An incoming connection on which nothing comes, not even pings, ends.
  Nanos idle_timeout = 15 * kSecond;
  Nanos least_backoff = 50 * kMilli;
  Nanos most_backoff = 5 * kSecond;
  // For jitter and nonces.
  uint64_t seed = 0;
  // With TLS: the name that the certificate of a node must be for, for example "node-5.cluster". Empty: no
  // node is bound to a name; then dialers want a certificate for the host that they have dialled.
  std::function<std::string(NodeId)> name_of;
  // Lines for people, at most twenty in a second. Called in the transport's thread.
  std::function<void(const std::string&)> log = [](const std::string&) {};
};

// Since the start. Thread-safe.
struct TransportCounters {
  std::atomic<uint64_t> sent{0};         // messages, encoded for a connection; it may have broken since
  std::atomic<uint64_t> received{0};     // messages delivered
  std::atomic<uint64_t> connected{0};    // outgoing connections that were opened
  std::atomic<uint64_t> accepted{0};     // incoming ones
  std::atomic<uint64_t> refused{0};      // by this end, with a reason
  std::atomic<uint64_t> broken{0};       // connections that were ended by an error of the other end, or by silence
  std::atomic<uint64_t> dropped_parts{0};  // messages that were too large, or for which there was no room
  std::atomic<uint64_t> sent_bytes{0};
  std::atomic<uint64_t> received_bytes{0};
};

}  // namespace varve::node

#endif  // VARVE_NODE_TRANSPORT_OPTIONS_H_
