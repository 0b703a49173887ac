// Filler: brings to this node what moves want it to have.
#ifndef VARVE_CLUSTER_FILLER_H_
#define VARVE_CLUSTER_FILLER_H_

#include <cstdint>
#include <map>
#include <vector>

#include "cluster/exchange_pool.h"
#include "cluster/fill_pace.h"
#include "cluster/node_context.h"

namespace varve::cluster {

// For each move in kCopy that has this node among its heirs: exchanges with one current replica after the other, until it
// has merged what as many of them have as the move needs, and what those have that leave and seem to be alive: of these
// what is still missing, as one that stays comes first. Each knows the fence of the stage, durably, before its exchange
// begins, as this node does: replicas compare their trees only then.
//
// With the data comes the floor of the source, which it had before the exchange. Then a second exchange, since what came
// in between (a late hint) may be something that the floor says is deleted.
//
// At most four fills at once, and together no faster than FillPace says. Beside them, and without the pace, at most 16 that
// have what the move needs and look for what only replicas that leave have, since the move may go on without that.
// Thread-compatible.
class Filler {
 public:
  Filler(NodeContext* context, ExchangePool* pool, uint64_t bytes_per_second)
      : context_(context), pool_(pool), pace_(bytes_per_second) {}

  void OnTime(Nanos now, Actions* actions);
  // A ProgressReply; others are ignored.
  void OnMessage(const Message& reply, Nanos now, Actions* actions);
  void OnEnded(const ExchangePool::Ended& ended, Nanos now, Actions* actions);

  // From whom everything has been merged under the present fence of the partition.
  std::vector<NodeId> MergedOf(PartitionId partition) const;
  size_t fills() const { return fills_.size(); }  // moves in kCopy to this node
  uint64_t bytes() const { return bytes_; }       // merged by them, since the start

 private:
  enum class Step : uint8_t { kIdle, kAsk, kMerge, kTakeFloor, kMergeAgain };
  struct Fill {
    Epoch since = kNoEpoch;
    std::vector<NodeId> merged;
    Step step = Step::kIdle;
    NodeId source = kNoNode;
    size_t tries = 0;
    uint64_t request = 0;   // kAsk
    uint64_t exchange = 0;  // kMerge, kMergeAgain
    VersionVector floor;    // of the source
    Nanos begun = 0;        // the step
  };

  bool TakesLeavers() const { return context_->options().leaver_patience > 0; }
  void FindWork();
  bool HasEnough(PartitionId partition, const Fill& fill) const;
  void Begin(PartitionId partition, Fill* fill, Nanos now, Actions* actions);
  void BeginExchange(PartitionId partition, Fill* fill, Nanos now, Actions* actions);

  NodeContext* const context_;
  ExchangePool* const pool_;
  FillPace pace_;
  std::map<PartitionId, Fill> fills_;
  uint64_t bytes_ = 0;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_FILLER_H_
