// SegmentProperties: what a segment says about itself in its properties block.
#ifndef VARVE_FORMAT_SEGMENT_PROPERTIES_H_
#define VARVE_FORMAT_SEGMENT_PROPERTIES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "format/expiry.h"
#include "format/internal_key.h"
#include "varve/options.h"
#include "varve/status.h"

namespace varve {

struct SegmentProperties {
  uint32_t format_version = 0;
  // As asked for; single blocks may be plain all the same.
  Compression compression = Compression::kNone;

  uint64_t entry_count = 0;  // versions and tombstones
  uint64_t tombstone_count = 0;
  uint64_t key_bytes = 0;      // sum of key lengths
  uint64_t value_bytes = 0;    // sum of lengths of what is stored in place, value pointers included
  uint64_t logical_bytes = 0;  // sum of key lengths and of value lengths as the user gave them

  std::string smallest_key;  // of the first and of the last entry, whole
  std::string largest_key;
  SequenceNumber smallest_sequence = 0;
  SequenceNumber largest_sequence = 0;

  uint64_t data_bytes = 0;  // data blocks are [0, data_bytes) of the file
  uint64_t block_count = 0;
  uint64_t point_index_offset = 0;      // a multiple of kPageBytes
  uint32_t point_index_page_count = 0;  // 0: no point index; search the sparse index
  uint64_t hash_salt = 0;               // of the point index
  ExpirySummary expiry;                 // empty: no entry expires

  friend bool operator==(const SegmentProperties&, const SegmentProperties&) = default;
};

// Tagged fields: a reader skips tags that it does not know.
std::string EncodeSegmentProperties(const SegmentProperties& properties);
// kCorruption when malformed; the message does not name the file.
Result<SegmentProperties> DecodeSegmentProperties(std::string_view raw);

}  // namespace varve

#endif  // VARVE_FORMAT_SEGMENT_PROPERTIES_H_
