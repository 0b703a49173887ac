#include "engine/memtable_arena.h"

#include <new>

namespace varve {
namespace {

// A chunk is left for a new one only when little of it is lost.
constexpr size_t kMaxWastedBytes = ChunkPool::kChunkBytes / 8;

}  // namespace

MemTableArena::~MemTableArena() {
  for (char* chunk : chunks_) pool_->Release(chunk);
  for (char* block : large_) ::operator delete (block, std::align_val_t{kMaxAlignment});
}

char* MemTableArena::AllocateSlow(size_t bytes) {
  CountUsed(bytes);
  const size_t left = static_cast<size_t>(limit_ - free_);
  if (bytes <= ChunkPool::kChunkBytes && left <= kMaxWastedBytes) {
    chunks_.push_back(pool_->Allocate());
    free_ = chunks_.back() + bytes;
    limit_ = chunks_.back() + ChunkPool::kChunkBytes;
    return chunks_.back();
  }
  large_.push_back(static_cast<char*>(::operator new (bytes, std::align_val_t{kMaxAlignment})));
  return large_.back();
}

}  // namespace varve
