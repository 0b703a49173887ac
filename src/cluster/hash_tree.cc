#include "cluster/hash_tree.h"

#include "base/check.h"
#include "base/hash.h"

namespace varve::cluster {
namespace {

// Fixed: all nodes must agree on them.
constexpr uint64_t kLeafSeed = 0x6c656166;
constexpr uint64_t kKeySeed = 0x6b6579;

}  // namespace

uint32_t HashTree::LeafOf(std::string_view key) {
  return static_cast<uint32_t>(Hash64(key, kLeafSeed) % kLeaves);
}

uint64_t HashTree::HashOf(std::string_view key, const std::optional<std::string_view>& bytes) {
  // The key is the seed of the bytes: bytes that change places do not cancel out.
  return bytes ? Hash64(*bytes, Hash64(key, kKeySeed)) : 0;
}

void HashTree::Change(std::string_view key, uint64_t before, uint64_t after) {
  const uint32_t leaf = LeafOf(key);
  leaves_[leaf] ^= before ^ after;
  branches_[leaf / kFanOut] ^= before ^ after;
}

std::vector<uint64_t> HashTree::Under(uint32_t branch) const {
  if (branch == kRoot) return branches_;
  VARVE_CHECK(branch < kFanOut);
  const auto first = leaves_.begin() + branch * kFanOut;
  return {first, first + kFanOut};
}

uint64_t HashTree::Root() const {
  uint64_t root = 0;
  for (const uint64_t branch : branches_) root ^= branch;
  return root;
}

}  // namespace varve::cluster
