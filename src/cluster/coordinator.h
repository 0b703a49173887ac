// Coordinator: carries out puts, gets and deletes of clients on the replicas of their keys.
#ifndef VARVE_CLUSTER_COORDINATOR_H_
#define VARVE_CLUSTER_COORDINATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "cluster/action.h"
#include "cluster/message.h"
#include "cluster/quorum.h"
#include "cluster/replica.h"

namespace varve::cluster {

// What requests have in common.
struct RequestOptions {
  SharedSets sets;
  Level level = Level::kQuorum;
  uint32_t replicas = 0;  // R or W by number; 0: as `level` says
  Nanos deadline = 0;     // on the coordinator's clock
  // Of writes, not of kLinear: where a replica does not answer, a fallback that keeps a hint counts for it. Then W
  // copies exist, but R + W > N is no longer enough for reads to see them.
  bool sloppy = false;
};

struct PutRequest {
  UpdateRequest update;
  RequestOptions options;
};

struct GetRequest {
  std::string key;
  RequestOptions options;
};

// What operations share: of one coordinator.
struct CoordinatorOptions {
  NodeId self;
  PolicyOf policy_of;
  // The number of the first operation, from a source of randomness: replies to a former life of this node must not be
  // taken for replies to this one.
  uint64_t first_operation;
  Nanos resend_every = 200'000'000;  // what has not been answered is sent again
  Nanos hedge_after = 10'000'000;    // a read asks the replicas that it has spared when it was not answered by then
  Nanos hint_after = 500'000'000;    // for who has not answered by then a hint is kept
  Nanos repair_wait = 100'000'000;   // how long a finished read waits for the other replicas
  size_t max_operations = 10'000;    // more are refused
};

// One request under way.
class CoordinatedOperation {
 public:
  virtual ~CoordinatedOperation() = default;
  virtual void Start(Nanos now, Actions* actions) = 0;
  virtual void OnReply(NodeId from, Message::Body body, Nanos now, Actions* actions) = 0;
  virtual void OnTime(Nanos now, Actions* actions) = 0;
  virtual Nanos next_time() const = 0;
  // Nothing is to be done any more, and FinishPut or FinishGet has been said once.
  virtual bool is_done() const = 0;
  // Whether it can go on under a later topology; then of which request, and with what.
  virtual const PutRequest* continues() const { return nullptr; }
  virtual void Renew(uint64_t /*number*/, SharedSets /*sets*/, Nanos /*now*/, Actions* /*actions*/) {}
};

// Any node coordinates any key. Nobody waits for longer than the deadline of the request. Thread-compatible.
class Coordinator {
 public:
  explicit Coordinator(CoordinatorOptions options);

  // `client_request` comes back in FinishPut or FinishGet, exactly once.
  void Put(uint64_t client_request, PutRequest request, Nanos now, Actions* actions);
  void Get(uint64_t client_request, GetRequest request, Nanos now, Actions* actions);

  // UpdateReply, MergeReply, ReadReply or HintReply. Those of no operation are ignored.
  void OnMessage(Message reply, Nanos now, Actions* actions);
  // There is a later topology. Puts of which the state exists, and which lack acknowledgements, gather them anew under it
  // if it has other sets for their keys. Their number is another one then, so that no reply under the old one counts.
  void OnTopology(const std::function<SharedSets(const PutRequest&)>& sets_of, Nanos now, Actions* actions);
  // To be called at NextTime, or a little later.
  void OnTime(Nanos now, Actions* actions);
  std::optional<Nanos> NextTime() const;

  // The opinion of the failure detector. Only saves time: of a suspect nobody waits for an answer.
  void SetSuspect(NodeId node, bool is_suspect);

  size_t operations() const { return operations_.size(); }

 private:
  void Begin(std::unique_ptr<CoordinatedOperation> operation, Nanos now, Actions* actions);
  void Remove(uint64_t operation);

  const CoordinatorOptions options_;
  std::set<NodeId> suspects_;
  uint64_t next_operation_;
  std::map<uint64_t, std::unique_ptr<CoordinatedOperation>> operations_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_COORDINATOR_H_
