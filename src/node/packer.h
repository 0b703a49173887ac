// Packer: turns what waits in an Outbox into the output of a channel, a little at a time, so that what is
// sent late can still expire, and small messages go between the pieces of large ones.
#ifndef VARVE_NODE_PACKER_H_
#define VARVE_NODE_PACKER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "node/channel.h"
#include "node/outbox.h"

namespace varve::node {

// Thread-compatible. For one connection to one peer.
class Packer {
 public:
  // Beyond these the output of a channel is not filled.
  static constexpr size_t kFillBytes = 256 * 1024;

  // Borrows both.
  Packer(NodeId peer, Outbox* outbox) : peer_(peer), outbox_(outbox) {}

  // True: the output is full; there may be more. REQUIRES: the channel is open.
  bool Fill(Nanos now, Channel* channel);

  uint64_t sent() const { return sent_; }  // messages, whole

 private:
  bool FillPiece(Nanos now, Channel* channel);

  const NodeId peer_;
  Outbox* const outbox_;
  std::vector<Message> taken_;
  std::optional<Message> large_;
  size_t offset_ = 0;  // what has been sent of large_
  uint64_t sent_ = 0;
};

}  // namespace varve::node

#endif  // VARVE_NODE_PACKER_H_
