#include "format/block_file.h"

#include <lz4.h>
#include <zstd.h>

#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/coding.h"
#include "base/hash.h"
#include "base/planted_bug.h"
#include "format/block.h"

namespace varve {

namespace {

constexpr size_t kChecksumBytes = 8;
constexpr int kZstdLevel = 3;

// No stream of either format expands further: lz4 codes at most 255 bytes by one, zstd at most a
// block of 128 KiB by four.
constexpr uint64_t kMaxLz4Expansion = 256;
constexpr uint64_t kMaxZstdExpansion = 32768;

Status Damaged(uint64_t file_number, uint64_t offset, const std::string& what) {
  return Status::Corruption("block at offset " + std::to_string(offset) + " of file " +
                            std::to_string(file_number) + ": " + what);
}

// Contexts are expensive to make and hold no state between blocks.
ZSTD_CCtx* ZstdCompressor() {
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  };
  thread_local std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  VARVE_CHECK(context != nullptr);
  return context.get();
}
ZSTD_DCtx* ZstdDecompressor() {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  VARVE_CHECK(context != nullptr);
  return context.get();
}

// Compresses into `to[0, limit)`. Returns the size, or 0 when it does not fit.
size_t Compress(BlockCodec codec, std::string_view raw, char* to, size_t limit) {
  if (codec == BlockCodec::kLz4) {
    const int size =
        LZ4_compress_default(raw.data(), to, static_cast<int>(raw.size()), static_cast<int>(limit));
    return size > 0 ? static_cast<size_t>(size) : 0;
  }
  const size_t size =
      ZSTD_compressCCtx(ZstdCompressor(), to, limit, raw.data(), raw.size(), kZstdLevel);
  return ZSTD_isError(size) ? 0 : size;
}

// Writes the trailer at the end of `block[0, disk_bytes)`, whose other bytes are in place.
void WriteTrailer(char* block, size_t disk_bytes, BlockCodec codec, BlockKind kind,
                  size_t padding_bytes, size_t raw_bytes, uint64_t file_number, uint64_t offset) {
  char* trailer = block + disk_bytes - kBlockTrailerBytes;
  trailer[0] = static_cast<char>(codec);
  trailer[1] = static_cast<char>(kind);
  StoreFixed(trailer + 2, static_cast<uint16_t>(padding_bytes));
  StoreFixed(trailer + 4, static_cast<uint32_t>(raw_bytes));
  StoreFixed(trailer + 8,
             Hash64({block, disk_bytes - kChecksumBytes}, PlaceSeed(file_number, offset)));
}

// Appends the compressed block. False, with `*out` as it was, when that saves less than an eighth.
bool EncodeCompressed(std::string_view raw, BlockCodec codec, BlockKind kind, uint64_t file_number,
                      uint64_t offset, std::string* out) {
  const size_t start = out->size();
  const size_t limit = raw.size() - raw.size() / 8;
  out->resize(start + limit + kBlockTrailerBytes);
  const size_t size = raw.empty() ? 0 : Compress(codec, raw, out->data() + start, limit);
  if (size == 0) {
    out->resize(start);
    return false;
  }
  out->resize(start + size + kBlockTrailerBytes);
  WriteTrailer(out->data() + start, size + kBlockTrailerBytes, codec, kind, 0, raw.size(),
               file_number, offset);
  return true;
}

BlockCodec CodecOf(Compression compression) {
  VARVE_CHECK(compression == Compression::kLz4 || compression == Compression::kZstd);
  return compression == Compression::kLz4 ? BlockCodec::kLz4 : BlockCodec::kZstd;
}

}  // namespace

