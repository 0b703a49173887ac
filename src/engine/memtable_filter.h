// MemTableFilter: a blocked Bloom filter over key hashes, filled while it is read.
//
// All bits of one key lie in one cache line of 64 bytes, so that an absent key costs one cache miss
// at most. A key sets kProbes bits. About one absent key in a hundred passes when the memtable
// holds as many keys as was expected.
#ifndef VARVE_ENGINE_MEMTABLE_FILTER_H_
#define VARVE_ENGINE_MEMTABLE_FILTER_H_

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace varve {

// One writer at a time and any number of readers. A key is seen by readers that its Add
// happened-before.
class MemTableFilter {
 public:
  static constexpr size_t kBlockBytes = 64;

  // The size in bytes, a power of two, for a memtable of `expected_bytes` with entries of
  // kExpectedEntryBytes.
  static size_t SizeFor(size_t expected_bytes) {
    const size_t bits = expected_bytes / kExpectedEntryBytes * kBitsPerKey;
    return std::bit_ceil(std::max(bits / 8, kMinBytes));
  }

  // `memory` is `bytes` bytes of zeros, aligned to kBlockBytes, and outlives the filter.
  // REQUIRES: `bytes` is a power of two and a multiple of kBlockBytes.
  MemTableFilter(std::atomic<uint64_t>* memory, size_t bytes)
      : words_(memory), block_mask_(bytes / kBlockBytes - 1) {}

  void Add(uint64_t key_hash) {
    std::atomic<uint64_t>* block = BlockOf(key_hash);
    uint64_t probes = Probes(key_hash);
    for (int i = 0; i < kProbes; ++i, probes >>= kProbeBits) {
      std::atomic<uint64_t>& word = block[WordOf(probes)];
      word.store(word.load(std::memory_order_relaxed) | BitOf(probes), std::memory_order_relaxed);
    }
  }

  // False only when no key of this hash was added.
  bool MayContain(uint64_t key_hash) const {
    const std::atomic<uint64_t>* block = BlockOf(key_hash);
    uint64_t probes = Probes(key_hash);
    // All probes without a branch between them: where an absent key fails cannot be predicted.
    uint64_t missing = 0;
    for (int i = 0; i < kProbes; ++i, probes >>= kProbeBits) {
      missing |= BitOf(probes) & ~block[WordOf(probes)].load(std::memory_order_relaxed);
    }
    return missing == 0;
  }

  void Prefetch(uint64_t key_hash) const { __builtin_prefetch(BlockOf(key_hash)); }

 private:
  static constexpr size_t kExpectedEntryBytes = 100;
  static constexpr size_t kBitsPerKey = 10;
  static constexpr size_t kMinBytes = 1024;
  static constexpr int kProbes = 6;
  static constexpr int kProbeBits = 9;  // a bit among the 512 of a block
  static constexpr size_t kWordsPerBlock = kBlockBytes / sizeof(uint64_t);

  std::atomic<uint64_t>* BlockOf(uint64_t key_hash) const {
    return words_ + ((key_hash >> 32) & block_mask_) * kWordsPerBlock;
  }
  // The probes are drawn from bits mixed anew, so that they do not repeat those that chose the
  // block.
  static uint64_t Probes(uint64_t key_hash) {
    return (key_hash * 0x9E3779B97F4A7C15ull) >> (64 - kProbes * kProbeBits);
  }
  static size_t WordOf(uint64_t probe) { return (probe >> 6) & (kWordsPerBlock - 1); }
  static uint64_t BitOf(uint64_t probe) { return uint64_t{1} << (probe & 63); }

  std::atomic<uint64_t>* const words_;
  const size_t block_mask_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_MEMTABLE_FILTER_H_
