#include "cluster/key_namespace.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "cluster/slot.h"

namespace varve::cluster {
namespace {

constexpr char kMark = '@';
constexpr char kSiblings = '=';
constexpr char kLww = '>';

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

}  // namespace

bool IsNamespaceName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNamespaceNameBytes && std::all_of(name.begin(), name.end(), IsNameByte);
}

std::optional<std::string_view> NamespaceOf(std::string_view key) {
  if (!key.starts_with(kMark)) return std::nullopt;
  const size_t slash = key.find('/');
  return slash == key.npos ? std::string_view() : key.substr(1, slash - 1);
}

std::string ReplicaKey(std::string_view key, ConflictPolicy policy) {
  std::string name(key);
  // Behind the key, so that the key is a part of it.
  if (key.starts_with(kMark)) name.push_back(policy == ConflictPolicy::kLww ? kLww : kSiblings);
  return name;
}

ConflictPolicy PolicyOfReplicaKey(std::string_view replica_key, ConflictPolicy of_default) {
  if (!replica_key.starts_with(kMark) || VARVE_PLANTED_BUG("namespace.policy_of_the_cluster")) return of_default;
  return replica_key.back() == kLww ? ConflictPolicy::kLww : ConflictPolicy::kSiblings;
}

uint16_t SlotOfReplicaKey(std::string_view replica_key) {
  if (replica_key.starts_with(kMark)) replica_key.remove_suffix(1);
  return SlotOf(replica_key);
}

}  // namespace varve::cluster
