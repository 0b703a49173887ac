// The two states of a simulated file: what a reader sees, and what the device holds for certain.
#ifndef VARVE_ENV_CRASH_FILE_H_
#define VARVE_ENV_CRASH_FILE_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "env/crash_bytes.h"
#include "env/crash_region.h"

namespace varve {

// What a power cut does to state that was not synced. All of it follows from the fields.
struct PowerCut {
  enum class Unsynced : uint8_t {
    kLost,
    kKept,
    // Each file loses all, keeps all, or keeps a random subset of its sectors (512 bytes), with its
    // old size, its new one or one between. Each change of a directory is kept or not; a rename is
    // atomic.
    kRandom,
  };
  Unsynced unsynced = Unsynced::kLost;
  uint64_t seed = 0;
  // Of 100 sectors that differ from their synced state, so many are torn: from some byte on they
  // hold the old state, or the bytes that differ are random or zeros. Bytes of the sector that were
  // not being changed stay as they are.
  uint32_t torn_percent = 0;

  static PowerCut LoseUnsynced() { return {}; }
  static PowerCut KeepUnsynced() { return {.unsynced = Unsynced::kKept}; }
  static PowerCut Random(uint64_t seed) { return {.unsynced = Unsynced::kRandom, .seed = seed}; }
  static PowerCut Torn(uint64_t seed) {
    return {.unsynced = Unsynced::kRandom, .seed = seed, .torn_percent = 30};
  }
};

namespace crash {

// Thread-compatible, except for stores into the mapped region.
class FileState {
 public:
  FileState() = default;
  FileState(const FileState&) = delete;
  FileState& operator=(const FileState&) = delete;

  uint64_t size() const { return current_.size(); }
  size_t Read(uint64_t offset, size_t size, char* buffer);
  // REQUIRES for Write and Resize: not mapped.
  void Write(uint64_t offset, std::string_view data);
  void Resize(uint64_t size);
  void Sync();
  // A sync that failed. See Fault::kFailedSync.
  void SyncPartly(Random* random);
  // Makes [offset, offset+data.size()) hold `data` as if it always had.
  void Plant(uint64_t offset, std::string_view data);
  // Changes a byte in both states, as far as it exists. REQUIRES: offset < size().
  void CorruptByte(uint64_t offset, uint8_t xor_mask);

  // --- Blocks, in pages.
  bool HasBlock(uint64_t page) const { return page < blocks_.size() && blocks_[page]; }
  void AddBlock(uint64_t page);
  // Takes away those from `page` on and returns how many there were.
  uint64_t RemoveBlocksFrom(uint64_t page);
  uint64_t block_count() const { return block_count_; }

  // --- Mapping.
  bool mapped() const { return region_ != nullptr; }
  // REQUIRES: not mapped.
  Region* Map(uint64_t capacity);
  // Lets stores happen in the pages of [offset, offset+size) and extends the file to their end.
  void Populate(uint64_t offset, uint64_t size);
  void Unmap();
  // Takes over what was stored into the region.
  void CaptureStores() { CaptureStores(0, ~uint64_t{0}); }

  // --- Clones. REQUIRES: CaptureStores() was called; this one was just constructed.
  void CopyAfterProcessCrash(const FileState& original);
  void CopyAfterPowerCut(const FileState& original, const PowerCut& cut, Random* random);

 private:
  using Sector = std::array<char, kSectorBytes>;

  // Stores `data` into the region, where it is mapped.
  void StoreThrough(uint64_t offset, std::string_view data);
  // Captures pages [begin, end).
  void CaptureStores(uint64_t begin, uint64_t end);
  // Calls visit(sector number, current bytes, durable bytes) for every sector that differs.
  template <typename Visit>
  void ForEachUnsynced(Visit visit) const;
  bool IsAbandoned(uint64_t sector, const char* bytes) const;
  void SyncPageWithAbandonedSectors(uint64_t page);

  SparseBytes current_;
  SparseBytes durable_;
  // Sectors that a failed sync gave up, with the bytes they held: clean in the kernel's eyes.
  std::map<uint64_t, Sector> abandoned_;

  std::vector<bool> blocks_;
  uint64_t block_count_ = 0;

  std::unique_ptr<Region> region_;
  uint64_t store_begin_ = 0;  // pages of the region that may have been stored into
  uint64_t store_end_ = 0;
};

}  // namespace crash
}  // namespace varve

#endif  // VARVE_ENV_CRASH_FILE_H_
