// Reading of canonical bytes: whatever has two spellings is malformed, so that equal things have equal bytes
// and replicas can be compared by hash.
#ifndef VARVE_CLUSTER_WIRE_H_
#define VARVE_CLUSTER_WIRE_H_

#include <cstdint>
#include <limits>
#include <string_view>

#include "base/coding.h"
#include "cluster/types.h"

namespace varve::cluster {

// Consumes a varint in its shortest form; false when it is malformed or longer than it need be.
inline bool ConsumeCanonicalVarint(std::string_view* input, uint64_t* value) {
  const size_t before = input->size();
  return ConsumeVarint(input, value) &&
         before - input->size() == static_cast<size_t>(VarintLength(*value));
}

// Consumes an actor, which is never kNoActor.
inline bool ConsumeActor(std::string_view* input, ActorId* actor) {
  uint64_t value = 0;
  if (!ConsumeCanonicalVarint(input, &value)) return false;
  if (value == 0 || value > std::numeric_limits<uint32_t>::max()) return false;
  *actor = ActorId{static_cast<uint32_t>(value)};
  return true;
}

// Consumes bytes behind their length.
inline bool ConsumeCanonicalBytes(std::string_view* input, std::string_view* bytes) {
  uint64_t size = 0;
  return ConsumeCanonicalVarint(input, &size) && ConsumeBytes(input, size, bytes);
}

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_WIRE_H_
