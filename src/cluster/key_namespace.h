// Which namespace a key belongs to, by how it is spelled:
//
//   "@NAME/REST"   the namespace NAME. The whole of it is the key, for slots, contexts, clients and rights
//   any other      the default one. "@" without a name and a "/" behind it is no key
//
// Replicas know keys by another name, which says what is done with writes that did not know of each other: the policy. So
// no replica can be mistaken about it, whatever it has heard of the namespaces, and keys of different namespaces, or of one
// name with different policies, are never the same.
#ifndef VARVE_CLUSTER_KEY_NAMESPACE_H_
#define VARVE_CLUSTER_KEY_NAMESPACE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster/key_state.h"

namespace varve::cluster {

inline constexpr size_t kMaxNamespaceNameBytes = 64;

// 1 to 64 letters, digits, '.', '_' or '-'.
bool IsNamespaceName(std::string_view name);

// What stands between "@" and "/", which may be no legal name; empty without a "/". std::nullopt: the default namespace.
// A view into `key`.
std::optional<std::string_view> NamespaceOf(std::string_view key);

// The name by which replicas know a key of a namespace with this policy; of the default one the key itself.
std::string ReplicaKey(std::string_view key, ConflictPolicy policy);

// Of names by which replicas know keys. `of_default`: the policy of the default namespace.
ConflictPolicy PolicyOfReplicaKey(std::string_view replica_key, ConflictPolicy of_default);
uint16_t SlotOfReplicaKey(std::string_view replica_key);

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_KEY_NAMESPACE_H_
