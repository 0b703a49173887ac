// The limits of a server's connections, what it counts, and the memory that they share.
#ifndef VARVE_NET_OPTIONS_H_
#define VARVE_NET_OPTIONS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace varve::net {

// A port beside the main one.
struct ExtraPort {
  int service = 1;  // what Peer::service says of its connections
  std::vector<std::string> hosts = {"127.0.0.1", "::1"};
  uint16_t port = 0;  // 0: the system chooses
};

struct ServerOptions {
  std::vector<std::string> hosts = {"127.0.0.1", "::1"};
  // 0: the system chooses. No port: no TCP.
  uint16_t port = 0;
  bool has_tcp = true;
  std::string unix_socket;  // a path; empty: none
  std::vector<ExtraPort> extra_ports;
  int backlog = 4096;  // connections that wait to be accepted; the system may allow fewer
  int loop_count = 1;
  // Connections above these are told `refusal` and closed.
  uint64_t max_connections = 10000;
  std::string refusal;
  // Of one connection, in bytes: input that is not consumed, output that is not read. Who has more is
  // closed. Above pause_output_bytes its input is kept and not executed until all of it has been read, so
  // that replies alone, if none is larger than the difference, close nobody.
  size_t max_input_bytes = size_t{1} << 30;
  size_t pause_output_bytes = size_t{64} << 20;
  size_t max_output_bytes = size_t{640} << 20;
  // Of all together. Above that the largest are closed, and nobody gets a turn, until it is kept again: it is
  // exceeded by one turn of each loop at most.
  size_t memory_budget_bytes = size_t{1} << 30;
  // How long Stop waits for clients to take their last replies.
  uint64_t drain_millis = 2000;
};

// Thread-safe. Counters count since the start.
struct Counters {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> refused{0};
  std::atomic<uint64_t> open{0};  // connections now
  std::atomic<uint64_t> input_bytes{0};
  std::atomic<uint64_t> output_bytes{0};
  std::atomic<uint64_t> cut_for_input{0};
  std::atomic<uint64_t> cut_for_output{0};
  std::atomic<uint64_t> cut_for_memory{0};
  std::atomic<uint64_t> accept_pauses{0};
  std::atomic<uint64_t> buffer_bytes{0};  // of all connections, now
  std::atomic<uint64_t> posted_bytes{0};  // on their way to connections from other threads, now
};

}  // namespace varve::net

#endif  // VARVE_NET_OPTIONS_H_
