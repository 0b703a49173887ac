// Physical blocks: as they come, and again with the checksum put right, so that the trailer and the
// decompressors see any bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/coding.h"
#include "base/hash.h"
#include "format/block_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  constexpr uint64_t kFile = 1;
  constexpr uint64_t kOffset = 4096;
  std::string disk(reinterpret_cast<const char*>(data), size);
  std::string scratch;
  (void)DecodeBlock(disk, kFile, kOffset, BlockKind::kData, &scratch);
  if (size < kBlockTrailerBytes) return 0;
  StoreFixed(disk.data() + size - 8,
             Hash64(std::string_view(disk).substr(0, size - 8), PlaceSeed(kFile, kOffset)));
  // A size that is possible and large only costs the fuzzer time.
  if (LoadFixed<uint32_t>(disk.data() + size - 12) > (uint32_t{1} << 24)) return 0;
  (void)DecodeBlock(disk, kFile, kOffset, BlockKind::kData, &scratch);
  return 0;
}
