// The words that all parts of the cluster share: who, where and in which topology. Each is a type of its
// own, so that no number of one kind passes for another; the compiler orders and compares them, and
// std::hash knows them.
//
// The layer is pure: no clock, thread, socket, file or global. Time comes with the events.
#ifndef VARVE_CLUSTER_TYPES_H_
#define VARVE_CLUSTER_TYPES_H_

#include <cstdint>
#include <string>

namespace varve::cluster {

// A member of the cluster, for as long as it is one. What the topology names; a machine that comes back
// with its address but without its data is another member.
enum class NodeId : uint64_t {};
inline constexpr NodeId kNoNode{0};

// One incarnation of a node, as the maker of dots (dot.h). The topology store gives each out once in the
// life of the cluster. A node takes a new one whenever it cannot be sure of having all that it had written.
enum class ActorId : uint32_t {};
inline constexpr ActorId kNoActor{0};

// A share of the keys: the unit of placement, movement and repair. 0 .. number of partitions - 1.
enum class PartitionId : uint16_t {};

// A version of the topology. Grows by one with each change; 0 is before the first.
enum class Epoch : uint64_t {};
inline constexpr Epoch kNoEpoch{0};

// A point on the clock of one node that never goes back, in nanoseconds. For deadlines only, and never
// compared between nodes.
using Nanos = uint64_t;

// The numbers behind the names.
constexpr uint64_t Value(NodeId id) { return static_cast<uint64_t>(id); }
constexpr uint32_t Value(ActorId id) { return static_cast<uint32_t>(id); }
constexpr uint16_t Value(PartitionId id) { return static_cast<uint16_t>(id); }
constexpr uint64_t Value(Epoch epoch) { return static_cast<uint64_t>(epoch); }
constexpr Epoch Next(Epoch epoch) { return Epoch{Value(epoch) + 1}; }
constexpr PartitionId PartitionIdOf(uint32_t partition) { return PartitionId{static_cast<uint16_t>(partition)}; }

// As messages to people name them.
inline std::string NameOf(NodeId id) { return "node " + std::to_string(Value(id)); }
inline std::string NameOf(PartitionId id) { return "partition " + std::to_string(Value(id)); }

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_TYPES_H_
