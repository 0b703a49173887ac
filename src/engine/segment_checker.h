// SegmentChecker: every checksum, every order, every reference of one segment file, past the cache and in
// steps of one block.
//
//   file        as the manifest describes it: size, counts, bounds, sequence numbers, bytes of large values
//   blocks      checksums; entries in order, within a block and from one to the next
//   sparse      leads to each block for its first and its last entry, so for those between them
//   point       leads to the newest version of each key, and to nothing else
//   properties  equal to what was counted
#ifndef VARVE_ENGINE_SEGMENT_CHECKER_H_
#define VARVE_ENGINE_SEGMENT_CHECKER_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/damage.h"
#include "env/env.h"
#include "format/block.h"
#include "format/segment.h"
#include "format/version_edit.h"

namespace varve {

struct SegmentCheckerOptions {
  Env* env = nullptr;
  std::string path;
  SegmentMeta meta;  // as the manifest has it
  uint64_t hash_salt = 0;
  // Asks the system to forget what it holds of the file before each read, and after it.
  bool reads_device = false;
  std::function<void(Damage)> on_damage;
  // Hears of each entry; the views live for the call. May be empty.
  std::function<void(const Entry&)> on_entry;
};

// Thread-compatible.
class SegmentChecker {
 public:
  explicit SegmentChecker(SegmentCheckerOptions options) : options_(std::move(options)) {}

  // Reads the next part. False when there is none left. `*bytes`: what was read.
  bool Step(uint64_t* bytes);

  uint64_t block_count() const { return blocks_; }
  uint64_t entry_count() const { return seen_.entry_count; }
  uint64_t file_bytes() const { return segment_.file_bytes; }

 private:
  enum class Phase { kOpen, kPointIndex, kData, kTotals, kDone };

  void Open(uint64_t* bytes);
  void ReadIndexPage(uint64_t* bytes);
  void ReadDataBlock(uint64_t* bytes);
  void CheckEntry(const Entry& entry, int slot, uint64_t offset);
  void CheckSparseIndex(const Entry& first, const Entry& last, uint64_t offset);
  void CheckTotals();
  void CheckAgainstManifest();
  // The block at `offset`; empty when it cannot be read or does not check.
  std::string ReadDisk(uint64_t offset, size_t bytes);
  bool IsIndexed(uint64_t hash, int slot) const;
  DamagedKeys KeysOfBlock() const;
  void Report(uint64_t offset, std::string what, std::optional<DamagedKeys> keys = std::nullopt);

  const SegmentCheckerOptions options_;
  Phase phase_ = Phase::kOpen;
  std::unique_ptr<RandomAccessFile> file_;
  OpenedSegment segment_;
  std::vector<std::string> pages_;  // of the point index; empty: damaged
  bool all_pages_read_ = true;
  bool all_blocks_read_ = true;
  uint64_t indexed_ = 0;  // what the pages hold
  uint64_t keys_ = 0;     // distinct ones
  size_t next_page_ = 0;
  size_t block_ = 0;
  uint64_t blocks_ = 0;
  std::string first_key_, last_key_;
  SequenceNumber last_sequence_ = 0;
  bool has_last_ = false;
  SegmentProperties seen_;  // what was counted
  std::map<uint64_t, uint64_t> value_refs_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_SEGMENT_CHECKER_H_
