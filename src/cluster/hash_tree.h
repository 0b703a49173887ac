// HashTree: what a replica holds, in hashes that change with every write and show where two replicas differ.
#ifndef VARVE_CLUSTER_HASH_TREE_H_
#define VARVE_CLUSTER_HASH_TREE_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace varve::cluster {

// Two levels of 64: each key belongs to one of 4096 leaves; a leaf is the exclusive or over the hashes of its
// keys with their stored bytes, a branch that over its leaves. So a change costs two operations, and the order of
// changes does not matter (as in Riak's Tictac trees). 33 KiB. Thread-compatible.
class HashTree {
 public:
  static constexpr uint32_t kFanOut = 64;
  static constexpr uint32_t kLeaves = kFanOut * kFanOut;
  static constexpr uint32_t kRoot = UINT32_MAX;  // where a branch may be named: the node above them

  HashTree() : leaves_(kLeaves), branches_(kFanOut) {}

  static uint32_t LeafOf(std::string_view key);
  // Of a key with its stored bytes. 0 of a key that is absent.
  static uint64_t HashOf(std::string_view key, const std::optional<std::string_view>& bytes);

  // The bytes of `key` have changed from those with hash `before` to those with hash `after`.
  void Change(std::string_view key, uint64_t before, uint64_t after);

  // The 64 hashes under `branch`, or under the root.
  std::vector<uint64_t> Under(uint32_t branch) const;
  // Equal for replicas that are equal; for others different but for a chance of 2^-64.
  uint64_t Root() const;

 private:
  std::vector<uint64_t> leaves_;
  std::vector<uint64_t> branches_;
};

}  // namespace varve::cluster

#endif  // VARVE_CLUSTER_HASH_TREE_H_
