#include "format/segment.h"

#include <cstring>

#include "base/coding.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "format/block_file.h"
#include "format/newer_format.h"
#include "varve/version.h"

namespace varve {

namespace {

constexpr std::string_view kSegmentMagic = "VARVESEG";

// Layout of the footer. Reaches disk.
constexpr size_t kFileNumberAt = 0;
constexpr size_t kSparseIndexOffsetAt = 8;
constexpr size_t kPropertiesOffsetAt = 16;
constexpr size_t kSparseIndexBytesAt = 24;
constexpr size_t kPropertiesBytesAt = 28;
constexpr size_t kVersionAt = 32;
constexpr size_t kChecksumAt = 48;  // zeros between
constexpr size_t kMagicAt = 56;
static_assert(kMagicAt + kSegmentMagic.size() == kSegmentFooterBytes);

Status Damaged(uint64_t file_number, const std::string& what) {
  return Status::Corruption("segment " + std::to_string(file_number) + ": " + what);
}

// Reads exactly [offset, offset + size).
Status ReadFully(const RandomAccessFile& file, uint64_t file_number, uint64_t offset, size_t size,
                 std::string* bytes) {
  bytes->resize(size);
  VARVE_ASSIGN_OR_RETURN(const size_t got, file.Read(offset, size, bytes->data()));
  if (got != size) {
    return Damaged(file_number, "ends at offset " + std::to_string(offset + got) + ", " +
                                    std::to_string(size - got) + " bytes are missing");
  }
  return Status::Ok();
}

// Reads and unpacks a block of the segment's tail.
Result<std::string> ReadBlock(const RandomAccessFile& file, uint64_t file_number, uint64_t offset,
                              size_t disk_bytes, BlockKind kind) {
  std::string disk;
  std::string scratch;
  VARVE_RETURN_IF_ERROR(ReadFully(file, file_number, offset, disk_bytes, &disk));
  VARVE_ASSIGN_OR_RETURN(const std::string_view raw,
                         DecodeBlock(disk, file_number, offset, kind, &scratch));
  return std::string(raw);
}

// The parts must fill the file without gaps: data, padding, point index, sparse index, properties,
// footer.
bool PartsFillTheFile(const SegmentFooter& footer, const SegmentProperties& properties) {
  const uint64_t data_end = (properties.data_bytes + kPageBytes - 1) / kPageBytes * kPageBytes;
  const uint64_t point_index_bytes = uint64_t{properties.point_index_page_count} * kPageBytes;
  return properties.data_bytes <= footer.sparse_index_offset &&
         properties.point_index_offset == data_end &&
         properties.point_index_offset + point_index_bytes == footer.sparse_index_offset;
}

}  // namespace

void EncodeSegmentFooter(const SegmentFooter& footer, uint64_t footer_offset, char* to) {
  std::memset(to, 0, kSegmentFooterBytes);
  StoreFixed(to + kFileNumberAt, footer.file_number);
  StoreFixed(to + kSparseIndexOffsetAt, footer.sparse_index_offset);
  StoreFixed(to + kPropertiesOffsetAt, footer.properties_offset);
  StoreFixed(to + kSparseIndexBytesAt, footer.sparse_index_bytes);
  StoreFixed(to + kPropertiesBytesAt, footer.properties_bytes);
  StoreFixed(to + kVersionAt, footer.format_version);
  StoreFixed(to + kChecksumAt,
             Hash64({to, kChecksumAt}, PlaceSeed(footer.file_number, footer_offset)));
  std::memcpy(to + kMagicAt, kSegmentMagic.data(), kSegmentMagic.size());
}

Result<SegmentFooter> DecodeSegmentFooter(std::string_view bytes, uint64_t file_number,
                                          uint64_t footer_offset) {
  if (bytes.size() != kSegmentFooterBytes || bytes.substr(kMagicAt) != kSegmentMagic) {
    return Damaged(file_number, "does not end like a segment (cut off, or not a segment)");
  }
  const char* from = bytes.data();
  const uint64_t checksum =
      Hash64(bytes.substr(0, kChecksumAt), PlaceSeed(file_number, footer_offset));
  if (checksum != LoadFixed<uint64_t>(from + kChecksumAt)) {
    return Damaged(file_number, "checksum of the footer at offset " +
                                    std::to_string(footer_offset) + " does not match");
  }
  SegmentFooter footer;
  footer.file_number = LoadFixed<uint64_t>(from + kFileNumberAt);
  footer.sparse_index_offset = LoadFixed<uint64_t>(from + kSparseIndexOffsetAt);
  footer.properties_offset = LoadFixed<uint64_t>(from + kPropertiesOffsetAt);
  footer.sparse_index_bytes = LoadFixed<uint32_t>(from + kSparseIndexBytesAt);
  footer.properties_bytes = LoadFixed<uint32_t>(from + kPropertiesBytesAt);
  footer.format_version = LoadFixed<uint32_t>(from + kVersionAt);
  if (footer.file_number != file_number) {
    return Damaged(file_number, "is file " + std::to_string(footer.file_number) + " in truth");
  }
  if (footer.format_version > kFormatVersion) {
    return NewerFormat("segment " + std::to_string(file_number), footer.format_version);
  }
  if (footer.sparse_index_offset > footer_offset ||
      footer.sparse_index_offset + footer.sparse_index_bytes != footer.properties_offset ||
      footer.properties_offset + footer.properties_bytes != footer_offset) {
    return Damaged(file_number, "footer does not fit the file");
  }
  return footer;
}

Result<OpenedSegment> OpenSegment(const RandomAccessFile& file, uint64_t file_number) {
  OpenedSegment segment;
  VARVE_ASSIGN_OR_RETURN(segment.file_bytes, file.Size());
  if (segment.file_bytes < kSegmentFooterBytes) {
    return Damaged(file_number,
                   "has " + std::to_string(segment.file_bytes) + " bytes, less than a footer");
  }
  const uint64_t footer_offset = segment.file_bytes - kSegmentFooterBytes;
  std::string bytes;
  VARVE_RETURN_IF_ERROR(ReadFully(file, file_number, footer_offset, kSegmentFooterBytes, &bytes));
  VARVE_ASSIGN_OR_RETURN(segment.footer, DecodeSegmentFooter(bytes, file_number, footer_offset));
  const SegmentFooter& footer = segment.footer;

  VARVE_ASSIGN_OR_RETURN(const std::string properties,
                         ReadBlock(file, file_number, footer.properties_offset,
                                   footer.properties_bytes, BlockKind::kProperties));
  Result<SegmentProperties> decoded = DecodeSegmentProperties(properties);
  if (!decoded.ok()) return Damaged(file_number, std::string(decoded.status().message()));
  segment.properties = *std::move(decoded);
  if (!PartsFillTheFile(footer, segment.properties)) {
    return Damaged(file_number, "properties do not fit the file");
  }

  VARVE_ASSIGN_OR_RETURN(const std::string sparse_index,
                         ReadBlock(file, file_number, footer.sparse_index_offset,
                                   footer.sparse_index_bytes, BlockKind::kSparseIndex));
  Result<SegmentIndex> index = SegmentIndex::Parse(sparse_index, segment.properties.data_bytes);
  if (!index.ok()) return Damaged(file_number, std::string(index.status().message()));
  segment.index = *std::move(index);
  if (segment.index.block_count() != segment.properties.block_count) {
    return Damaged(file_number, "index and properties disagree about the number of blocks");
  }
  return segment;
}

}  // namespace varve
