// The tail of a segment: footer, properties and sparse index from any bytes, each also alone,
// because a fuzzer does not find checksums. The first byte chooses.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/segment.h"
#include "tests/format/memory_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace varve;
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 3 == 0) {
    const test::MemoryFile file{std::string(bytes)};
    (void)OpenSegment(file, 1);
  } else if (data[0] % 3 == 1) {
    const Result<SegmentProperties> properties = DecodeSegmentProperties(bytes);
    if (!properties.ok()) return 0;
    const Result<SegmentProperties> again =
        DecodeSegmentProperties(EncodeSegmentProperties(*properties));
    if (!again.ok() || !(*again == *properties)) std::abort();
  } else {
    const uint64_t data_bytes = data[0] * uint64_t{4096} / 3;
    const Result<SegmentIndex> index = SegmentIndex::Parse(bytes, data_bytes);
    if (!index.ok()) return 0;
    for (size_t block = 0; block < index->block_count(); ++block) {
      std::string separator;
      index->AppendSeparator(block, &separator);
      if (index->FindBlock(separator, 1) < block ||
          index->FindBlock(separator) >= index->block_count()) {
        std::abort();
      }
      if (index->block_offset(block) + index->block_bytes(block) > data_bytes) std::abort();
    }
  }
  return 0;
}
