// Opening a segment file: footer, properties and sparse index. Data blocks and point index pages
// are the caller's to read (block_file.h, block.h, point_index.h), through whatever cache it has.
#ifndef VARVE_FORMAT_SEGMENT_H_
#define VARVE_FORMAT_SEGMENT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "env/env.h"
#include "format/segment_properties.h"
#include "format/sparse_index.h"
#include "varve/status.h"

namespace varve {

inline constexpr size_t kSegmentFooterBytes = 64;

// The last bytes of a segment. Its layout is the same in every version.
struct SegmentFooter {
  uint64_t file_number = 0;
  uint32_t format_version = 0;
  uint64_t sparse_index_offset = 0;
  uint32_t sparse_index_bytes = 0;  // on disk
  uint64_t properties_offset = 0;
  uint32_t properties_bytes = 0;  // on disk

  friend bool operator==(const SegmentFooter&, const SegmentFooter&) = default;
};

// Writes kSegmentFooterBytes. `footer_offset` is where they will be in the file.
void EncodeSegmentFooter(const SegmentFooter& footer, uint64_t footer_offset, char* to);
// `bytes` are the last kSegmentFooterBytes of a file of number `file_number`, at `footer_offset`.
// kCorruption when they are not a segment's, or of another file; kNotSupported when of a newer
// version.
Result<SegmentFooter> DecodeSegmentFooter(std::string_view bytes, uint64_t file_number,
                                          uint64_t footer_offset);

struct OpenedSegment {
  SegmentFooter footer;
  SegmentProperties properties;
  SegmentIndex index;
  uint64_t file_bytes = 0;
};

// Reads and verifies everything about a segment but its data blocks and point index pages, and
// checks that the parts agree with each other and with the size of the file. Three reads, usually
// of one stretch at the end of the file.
Result<OpenedSegment> OpenSegment(const RandomAccessFile& file, uint64_t file_number);

}  // namespace varve

#endif  // VARVE_FORMAT_SEGMENT_H_
