#include "format/point_index.h"
#include "base/planted_bug.h"

#include <algorithm>

namespace varve {

namespace {

// Entries a page is meant to hold: 8.3 of 12 places a bucket. One bucket in ten overflows then, so
// that few lookups look at a second one, and a page that overflows wholly is out of reach of
// chance.
constexpr uint64_t kEntriesPerPage = 523;

// Attempts, each with a quarter more pages than the last. Hashes that still do not fit were chosen
// by somebody.
constexpr int kMaxAttempts = 5;

constexpr size_t kPrefetchDistance = 16;

uint64_t PagesFor(uint64_t entries) { return (entries + kEntriesPerPage - 1) / kEntriesPerPage; }

// False when every bucket of the page is full.
bool Insert(char* page, uint64_t hash, uint32_t location) {
  uint32_t index = PointIndexBucketOf(hash);
  for (uint32_t visited = 0; visited < kPointIndexBucketsPerPage; ++visited) {
    char* bucket = page + index * kPointIndexBucketBytes;
    const auto count = static_cast<unsigned char>(bucket[kPointIndexCountAt]);
    if (count < kPointIndexBucketSlots) {
      StoreFixed(bucket + 2 * count, static_cast<uint16_t>(hash));
      char* to = bucket + kPointIndexLocationsAt + 3 * count;
      StoreFixed(to, static_cast<uint16_t>(location >> 8));
      to[2] = static_cast<char>(location);
      bucket[kPointIndexCountAt] = static_cast<char>(count + 1);
      return true;
    }
    if (!VARVE_PLANTED_BUG("point_index.overflow_not_noted")) bucket[kPointIndexOverflowAt] = 1;
    if (++index == kPointIndexBucketsPerPage) index = 0;
  }
  return false;
}

}  // namespace

uint64_t PointIndexBuilder::EstimatedBytes() const { return PagesFor(count()) * kPageBytes; }

bool PointIndexBuilder::Fill(std::vector<PointIndexPage>* pages) const {
  const auto page_count = static_cast<uint32_t>(pages->size());
  const auto page_of = [&](uint64_t hash) {
    return (*pages)[PointIndexPageOf(hash, page_count)].bytes;
  };
  for (size_t i = 0; i < hashes_.size(); ++i) {
    if (i + kPrefetchDistance < hashes_.size()) {
      const uint64_t ahead = hashes_[i + kPrefetchDistance];
      __builtin_prefetch(PointIndexBucketAddress(page_of(ahead), ahead), 1);
    }
    if (!Insert(page_of(hashes_[i]), hashes_[i], locations_[i])) return false;
  }
  return true;
}

std::vector<PointIndexPage> PointIndexBuilder::Finish() const {
  uint64_t page_count = PagesFor(count());
  for (int attempt = 0; attempt < kMaxAttempts && page_count > 0; ++attempt) {
    std::vector<PointIndexPage> pages(page_count);
    if (Fill(&pages)) return pages;
    page_count += page_count / 4 + 1;
  }
  return {};
}

}  // namespace varve
