// The point index of a segment: from the hash of a key straight to (block, slot).
//
// A page is 4096 bytes on disk: 63 buckets of 64 bytes, spare bytes, and the trailer of a physical
// block. A bucket is one cache line:
//
//   u16 tag[12] | 12 locations of {u16 block, u8 slot} | u8 count | u8 overflowed | u16 zero
//
// The upper 32 bits of a hash choose the page, the next 16 the bucket, and the lowest 16 are the
// tag. A full bucket spills into the next one of its page (wrapping around), and says so in
// `overflowed`: a lookup walks on while that is set. Only the newest version of each key is
// indexed. What is found is a candidate: the caller compares the key. What is not found is not in
// the segment.
#ifndef VARVE_FORMAT_POINT_INDEX_H_
#define VARVE_FORMAT_POINT_INDEX_H_

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/coding.h"
#include "base/hash.h"
#include "format/block_file.h"

namespace varve {

inline constexpr size_t kPointIndexBucketBytes = 64;
inline constexpr uint32_t kPointIndexBucketsPerPage = 63;
inline constexpr uint32_t kPointIndexBucketSlots = 12;
// What a page holds before padding and trailer; the rest up to the trailer is spare.
inline constexpr size_t kPointIndexRawBytes = kPageBytes - kBlockTrailerBytes;

// Layout of a bucket. Reaches disk.
inline constexpr size_t kPointIndexLocationsAt = 24;
inline constexpr size_t kPointIndexCountAt = 60;
inline constexpr size_t kPointIndexOverflowAt = 61;
static_assert(kPointIndexRawBytes >= kPointIndexBucketsPerPage * kPointIndexBucketBytes);

// Where an entry is.
struct PointLocation {
  uint16_t block = 0;
  uint8_t slot = 0;
  friend bool operator==(const PointLocation&, const PointLocation&) = default;
};

// The hash that the index is built from. `salt` is the store's own, so that nobody can choose keys
// that collide.
inline uint64_t PointIndexHash(std::string_view key, uint64_t salt) { return Hash64(key, salt); }

// REQUIRES: page_count > 0.
inline uint32_t PointIndexPageOf(uint64_t hash, uint32_t page_count) {
  return static_cast<uint32_t>(((hash >> 32) * page_count) >> 32);
}
inline uint32_t PointIndexBucketOf(uint64_t hash) {
  return static_cast<uint32_t>((((hash >> 16) & 0xffff) * kPointIndexBucketsPerPage) >> 16);
}
// The one cache line that a lookup of `hash` in `page` almost always needs; for prefetching.
inline const char* PointIndexBucketAddress(const char* page, uint64_t hash) {
  return page + PointIndexBucketOf(hash) * kPointIndexBucketBytes;
}

// Yields the candidates for a hash, one by one. `page` must have kPointIndexRawBytes readable bytes
// and outlive the probe. Memory safe and finite whatever the bytes are; the locations may lie
// outside the segment then. No allocation.
class PointIndexProbe {
 public:
  PointIndexProbe(const char* page, uint64_t hash)
      : page_(page),
        bucket_index_(PointIndexBucketOf(hash)),
        tag_(static_cast<uint16_t>(hash)),
        matches_(Matches(bucket())) {}

  // False when there are no more candidates.
  bool Next(PointLocation* location) {
    while (matches_ == 0) {
      if (bucket()[kPointIndexOverflowAt] == 0 || ++visited_ == kPointIndexBucketsPerPage)
        return false;
      if (++bucket_index_ == kPointIndexBucketsPerPage) bucket_index_ = 0;
      matches_ = Matches(bucket());
    }
    const int i = std::countr_zero(matches_);
    matches_ &= matches_ - 1;
    const char* from = bucket() + kPointIndexLocationsAt + 3 * i;
    location->block = LoadFixed<uint16_t>(from);
    location->slot = static_cast<uint8_t>(from[2]);
    return true;
  }

 private:
  const char* bucket() const { return page_ + bucket_index_ * kPointIndexBucketBytes; }

  // A bit for each used slot of `bucket` whose tag is `tag_`.
  uint32_t Matches(const char* bucket) const {
    const uint32_t count = static_cast<unsigned char>(bucket[kPointIndexCountAt]);
    const uint32_t used =
        (1u << (count < kPointIndexBucketSlots ? count : kPointIndexBucketSlots)) - 1;
#if defined(__SSE2__)
    const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(tag_));
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bucket));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bucket + 16));
    const __m128i equal =
        _mm_packs_epi16(_mm_cmpeq_epi16(low, wanted), _mm_cmpeq_epi16(high, wanted));
    return static_cast<uint32_t>(_mm_movemask_epi8(equal)) & used;
#else
    uint32_t matches = 0;
    for (uint32_t i = 0; i < kPointIndexBucketSlots; ++i) {
      if (LoadFixed<uint16_t>(bucket + 2 * i) == tag_) matches |= 1u << i;
    }
    return matches & used;
#endif
  }

  const char* page_;
  uint32_t bucket_index_;
  uint32_t visited_ = 0;
  uint16_t tag_;
  uint32_t matches_;
};

// A page as it will lie on disk, aligned so that a bucket is a cache line.
struct alignas(64) PointIndexPage {
  char bytes[kPageBytes];
};

// Collects (hash, location) pairs and lays them out at the end. Thread-compatible. Takes 12 bytes a
// key until Finish, and 8 more during it.
class PointIndexBuilder {
 public:
  // `hash` is of a key that was not added before.
  void Add(uint64_t hash, uint16_t block, uint8_t slot) {
    hashes_.push_back(hash);
    locations_.push_back(static_cast<uint32_t>(block) << 8 | slot);
  }
  // Makes room for `keys` in all.
  void Reserve(size_t keys) {
    hashes_.reserve(keys);
    locations_.reserve(keys);
  }
  size_t count() const { return hashes_.size(); }
  // Size of the pages that Finish would make, in bytes.
  uint64_t EstimatedBytes() const;

  // Lays out the pages, each with its raw bytes in place and the trailer still to be sealed. Empty
  // when there is nothing to index, or when hashes collide so much that no reasonable number of
  // pages holds them (seen only when the salt is known to an adversary): readers then use the
  // sparse index.
  std::vector<PointIndexPage> Finish() const;

 private:
  bool Fill(std::vector<PointIndexPage>* pages) const;

  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> locations_;  // block << 8 | slot
};

}  // namespace varve

#endif  // VARVE_FORMAT_POINT_INDEX_H_
