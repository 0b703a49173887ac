// SegmentBuilder: writes entries that arrive in internal order as a segment file.
//
//   data blocks | zeros up to a page | point index pages | sparse index block | properties block |
//   footer
//
// The file is written front to back, in large pieces, each byte once. docs/formats/segment.md.
#ifndef VARVE_FORMAT_SEGMENT_BUILDER_H_
#define VARVE_FORMAT_SEGMENT_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "env/env.h"
#include "format/block.h"
#include "format/block_file.h"
#include "format/expiry_places.h"
#include "format/internal_key.h"
#include "format/point_index.h"
#include "format/segment_properties.h"
#include "format/sparse_index.h"
#include "varve/options.h"
#include "varve/status.h"

namespace varve {

// A block number is two bytes in the point index, and the last key of a segment may need blocks for
// older versions after this many.
inline constexpr uint64_t kMaxSegmentBlocks = 65000;
// The sparse index is one block: with very long keys a segment is full when it grows to this.
inline constexpr size_t kMaxSparseIndexBytes = size_t{128} << 20;

struct SegmentBuilderOptions {
  uint64_t file_number = 0;
  // kNone, kLz4 or kZstd. Of data blocks until SetCompression, and of the sparse index.
  Compression compression = Compression::kNone;
  // Size that data blocks aim for: on disk when plain, before compression otherwise.
  // 0: kPageBytes when plain, 16,384 when compressed.
  size_t block_bytes = 0;
  // Of the store; see PointIndexHash.
  uint64_t hash_salt = 0;
  // Off: no point index (for segments that are only ever scanned).
  bool with_point_index = true;
  // Entries to expect, if known: saves growing. A hint.
  uint64_t expected_entries = 0;
  // The store's time: where the summary of deadlines is finest. Milliseconds since 1970.
  uint64_t now_millis = 0;
  // Hears of every newest version of a key that expires. Borrowed; nullptr: nobody asks.
  ExpiryPlaces* expiry_places = nullptr;
};

// Thread-compatible. Ends with exactly one Finish or Abandon; the destructor abandons.
class SegmentBuilder {
 public:
  // `file` must be empty; it is borrowed, written at increasing offsets from 0, and neither synced
  // nor closed.
  SegmentBuilder(WritableFile* file, const SegmentBuilderOptions& options);
  ~SegmentBuilder();
  SegmentBuilder(const SegmentBuilder&) = delete;
  SegmentBuilder& operator=(const SegmentBuilder&) = delete;

  // Appends `entry`, which is copied. After an error of the file every further call returns it.
  // REQUIRES: after the entry before in internal order; the value of an entry with a pointer holds
  // an encoded ValuePointer; all versions of a key go to one segment; a key that is new to the segment
  // comes only while !IsFull(). Sequence > 0.
  Status Add(const Entry& entry);

  // How blocks are compressed from the next entry on: kNone, kLz4 or kZstd. A change begins a block.
  // Plain blocks that come after compressed ones do not begin at a multiple of kPageBytes.
  Status SetCompression(Compression compression);

  // Whether a new key should start a new segment: the file reaches `target_bytes`, or a limit of
  // the format.
  bool IsFull(uint64_t target_bytes) const {
    return EstimatedBytes() >= target_bytes || block_count_ >= kMaxSegmentBlocks ||
           sparse_index_.raw_bytes() >= kMaxSparseIndexBytes;
  }

  // Size of the file if it were finished now, closely.
  uint64_t EstimatedBytes() const {
    return offset_ + block_.EstimatedSize() + point_index_.EstimatedBytes() +
           sparse_index_.raw_bytes();
  }
  uint64_t entry_count() const { return properties_.entry_count; }
  // Blocks completed so far.
  uint64_t block_count() const { return block_count_; }
  // Size of the file. REQUIRES: Finish returned OK.
  uint64_t file_bytes() const { return offset_; }

  // Writes the rest. On success the file is complete, though not yet durable: sync it before naming
  // it in the manifest. REQUIRES: at least one entry.
  Result<SegmentProperties> Finish();

  // Gives up; the file is the caller's to remove.
  void Abandon();

 private:
  // Output is handed to the file when it reaches this.
  static constexpr size_t kWriteBytes = size_t{512} << 10;

  void NoteEntry(const Entry& entry);
  Status FinishBlock();
  Status AppendPointIndex();
  void AppendTail();
  // Writes what is buffered.
  Status WriteOut();
  // A block of the given kind at the current end of the file.
  void AppendBlock(std::string_view raw, const BlockEncoding& encoding);

  WritableFile* const file_;
  const SegmentBuilderOptions options_;
  Compression compression_;  // of data blocks
  size_t raw_limit_;

  BlockBuilder block_;
  PointIndexBuilder point_index_;
  SparseIndexBuilder sparse_index_;
  SegmentProperties properties_;
  ExpirySummaryBuilder expiry_;

  std::string output_;   // not yet written; ends at offset_ of the file
  uint64_t offset_ = 0;  // size of the file with `output_`
  uint64_t block_count_ = 0;
  std::string previous_key_;  // last key of the block before the one under construction
  SequenceNumber last_sequence_ = 0;
  bool is_closed_ = false;
  Status status_;
};

}  // namespace varve

#endif  // VARVE_FORMAT_SEGMENT_BUILDER_H_
