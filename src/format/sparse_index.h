// The sparse index of a segment: for each data block its place and a key at or before its first.
//
// On disk (the raw bytes of the sparse index block): varint block count, the prefix that all keys
// share (length-prefixed), then for each block: varint bytes on disk, varint (key length << 1 |
// continues), the rest of the key after the prefix, and when `continues`, varint sequence. Blocks
// lie back to back from offset 0. The key is the shortest that separates the block from the one
// before; a block that continues the versions of the key that ended the one before has that whole
// key, and the sequence number of its first entry.
#ifndef VARVE_FORMAT_SPARSE_INDEX_H_
#define VARVE_FORMAT_SPARSE_INDEX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "format/internal_key.h"
#include "varve/status.h"

namespace varve {

// Thread-compatible.
class SparseIndexBuilder {
 public:
  // Announces a block by its first entry; `previous_key` is the last key of the block before (empty
  // and ignored for the first).
  void AddBlock(std::string_view previous_key, std::string_view first_key,
                SequenceNumber first_sequence);
  // The bytes that the block announced last takes on disk.
  void SetBlockBytes(uint64_t bytes) { blocks_.back().disk_bytes = bytes; }
  // Close to the size of Finish()'s result.
  size_t raw_bytes() const { return keys_.size() + 8 * blocks_.size(); }
  std::string Finish() const;

 private:
  struct Block {
    uint64_t disk_bytes;
    size_t key_end;  // in keys_
    SequenceNumber sequence;
    bool continues;
  };
  std::string_view KeyOf(size_t block) const;

  std::string keys_;
  std::vector<Block> blocks_;
};

// A parsed sparse index in memory: some 20 bytes a block plus what its separator has after the common
// prefix, typically three or four. Movable, not copyable. Immutable after Parse, so any thread may
// read.
class SegmentIndex {
 public:
  SegmentIndex() = default;
  SegmentIndex(SegmentIndex&&) = default;
  SegmentIndex& operator=(SegmentIndex&&) = default;

  // kCorruption when malformed: blocks do not fill [0, data_bytes) exactly, or keys are not in
  // order. At least one block. The message does not name the file.
  static Result<SegmentIndex> Parse(std::string_view raw, uint64_t data_bytes);

  size_t block_count() const { return heads_.size(); }
  // Place of a data block in the file. REQUIRES: block < block_count().
  uint64_t block_offset(size_t block) const { return offsets_[block]; }
  size_t block_bytes(size_t block) const { return offsets_[block + 1] - offsets_[block]; }

  // The block in which a search for (key, sequence) begins: the first entry at or after it in
  // internal order is in this block, or else is the first entry of the next. With the default, that
  // is the newest version of `key`. O(log block_count).
  size_t FindBlock(std::string_view key, SequenceNumber sequence = kMaxSequence) const;

  // Appends to `*key` a key that is at most the first key of `block` and greater than every key of
  // the block before, unless that key continues there; nothing for block 0. For cutting a segment
  // into even parts.
  void AppendSeparator(size_t block, std::string* key) const;

  // Whether `block` begins with a further version of the key that ended the block before.
  bool Continues(size_t block) const {
    return !sequences_.empty() && sequences_[block] != ~SequenceNumber{0};
  }

  // Heap memory that this holds.
  size_t memory_bytes() const;

 private:
  // The key of `block` after the common prefix.
  std::string_view RestOf(size_t block) const {
    return {keys_.data() + key_ends_[block], key_ends_[block + 1] - key_ends_[block]};
  }
  // Whether (rest, sequence) of `block` is at or before the target.
  bool StartsAtOrBefore(size_t block, std::string_view rest, SequenceNumber sequence) const;

  // The first block whose head is not below `head`.
  size_t FirstAtOrAfterHead(uint64_t head) const;

  std::string prefix_;
  std::vector<uint64_t> heads_;     // KeyHead of the rest of each key
  std::vector<uint64_t> samples_;   // every kSampleDistance-th of them, from the first on
  std::vector<uint64_t> offsets_;   // and the end of the last block
  std::vector<uint32_t> key_ends_;  // starts of keys in keys_, and the end of the last
  std::string keys_;                // what follows the prefix
  std::vector<SequenceNumber>
      sequences_;  // of continuing blocks, others ~0; empty when none continues
};

}  // namespace varve

#endif  // VARVE_FORMAT_SPARSE_INDEX_H_
