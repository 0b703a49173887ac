// A client of a server that is killed and started again under it: sends random commands on few keys, and records
// them for the linearizability checker.
//
// Keys: n0 and n1 are counters; s0 to s2 strings; p0 and p1, which only transactions write, both or neither, are
// the one key "p" of the history; o0, o1 and so on are written by the client of that number alone; c0 and c1 are only set
// and read.
#ifndef VARVE_TORTURE_WIRE_CLIENT_H_
#define VARVE_TORTURE_WIRE_CLIENT_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "client/client.h"
#include "torture/linearizability.h"

namespace varve::torture {

// What the clients of one history share. Thread-safe but for the endpoint, which is set before they begin.
struct WireClients {
  client::Endpoint endpoint;
  std::atomic<uint64_t> answered{0};  // requests
  std::atomic<bool> is_over{false};   // clients end
};

// Commands that are sent at once, and the operations that they are.
struct WireStep {
  using Replies = const std::vector<client::Reply>&;
  using Operations = std::vector<Operation>*;

  std::vector<std::vector<std::string>> commands;
  std::vector<Operation> operations;
  // Completes the operations by the replies. Returns what is wrong with these, or nothing.
  std::string (*read)(Replies replies, Operations operations) = nullptr;
};

// Of one thread. `shared` must outlive it.
class WireClient {
 public:
  // Whether a key is one of those that are only set and read.
  static bool IsRegister(const std::string& key) { return key.starts_with("c"); }

  WireClient(WireClients* shared, int number, uint64_t seed)
      : shared_(shared), number_(number), random_(seed + static_cast<uint64_t>(number) * 1000) {}

  // Calls one step after another, and connects again when the server dies, until it is over or something is wrong.
  void Run();
  // Reads all keys, from a server that is there to stay.
  void ReadAll();
  // What a server said that it should not have; empty: nothing.
  const std::string& problem() const { return problem_; }
  // The operations that have come to a server. `deaths`: when servers were known to be dead, in order. What had no
  // answer may have taken effect until the death of the server that it went to.
  std::vector<Operation> History(const std::vector<uint64_t>& deaths) const;
  size_t connections() const { return connected_at_.size(); }

 private:
  void Connect();
  void Do(WireStep step);
  WireStep NextStep();
  WireStep CounterStep(const std::string& key);
  WireStep StringStep(const std::string& key);
  WireStep PairStep();
  WireStep OwnStep();
  WireStep Pipeline();
  WireStep Watched(const std::string& key);
  std::string NewValue() { return "c" + std::to_string(number_) + "." + std::to_string(++values_); }

  WireClients* const shared_;
  const int number_;
  Random random_;
  std::unique_ptr<client::Client> client_;
  KeyState last_seen_;
  uint64_t values_ = 0;
  std::vector<uint64_t> connected_at_;
  std::string problem_;
  std::vector<Operation> operations_;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_WIRE_CLIENT_H_
