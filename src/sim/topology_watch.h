// TopologyWatch: whether each version of the topology can follow from the one before, and whether all is done in the end
// (I10 and I6 of docs/design/0032-simulator.md).
#ifndef VARVE_SIM_TOPOLOGY_WATCH_H_
#define VARVE_SIM_TOPOLOGY_WATCH_H_

#include <cstdint>
#include <optional>
#include <string>

#include "cluster/topology.h"
#include "varve/status.h"

namespace varve::sim {

// Thread-compatible.
class TopologyWatch {
 public:
  // The store has taken this as its next version. Besides what nodes look at themselves (cluster::ValidateSuccession):
  //   - a partition's `since` never goes back, and is a new one when its replica sets change;
  //   - its copies are other ones only behind a move to just these, in its last stage, unless there were none;
  //   - a move begins with its first stage, and does not change where it goes to, nor end otherwise in its last one.
  Status OnVersion(const std::string& bytes);
  // The last one. REQUIRES: there was one.
  const cluster::Topology& last() const { return *last_; }
  uint64_t versions() const { return versions_; }
  // Whether everything is where it shall be.
  Status CheckSettled() const;
  // Whether it shall be where a planner wants it: a new plan of `copies` would move nothing, and no rack has too many.
  Status CheckPlanned(uint32_t copies) const;

 private:
  std::optional<cluster::Topology> last_;
  uint64_t versions_ = 0;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_TOPOLOGY_WATCH_H_
