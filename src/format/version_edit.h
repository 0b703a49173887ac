// VersionEdit: one atomic change to what a store consists of. The manifest is a list of them.
#ifndef VARVE_FORMAT_VERSION_EDIT_H_
#define VARVE_FORMAT_VERSION_EDIT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/expiry.h"
#include "format/expiry_places.h"
#include "format/internal_key.h"
#include "varve/status.h"

namespace varve {

// Bytes of a value-log file (whole records) that entries of a segment point to.
struct ValueLogRef {
  uint64_t file_number = 0;
  uint64_t bytes = 0;
  friend bool operator==(const ValueLogRef&, const ValueLogRef&) = default;
};

// What the manifest keeps of a segment, so that opening a store opens no segment.
struct SegmentMeta {
  uint64_t run_id = 0;
  uint64_t file_number = 0;
  uint64_t file_bytes = 0;
  std::string smallest_key;
  std::string largest_key;
  SequenceNumber smallest_sequence = 0;
  SequenceNumber largest_sequence = 0;
  uint64_t entry_count = 0;
  uint64_t tombstone_count = 0;
  uint64_t logical_bytes = 0;
  // Range tombstones up to this sequence number have been applied: none of them hides anything in
  // the segment any more.
  SequenceNumber filtered_sequence = 0;
  std::vector<ValueLogRef> value_refs;
  ExpirySummary expiry;  // empty: no entry expires
  // Where these are, when that was asked for as the segment was written. Not part of the manifest.
  std::shared_ptr<ExpiryPlacesBox> expiry_places;

  friend bool operator==(const SegmentMeta&, const SegmentMeta&) = default;
};

struct SegmentRef {
  uint64_t run_id = 0;
  uint64_t file_number = 0;
  friend bool operator==(const SegmentRef&, const SegmentRef&) = default;
};

// Entries with key <= bound are no longer part of the segment.
struct SegmentTrim {
  uint64_t file_number = 0;
  std::string bound;
  friend bool operator==(const SegmentTrim&, const SegmentTrim&) = default;
};

// Hides versions of keys in [begin, end) older than `sequence`.
struct RangeTombstone {
  std::string begin;
  std::string end;
  SequenceNumber sequence = 0;
  friend bool operator==(const RangeTombstone&, const RangeTombstone&) = default;
};

struct ValueLogFileMeta {
  uint64_t file_number = 0;
  uint64_t file_bytes = 0;
  friend bool operator==(const ValueLogFileMeta&, const ValueLogFileMeta&) = default;
};

// A log, and how many of its bytes are known to be durable.
struct DurableLog {
  uint64_t number = 0;
  uint64_t end = 0;
  friend bool operator==(const DurableLog&, const DurableLog&) = default;
};

// The opening of a store that gave out the file numbers from `first_file_number` on, up to those of the
// next. An id and a number stand for one file and no other, also where stores have been copied, restored or
// set back and go on apart.
struct FileOrigin {
  uint64_t id = 0;  // random; 0: unknown
  uint64_t first_file_number = 0;
  friend bool operator==(const FileOrigin&, const FileOrigin&) = default;
};

// Every field is optional or a list; absent means unchanged. Additions apply before trims and other
// changes of one edit, removals last. The order within a list is kept.
struct VersionEdit {
  std::optional<uint32_t> format_version;
  std::optional<uint64_t> next_file_number;
  std::optional<SequenceNumber> last_sequence;
  std::optional<uint64_t> oldest_log_number;  // logs below it are not needed
  std::optional<uint64_t> hash_salt;          // of the store; only in the first edit
  std::optional<DurableLog> durable_log;      // as of an orderly close

  std::vector<uint64_t> added_runs;
  std::vector<uint64_t> removed_runs;
  std::vector<SegmentMeta> added_segments;
  std::vector<SegmentRef> removed_segments;
  std::vector<SegmentTrim> segment_trims;
  std::vector<RangeTombstone> added_range_tombstones;
  std::vector<RangeTombstone> removed_range_tombstones;
  std::vector<ValueLogFileMeta> added_value_logs;
  std::vector<uint64_t> removed_value_logs;
  std::vector<FileOrigin> origins;  // ascending; only in the first edit

  friend bool operator==(const VersionEdit&, const VersionEdit&) = default;
};

std::string EncodeVersionEdit(const VersionEdit& edit);
// kNotSupported when the edit holds a field or a format version that this library does not know;
// kCorruption when it is malformed.
Result<VersionEdit> DecodeVersionEdit(std::string_view bytes);

}  // namespace varve

#endif  // VARVE_FORMAT_VERSION_EDIT_H_
