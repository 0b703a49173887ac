// Probing a page of any bytes: finite, and within the page. Input: a hash, then the page.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "format/point_index.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  if (size < 8) return 0;
  uint64_t hash;
  std::memcpy(&hash, data, 8);
  // No longer than a probe may read. Short inputs repeat.
  const auto page = std::make_unique<char[]>(kPointIndexRawBytes);
  for (size_t i = 0; i < kPointIndexRawBytes && size > 8; ++i) {
    page[i] = static_cast<char>(data[8 + i % (size - 8)]);
  }
  PointIndexProbe probe(page.get(), hash);
  size_t candidates = 0;
  for (PointLocation location; probe.Next(&location);) ++candidates;
  if (candidates > size_t{kPointIndexBucketsPerPage} * kPointIndexBucketSlots) std::abort();
  return 0;
}
