// ClusterClient: puts, gets and deletes, one at a time, through any server, with contexts of earlier replies or without.
#ifndef VARVE_SIM_CLUSTER_CLIENT_H_
#define VARVE_SIM_CLUSTER_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "sim/cluster_run.h"
#include "sim/cluster_wire.h"
#include "sim/node.h"
#include "sim/stream.h"

namespace varve::sim {

// Never the same request twice: who gets no answer does not know what has become of it, and goes on. When all is over the
// first client reads all keys from all replicas.
class ClusterClient : public Node {
 public:
  ClusterClient(Endpoint self, ClusterRun* run, uint64_t seed)
      : self_(self), run_(run), random_(seed, 2) {}

  void OnStart(Time now, Actions* actions) override;
  void OnMessage(Endpoint from, std::string_view bytes, Time now, Actions* actions) override;
  void OnTimer(uint64_t id, Time now, Actions* actions) override;

 private:
  bool IsFirst() const { return self_ == run_->options.nodes + run_->options.spares; }
  Endpoint SomeServer();
  ClientOperation SomeOperation(bool is_last_round);
  cluster::SeenContext SomeContext(const std::string& key);
  void Begin(ClientOperation operation, bool is_patient, Actions* actions);
  void Idle(Actions* actions);

  const Endpoint self_;
  ClusterRun* const run_;
  Stream random_;
  std::optional<size_t> number_;  // of the request under way, in the history
  uint32_t next_last_read_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_CLUSTER_CLIENT_H_