void EncodeBlock(std::string_view raw, const BlockEncoding& encoding, uint64_t file_number,
                 uint64_t offset, std::string* out) {
  VARVE_CHECK(raw.size() <= kMaxRawBlockBytes);
  if (encoding.compression != Compression::kNone &&
      EncodeCompressed(raw, CodecOf(encoding.compression), encoding.kind, file_number, offset,
                       out)) {
    return;
  }
  size_t disk_bytes = raw.size() + kBlockTrailerBytes;
  if (encoding.pad_to_page) disk_bytes = (disk_bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  const size_t start = out->size();
  out->reserve(start + disk_bytes);
  out->append(raw);
  out->append(disk_bytes - raw.size(), '\0');
  WriteTrailer(out->data() + start, disk_bytes, BlockCodec::kPlain, encoding.kind,
               disk_bytes - raw.size() - kBlockTrailerBytes, raw.size(), file_number, offset);
}

void SealPlainBlock(char* block, size_t raw_bytes, size_t disk_bytes, BlockKind kind,
                    uint64_t file_number, uint64_t offset) {
  VARVE_CHECK(raw_bytes + kBlockTrailerBytes <= disk_bytes);
  const size_t padding_bytes = disk_bytes - raw_bytes - kBlockTrailerBytes;
  VARVE_CHECK(padding_bytes <= 0xffff && raw_bytes <= kMaxRawBlockBytes);
  std::memset(block + raw_bytes, 0, padding_bytes);
  WriteTrailer(block, disk_bytes, BlockCodec::kPlain, kind, padding_bytes, raw_bytes, file_number,
               offset);
}

Result<BlockFrame> OpenBlock(std::string_view disk, uint64_t file_number, uint64_t offset) {
  if (disk.size() < kBlockTrailerBytes) {
    return Damaged(file_number, offset, "shorter than its trailer");
  }
  const char* trailer = disk.data() + disk.size() - kBlockTrailerBytes;
  const uint64_t checksum =
      Hash64(disk.substr(0, disk.size() - kChecksumBytes), PlaceSeed(file_number, offset));
  if (checksum != LoadFixed<uint64_t>(trailer + 8) &&
      !VARVE_PLANTED_BUG("block.checksum_not_compared")) {
    return Damaged(file_number, offset, "checksum does not match");
  }
  const auto codec = static_cast<unsigned char>(trailer[0]);
  const auto kind = static_cast<unsigned char>(trailer[1]);
  const size_t padding_bytes = LoadFixed<uint16_t>(trailer + 2);
  if (codec > static_cast<unsigned char>(BlockCodec::kZstd)) {
    return Damaged(file_number, offset, "unknown codec " + std::to_string(codec));
  }
  if (padding_bytes > disk.size() - kBlockTrailerBytes) {
    return Damaged(file_number, offset, "padding is larger than the block");
  }
  BlockFrame frame;
  frame.kind = static_cast<BlockKind>(kind);
  frame.codec = static_cast<BlockCodec>(codec);
  frame.raw_bytes = LoadFixed<uint32_t>(trailer + 4);
  frame.payload = disk.substr(0, disk.size() - kBlockTrailerBytes - padding_bytes);
  const uint64_t expansion = frame.codec == BlockCodec::kPlain ? 1
                             : frame.codec == BlockCodec::kLz4 ? kMaxLz4Expansion
                                                               : kMaxZstdExpansion;
  const bool is_plausible = frame.codec == BlockCodec::kPlain
                                ? frame.raw_bytes == frame.payload.size()
                                : frame.raw_bytes <= frame.payload.size() * expansion;
  if (!is_plausible || frame.raw_bytes > kMaxRawBlockBytes) {
    return Damaged(file_number, offset, "impossible size " + std::to_string(frame.raw_bytes));
  }
  return frame;
}

Status UnpackBlock(const BlockFrame& frame, uint64_t file_number, uint64_t offset, char* raw) {
  bool ok = false;
  switch (frame.codec) {
    case BlockCodec::kPlain:
      std::memcpy(raw, frame.payload.data(), frame.payload.size());
      ok = true;
      break;
    case BlockCodec::kLz4:
      ok = LZ4_decompress_safe(frame.payload.data(), raw, static_cast<int>(frame.payload.size()),
                               static_cast<int>(frame.raw_bytes)) ==
           static_cast<int>(frame.raw_bytes);
      break;
    case BlockCodec::kZstd:
      ok = ZSTD_decompressDCtx(ZstdDecompressor(), raw, frame.raw_bytes, frame.payload.data(),
                               frame.payload.size()) == frame.raw_bytes;
      break;
  }
  return ok ? Status::Ok() : Damaged(file_number, offset, "does not decompress");
}

Result<std::string_view> DecodeBlock(std::string_view disk, uint64_t file_number, uint64_t offset,
                                     BlockKind expected, std::string* scratch) {
  Result<BlockFrame> frame = OpenBlock(disk, file_number, offset);
  if (!frame.ok()) return frame.status();
  if (frame->kind != expected) {
    return Damaged(file_number, offset,
                   "is of kind " + std::to_string(static_cast<int>(frame->kind)) + ", not " +
                       std::to_string(static_cast<int>(expected)));
  }
  if (frame->in_place()) return frame->payload;
  scratch->resize(frame->raw_bytes);
  Status status = UnpackBlock(*frame, file_number, offset, scratch->data());
  if (!status.ok()) return status;
  return std::string_view(*scratch);
}

}  // namespace varve
