// The hello: what each side of a connection says of itself first, and whether the other can live with it.
//
// The first bytes never change, so that any two versions can at least refuse each other. What a later version
// appends is ignored by an earlier one; what an earlier one must not ignore is a required feature.
#ifndef VARVE_NODE_HELLO_H_
#define VARVE_NODE_HELLO_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "cluster/types.h"
#include "varve/status.h"

namespace varve::node {

// The protocol of frame.h. A version can talk to all from `oldest` on.
inline constexpr uint16_t kProtocolVersion = 1;
inline constexpr uint16_t kOldestProtocolVersion = 1;
inline constexpr size_t kMaxClusterNameBytes = 255;

// Who a node is.
struct Identity {
  std::string cluster;  // 1 .. kMaxClusterNameBytes bytes
  cluster::NodeId node = cluster::kNoNode;
  // Grows with each start of the node. A peer that has spoken with one refuses earlier ones.
  uint64_t incarnation = 0;
  // Bits. A peer that lacks one of `required` is refused; `required` is a part of `features`.
  uint64_t features = 0;
  uint64_t required = 0;
};

struct Hello {
  uint16_t version = kProtocolVersion;
  uint16_t oldest = kOldestProtocolVersion;
  uint64_t nonce = 0;  // another one for each connection
  Identity identity;
};

// What both sides of a connection have agreed on.
struct Agreement {
  uint16_t version = 0;
  uint64_t features = 0;  // what both have
};

std::string EncodeHello(const Hello& hello);
// kCorruption: no hello. Only the versions are filled in when they exclude that the rest is understood; Agree
// then says so.
Result<Hello> DecodeHello(std::string_view bytes);
// kInvalidArgument with the reason, for people at either end, when the two cannot live with each other.
Result<Agreement> Agree(const Hello& mine, const Hello& theirs);

// The seed (frame.h) of what the side that has connected sends, or of the other's.
uint64_t FrameSeed(uint64_t dialers_nonce, uint64_t acceptors_nonce, bool by_dialer);

}  // namespace varve::node

#endif  // VARVE_NODE_HELLO_H_
