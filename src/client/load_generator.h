// LoadGenerator: keeps a server busy over many connections from one thread, and measures its answers.
//
// Closed loop: every connection sends a batch of requests, waits for all of its replies, and sends the next.
// What is slow is then asked less: latencies show what a client sees that waits.
//
// Open loop: requests are due at fixed moments, whatever the server does, and latency counts from the moment
// a request was due. A pause of the server so shows in all requests that came due during it ("coordinated
// omission" is what a closed loop does with them).
#ifndef VARVE_CLIENT_LOAD_GENERATOR_H_
#define VARVE_CLIENT_LOAD_GENERATOR_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "env/env.h"
#include "env/stream_socket.h"
#include "resp/reply_parser.h"
#include "varve/status.h"

namespace varve::client {

// Makes the requests. Thread-compatible.
class LoadSource {
 public:
  virtual ~LoadSource() = default;
  virtual size_t kind_count() const = 0;
  // Appends one request and returns its kind, below kind_count().
  virtual size_t Append(std::string* bytes) = 0;
};

struct LoadOptions {
  uint64_t requests = 0;        // 0: no limit
  uint64_t duration_nanos = 0;  // of sending; 0: no limit
  size_t pipeline = 1;          // requests in a batch of the closed loop; at least 1
  double rate = 0;              // requests a second over all connections; 0: closed loop
  uint64_t reply_timeout_nanos = 30'000'000'000;
};

struct LoadKindResult {
  Histogram latency_nanos;
  uint64_t errors = 0;  // replies that were errors; in the latencies too
  uint64_t nulls = 0;   // replies without a value
};

struct LoadResult {
  std::vector<LoadKindResult> kinds;
  uint64_t elapsed_nanos = 0;  // from the first request to the last reply
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  std::string first_error;

  uint64_t Count() const;
};

// Thread-compatible.
class LoadGenerator {
 public:
  // Over these connections, at least one. Borrows source and clock.
  LoadGenerator(std::vector<StreamSocket> sockets, LoadSource* source, Clock* clock);

  // Returns when all replies have come. REQUIRES: one of the limits is set.
  // kUnavailable: a connection broke, or the server does not speak the protocol; kTimedOut: no reply came
  // for reply_timeout_nanos.
  Result<LoadResult> Run(const LoadOptions& options);

 private:
  struct InFlight {
    uint64_t since;
    size_t kind;
  };
  struct Connection {
    StreamSocket socket;
    std::string output = {};
    size_t sent = 0;  // of the output
    std::string input = {};
    resp::ReplyParser parser = resp::ReplyParser();
    std::deque<InFlight> in_flight = {};
  };

  bool MaySend(uint64_t now) const;
  void Add(Connection* connection, uint64_t since);
  // Sends what is due in an open loop; returns how long nothing else is.
  uint64_t AddDue(uint64_t now);
  Status Send(Connection* connection);
  Status Receive(Connection* connection);
  Status TakeReplies(Connection* connection, uint64_t now);
  bool HasInFlight() const;
  // Waits for sockets and handles them.
  Status Turn(uint64_t timeout_nanos);

  std::vector<Connection> connections_;
  LoadSource* const source_;
  Clock* const clock_;

  // Of the run under way.
  LoadOptions options_;
  LoadResult result_;
  uint64_t started_at_ = 0;
  uint64_t added_ = 0;
  uint64_t last_reply_at_ = 0;
};

}  // namespace varve::client

#endif  // VARVE_CLIENT_LOAD_GENERATOR_H_
