// BlockWait: how a lookup that must not wait for the disk finds out what it waits for.
//
// An asynchronous read runs the same lookup as a plain one, inside a Scope. Where the plain one would read
// a block from its file, the lookup ends with an error, and the scope's BlockWait says which block it was. The
// operation has it read, gives the block to the BlockWait, and starts the lookup again; so each attempt comes
// at least one block farther.
//
// The scope is found through the thread and not through arguments, because only the places that load a block
// care: a lookup that finds everything in memory pays nothing.
#ifndef VARVE_ENGINE_BLOCK_WAIT_H_
#define VARVE_ENGINE_BLOCK_WAIT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/block_cache.h"
#include "env/env.h"
#include "format/block_file.h"
#include "format/value_pointer.h"

namespace varve {

// A raw block in the cache.
struct CachedBlock {
  Frame* frame = nullptr;
  std::string_view bytes;
};

class BlockSource;

// A block that a lookup has found to be not in the cache. `source` lives as long as the version or the `owner`.
struct MissingBlock {
  BlockSource* source = nullptr;
  BlockSlots* slots = nullptr;
  size_t index = 0;
  const RandomAccessFile* file = nullptr;
  uint64_t offset = 0;
  size_t bytes = 0;
  BlockKind kind = BlockKind::kData;  // in a segment
  ValuePointer pointer;               // in a value log
  std::shared_ptr<void> owner;

  bool IsSame(const MissingBlock& other) const {
    return slots == other.slots && index == other.index && bytes == other.bytes;
  }
};

// A file whose blocks are cached.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  // Ends the loading of `block`: `got` is what reading it has returned, `data` has the bytes. Verifies them
  // and puts them in the cache; the frame lasts as long as the caller's guard. Errors are those of a
  // plain read. REQUIRES: an EpochGuard.
  virtual Status Install(const MissingBlock& block, const Result<size_t>& got, const char* data,
                         CachedBlock* loaded) = 0;
};

// Thread-compatible.
class BlockWait {
 public:
  // Lookups of this thread are those of an operation that must not wait.
  class Scope {
   public:
    explicit Scope(BlockWait* wait) { current_ = wait; }
    ~Scope() { current_ = nullptr; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
  };
  // nullptr: outside of scopes; blocks may be read.
  static BlockWait* Current() { return current_; }

  // For who loads blocks. Takes `block` if it has been read by now, or the error of that; otherwise notes
  // it and returns an error that nobody will see.
  Status Take(MissingBlock block, CachedBlock* loaded) {
    for (const Known& known : known_) {
      if (!known.block.IsSame(block)) continue;
      *loaded = known.loaded;
      return known.status;
    }
    missing_ = std::move(block);
    return Status(StatusCode::kUnavailable);
  }
  // The same where more is needed than a block.
  Status MustBlock() {
    must_block_ = true;
    return Status(StatusCode::kUnavailable);
  }

  // For the operation.
  bool has_stopped() const { return must_block_ || missing_.has_value(); }
  // What the lookup has missed; nullopt: more than a block. From here on another one may begin.
  std::optional<MissingBlock> TakeMissing() {
    if (std::exchange(must_block_, false)) missing_.reset();
    return std::exchange(missing_, std::nullopt);
  }
  // Keeps what the missing block lies in.
  void KeepOwner(std::shared_ptr<void> owner) {
    if (missing_) missing_->owner = std::move(owner);
  }
  // `loaded` is pinned for as long as there are lookups.
  void AddKnown(MissingBlock block, const CachedBlock& loaded, Status status) {
    known_.push_back({std::move(block), loaded, std::move(status)});
  }

 private:
  struct Known {
    MissingBlock block;
    CachedBlock loaded;
    Status status;
  };

  inline static thread_local constinit BlockWait* current_ = nullptr;

  std::vector<Known> known_;
  std::optional<MissingBlock> missing_;
  bool must_block_ = false;
};

}  // namespace varve

#endif  // VARVE_ENGINE_BLOCK_WAIT_H_
