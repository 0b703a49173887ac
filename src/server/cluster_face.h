// ClusterFace: a cluster, as the commands of one of its nodes see it. Implemented by main.
#ifndef VARVE_SERVER_CLUSTER_FACE_H_
#define VARVE_SERVER_CLUSTER_FACE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/status.h"

namespace varve::server {

// What became of one key.
struct ClusterResult {
  enum class Outcome : uint8_t {
    kOk,
    kFailed,   // nothing was read, or written; nor will it be
    kUnknown,  // of a write: it may have taken place, or may still
  };
  Outcome outcome = Outcome::kFailed;
  std::string reason;               // unless kOk: for people
  std::vector<std::string> values;  // of a read, and of Replace those that it has replaced; none: absent
  std::string context;              // of Write, and of a Read that wants it: what its client has seen now; printable
};

// How many have to answer, or to have it.
struct ClusterQuorum {
  uint32_t replicas = 0;   // 0: as many as the cluster's settings say
  bool is_linear = false;  // at least a majority; reads are in one order with all linear requests
  bool is_sloppy = false;  // of a write: others may stand in for replicas that do not answer
};

// Who has what, at one version of the topology.
struct ClusterView {
  struct Node {
    uint64_t number = 0;
    std::string name;  // 40 hexadecimal digits
    std::string host;
    uint16_t port = 0;
    uint16_t cluster_port = 0;
    bool is_self = false;
    bool is_reachable = true;  // from here
  };
  // Neighbouring slots with the same nodes: [first, last].
  struct Range {
    uint16_t first = 0;
    uint16_t last = 0;
    std::vector<size_t> nodes;  // places in `nodes`, of those that can answer for it; reachable ones first
  };
  std::vector<Node> nodes;
  std::vector<Range> ranges;  // in order; all slots
  uint64_t epoch = 0;
};

// Thread-safe.
class ClusterFace {
 public:
  virtual ~ClusterFace() = default;
  using Done = std::function<void(ClusterResult)>;

  // Each calls `done` once, in some thread, within timeout_millis and a little.
  virtual void Read(std::string key, ClusterQuorum quorum, bool wants_context, Done done) = 0;
  // std::nullopt deletes. `context`: of an earlier result for this key; what it has not seen stays beside. kInvalidArgument:
  // it is none, and `done` is not called.
  virtual Status Write(std::string key, std::optional<std::string> value, std::string_view context,
                       ClusterQuorum quorum, Done done) = 0;
  // Reads, and writes in place of all that was read. Deletes nothing that is absent. With `spares_conflicts` several values
  // stay as they are, which is kOk.
  virtual void Replace(std::string key, std::optional<std::string> value, bool spares_conflicts, Done done) = 0;
  virtual uint64_t timeout_millis() const = 0;
  // Begins to compare all copies of this node with the others'.
  virtual void Repair() = 0;

  virtual uint16_t SlotOf(std::string_view key) const = 0;
  virtual std::vector<std::pair<std::string, std::string>> Info() const = 0;  // of CLUSTER INFO, besides what View says
  virtual std::shared_ptr<const ClusterView> View() const = 0;  // not nullptr
  virtual uint64_t CountKeys(uint16_t slot) const = 0;
  virtual size_t max_key_bytes() const = 0;
  // kInvalidArgument: it is spelled as one of a namespace that there is not. Others call nothing with such a key.
  virtual Status CheckKey(std::string_view key) const = 0;
};

}  // namespace varve::server

#endif  // VARVE_SERVER_CLUSTER_FACE_H_
