// ChunkPool: 2 MiB pieces of huge-page memory, recycled. Memtables and the block cache draw from one
// pool, so that memory which one gives back serves the other without a page fault.
#ifndef VARVE_ENGINE_CHUNK_POOL_H_
#define VARVE_ENGINE_CHUNK_POOL_H_

#include <cstddef>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"

namespace varve {

// Thread-safe. Everything allocated must be released before destruction.
class ChunkPool {
 public:
  static constexpr size_t kChunkBytes = size_t{2} << 20;

  // Keeps at most `max_spare_chunks` released chunks for reuse; more go back to the system.
  ChunkPool(Env* env, size_t max_spare_chunks) : env_(env), max_spare_chunks_(max_spare_chunks) {}
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  // A chunk aligned to at least 4096 bytes, content unspecified. Never fails: out of memory is fatal, as it is for operator new.
  char* Allocate() VARVE_EXCLUDES(mu_);
  void Release(char* chunk) VARVE_EXCLUDES(mu_);
  size_t allocated_bytes() VARVE_EXCLUDES(mu_);
  // Makes so many chunks ready, their pages faulted in; at most what is kept for reuse.
  void Preallocate(size_t chunks) VARVE_EXCLUDES(mu_);

 private:
  Env* const env_;
  const size_t max_spare_chunks_;
  Mutex mu_;
  std::vector<char*> spare_ VARVE_GUARDED_BY(mu_);
  size_t allocated_chunks_ VARVE_GUARDED_BY(mu_) = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_CHUNK_POOL_H_
