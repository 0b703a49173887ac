#include "engine/chunk_pool.h"

#include "base/check.h"

namespace varve {

ChunkPool::~ChunkPool() {
  VARVE_CHECK(allocated_chunks_ == 0);
  for (char* chunk : spare_) env_->FreeHuge(chunk, kChunkBytes);
}

char* ChunkPool::Allocate() {
  {
    MutexLock lock(&mu_);
    ++allocated_chunks_;
    if (!spare_.empty()) {
      char* chunk = spare_.back();
      spare_.pop_back();
      return chunk;
    }
  }
  char* chunk = static_cast<char*>(env_->AllocateHuge(kChunkBytes));
  VARVE_CHECK(chunk != nullptr);
  return chunk;
}

void ChunkPool::Release(char* chunk) {
  {
    MutexLock lock(&mu_);
    --allocated_chunks_;
    if (spare_.size() < max_spare_chunks_) {
      spare_.push_back(chunk);
      return;
    }
  }
  env_->FreeHuge(chunk, kChunkBytes);
}

void ChunkPool::Preallocate(size_t chunks) {
  constexpr size_t kMemoryPageBytes = 4096;
  std::vector<char*> ready;
  for (size_t i = 0; i < chunks && i < max_spare_chunks_; ++i) {
    char* chunk = Allocate();
    for (size_t at = 0; at < kChunkBytes; at += kMemoryPageBytes) *static_cast<volatile char*>(chunk + at) = 0;
    ready.push_back(chunk);
  }
  for (char* chunk : ready) Release(chunk);
}

size_t ChunkPool::allocated_bytes() {
  MutexLock lock(&mu_);
  return allocated_chunks_ * kChunkBytes;
}

}  // namespace varve
