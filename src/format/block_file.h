// The physical block: how a raw block of any kind lies in a file.
//
//   payload | padding (zeros) | 16-byte trailer {u8 codec, u8 kind, u16 padding bytes, u32 raw
//   bytes, u64 checksum}
//
// The checksum covers everything before it, and its seed is the place of the block (file number and
// offset): a block that was read from the wrong place fails it. docs/formats/segment.md.
#ifndef VARVE_FORMAT_BLOCK_FILE_H_
#define VARVE_FORMAT_BLOCK_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "varve/options.h"
#include "varve/status.h"

namespace varve {

inline constexpr size_t kPageBytes = 4096;
inline constexpr size_t kBlockTrailerBytes = 16;

// Both reach disk: never renumber.
enum class BlockKind : uint8_t {
  kData = 1,
  kPointIndex = 2,
  kSparseIndex = 3,
  kProperties = 4,
};
enum class BlockCodec : uint8_t { kPlain = 0, kLz4 = 1, kZstd = 2 };

struct BlockEncoding {
  BlockKind kind = BlockKind::kData;
  // kNone, kLz4 or kZstd. A block that saves less than an eighth is stored plain all the same.
  Compression compression = Compression::kNone;
  // Pads plain blocks so that payload, padding and trailer are a multiple of kPageBytes.
  bool pad_to_page = false;
};

// Appends the physical block of `raw` to `*out`. It must be written to file `file_number` at
// `offset`. REQUIRES: raw.size() <= kMaxRawBlockBytes.
void EncodeBlock(std::string_view raw, const BlockEncoding& encoding, uint64_t file_number,
                 uint64_t offset, std::string* out);

// Completes a plain block in place: `block[0, raw_bytes)` holds the raw block and the rest up to
// `disk_bytes` is overwritten with padding and trailer.
// REQUIRES: raw_bytes + kBlockTrailerBytes <= disk_bytes, with less than 64 KiB between them.
void SealPlainBlock(char* block, size_t raw_bytes, size_t disk_bytes, BlockKind kind,
                    uint64_t file_number, uint64_t offset);

// A physical block whose checksum was right. `payload` points into the bytes given to OpenBlock.
struct BlockFrame {
  BlockKind kind = BlockKind::kData;
  BlockCodec codec = BlockCodec::kPlain;
  uint32_t raw_bytes = 0;
  std::string_view payload;

  // The payload is the raw block: no need to unpack.
  bool in_place() const { return codec == BlockCodec::kPlain; }
};

// Verifies the physical block `disk`, read whole from `offset` of file `file_number`. kCorruption,
// with both in the message, when the checksum fails or the trailer makes no sense; then nothing was
// allocated. `raw_bytes` of the result is at most kMaxRawBlockBytes, and no more than the payload
// could ever expand to. O(disk.size()).
Result<BlockFrame> OpenBlock(std::string_view disk, uint64_t file_number, uint64_t offset);

// Writes the raw block to `raw[0, frame.raw_bytes)`; plain blocks are copied. kCorruption when the
// payload does not decompress to exactly that many bytes. `file_number` and `offset` are for
// messages.
Status UnpackBlock(const BlockFrame& frame, uint64_t file_number, uint64_t offset, char* raw);

// Both steps. The raw block is `disk`'s own bytes when plain, otherwise it is in `*scratch`.
// kCorruption also when the block is not of kind `expected`.
Result<std::string_view> DecodeBlock(std::string_view disk, uint64_t file_number, uint64_t offset,
                                     BlockKind expected, std::string* scratch);

}  // namespace varve

#endif  // VARVE_FORMAT_BLOCK_FILE_H_
