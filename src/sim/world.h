// World: one run of the simulator. Everything happens in one thread, in the order of simulated time; the same seed, schedule
// and scenario give the same run, event for event, of which the trace is the hash.
#ifndef VARVE_SIM_WORLD_H_
#define VARVE_SIM_WORLD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/event_queue.h"
#include "sim/fault.h"
#include "sim/network.h"
#include "sim/node.h"
#include "sim/store.h"
#include "sim/stream.h"
#include "varve/status.h"

namespace varve::sim {

class World;

// What is simulated, and what must hold. One object a run; it may keep what its nodes have seen.
class Scenario {
 public:
  virtual ~Scenario() = default;
  virtual uint32_t servers() const = 0;
  virtual uint32_t clients() const = 0;
  // What the topology store holds first.
  virtual std::string FirstTopology() const { return {}; }
  // A life of an endpoint, which finds its disk as the last one left it. `random_seed` is another one in each life.
  virtual std::unique_ptr<Node> NewNode(Endpoint endpoint, const Disk* disk, uint64_t random_seed) = 0;
  // The invariants: after every event, and when all faults are over and everything had time to settle. What is
  // not Ok ends the run.
  virtual Status Check(const World& /*world*/) { return Status::Ok(); }
  virtual Status CheckEnd(const World& /*world*/) { return Status::Ok(); }
};

struct WorldOptions {
  Nanos calm = 5 * kSecond;  // after the last fault, before CheckEnd
  Nanos least = 10 * kSecond;  // simulated before the calm, also when there are no faults
  bool may_tear = true;        // torn records after a power cut; a store below would hide them
  bool connections = false;    // what is sent reaches only the life that its receiver had then, if any
  uint64_t most_events = 50'000'000;  // more are a violation: something runs away
};

struct RunResult {
  Status status;        // the first invariant that did not hold
  uint64_t trace = 0;   // hash of all events
  uint64_t events = 0;
  Nanos simulated = 0;  // until the end, or the violation
};

class World {
 public:
  // REQUIRES: the endpoints in `schedule` exist (fault.h). `scenario` outlives the world.
  World(Scenario* scenario, uint64_t seed, const Schedule& schedule, const WorldOptions& options);

  RunResult Run();

  Nanos now() const { return now_; }
  bool IsUp(Endpoint endpoint) const { return places_[endpoint].node != nullptr; }
  // nullptr while it is down.
  Node* node(Endpoint endpoint) const { return places_[endpoint].node.get(); }
  const Disk& disk(Endpoint endpoint) const { return places_[endpoint].disk; }
  const Store& store() const { return store_; }
  // All faults are over.
  bool IsCalm() const { return faults_left_ == 0; }

 private:
  // An endpoint: what outlives the lives of its node, and the present one.
  struct Place {
    std::unique_ptr<Node> node;
    Disk disk;
    Clock clock;
    Stream random;                             // of its machine
    std::unordered_map<uint64_t, uint64_t> timers = {};  // id -> which event is the one that counts
    uint32_t life = 0;
    uint32_t downs = 0;  // faults that keep it down
    Nanos paused_until = 0;
    Nanos slow_sync = 0;
    uint32_t failing_syncs = 0;
    bool watches = false;
    std::optional<Disk> snapshot = {};  // to be put back
  };

  Endpoint store_endpoint() const { return static_cast<Endpoint>(places_.size()); }
  void Handle(const Event& event, const std::string& bytes);
  void HandleAtNode(const Event& event, const std::string& bytes);
  void Trace(const Event& event, std::string_view bytes);
  void StartNode(Endpoint endpoint);
  void Perform(Endpoint from);
  void SetTimer(Endpoint endpoint, uint64_t id, Nanos delay);
  void Transmit(Endpoint from, Endpoint to, Event event, std::string bytes);
  void HandleAtStore(const Event& event, const std::string& bytes);
  void AnswerFromStore(Endpoint to, StoreReply::Kind kind, uint64_t id, bool swapped, uint64_t revision);
  void BeginFault(const Fault& fault);
  void EndFault(const Fault& fault);
  void BringDown(const Fault& fault);
  void Restore(Endpoint endpoint);

  Scenario* const scenario_;
  const uint64_t seed_;
  const Schedule schedule_;
  const WorldOptions options_;
  EventQueue queue_;
  std::vector<Place> places_;  // servers, then clients
  Network network_;
  Store store_;
  Actions actions_;
  Nanos now_ = 0;
  size_t faults_left_;
  Nanos store_stalls_until_ = 0;
  uint64_t store_stale_ = 0;
  uint32_t store_no_watch_ = 0;
  uint32_t store_no_reply_ = 0;
  Stream store_random_;
  uint64_t trace_ = 0;
  uint64_t timer_count_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_WORLD_H_
