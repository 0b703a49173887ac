// SegmentSalvage: the entries of a segment file that may be damaged anywhere.
//
// With footer, properties and sparse index intact, the blocks are where the index says, and one that does
// not check lies between two known keys. Without them the file is searched for blocks: a block ends with a
// trailer that says how long it is, or its start is the end of the one before; its checksum, seeded by its
// place, then proves that it is one. What lies between two blocks that were found lies between their keys.
#ifndef VARVE_ENGINE_SEGMENT_SALVAGE_H_
#define VARVE_ENGINE_SEGMENT_SALVAGE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/damage.h"
#include "env/env.h"
#include "format/block.h"
#include "format/segment.h"
#include "format/version_edit.h"

namespace varve {

// A block that was found, or is known from the index.
struct SalvagedBlock {
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

// Searches `image`, a segment file of this number without its index, for data blocks, in order. Hashes at
// most some multiple of the file, so that content made to look like trailers cannot make it slow.
std::vector<SalvagedBlock> FindDataBlocks(std::string_view image, uint64_t file_number);

// What is known of a segment before its blocks are read.
struct SegmentPlan {
  uint64_t file_number = 0;
  std::string path;
  uint64_t file_bytes = 0;
  bool is_missing = false;
  // From manifest or properties; unset: not known.
  std::optional<std::string> smallest_key;
  std::optional<std::string> largest_key;
  std::optional<uint64_t> entry_count;
  SequenceNumber largest_sequence = 0;
  std::optional<std::string> trim;  // entries up to here do not count
  Compression compression = Compression::kNone;
  uint64_t hash_salt = 0;  // 0: not known
  // Set: the index is damaged, and these were found instead.
  std::optional<std::vector<SalvagedBlock>> found;
};

// Fills in what the file says. Damage to the parts that are no data goes to `problems`. kNotSupported
// when a newer version wrote the file.
Status InspectSegment(Env* env, SegmentPlan* plan, std::vector<std::string>* problems);

// Thread-compatible. Goes forward once.
class SegmentSalvage {
 public:
  // Hears of damage with the keys that may be lost, in order of keys. `changes`: entries, 0: not known.
  using OnLoss = std::function<void(const Damage&, uint64_t changes)>;

  SegmentSalvage(Env* env, SegmentPlan plan, OnLoss on_loss);

  // Reads up to the first entry.
  void Start();
  bool Valid() const { return valid_; }
  // Lives until Next. REQUIRES: Valid().
  const Entry& entry() const { return entry_; }
  void Next();
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Lost {
    DamagedKeys keys;
    uint64_t offset;
    std::string what;
  };
  bool LoadNextBlock();
  // Reads the block and takes its entries. False when it is damaged; `*what` says how.
  bool ReadBlock(const SalvagedBlock& block, std::string* what);
  bool TakeEntries(std::string_view raw, std::string* what);
  void Lose(std::string begin, std::optional<std::string> end, uint64_t offset, std::string what);
  void ReportLost();
  DamagedKeys KeysOfBlock(size_t block) const;
  void NoteGap(const SalvagedBlock& next);
  void NoteTail();
  std::string LowestKey() const;
  std::optional<std::string> AfterLargest() const;

  Env* const env_;
  const SegmentPlan plan_;
  const OnLoss on_loss_;
  std::unique_ptr<RandomAccessFile> file_;
  OpenedSegment segment_;
  std::vector<SalvagedBlock> blocks_;
  size_t next_block_ = 0;
  uint64_t end_of_last_ = 0;  // of the block read last
  std::string disk_, scratch_;
  std::vector<Entry> entries_;  // of the present block
  size_t at_ = 0;
  Entry entry_;
  bool valid_ = false;
  bool has_last_ = false;
  std::string last_key_;  // of the blocks read so far
  SequenceNumber last_sequence_ = 0;
  uint64_t entries_read_ = 0;
  uint64_t bytes_read_ = 0;
  std::vector<Lost> lost_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_SEGMENT_SALVAGE_H_
