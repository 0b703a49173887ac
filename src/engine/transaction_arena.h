// TransactionArena: memory that a transaction takes piece by piece and gives back as a whole.
#ifndef VARVE_ENGINE_TRANSACTION_ARENA_H_
#define VARVE_ENGINE_TRANSACTION_ARENA_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace varve {

// Thread-compatible. Chunks double up to 1 MiB; the first one stays over a Reset.
class TransactionArena {
 public:
  // 8-byte aligned.
  char* Allocate(size_t bytes) {
    bytes = (bytes + 7) & ~size_t{7};
    if (bytes > left_) Grow(bytes);
    char* at = next_;
    next_ += bytes;
    left_ -= bytes;
    return at;
  }

  std::string_view Copy(std::string_view bytes) {
    if (bytes.empty()) return {};
    char* to = Allocate(bytes.size());
    std::memcpy(to, bytes.data(), bytes.size());
    return {to, bytes.size()};
  }

  void Reset() {
    if (chunks_.empty()) return;
    if (chunks_.size() > 1) chunks_.resize(1);
    next_ = chunks_[0].get();
    left_ = first_bytes_;
    chunk_bytes_ = kFirstChunkBytes;
  }

 private:
  static constexpr size_t kFirstChunkBytes = 4096;
  static constexpr size_t kMaxChunkBytes = size_t{1} << 20;

  void Grow(size_t bytes) {
    const size_t size = std::max(bytes, chunk_bytes_);
    if (chunks_.empty() && size > kFirstChunkBytes) {
      // What stays is small, whatever comes first.
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(kFirstChunkBytes));
      first_bytes_ = kFirstChunkBytes;
    }
    if (chunks_.empty()) first_bytes_ = size;
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(size));
    next_ = chunks_.back().get();
    left_ = size;
    chunk_bytes_ = std::min(2 * chunk_bytes_, kMaxChunkBytes);
  }

  std::vector<std::unique_ptr<char[]>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t first_bytes_ = 0;
  size_t chunk_bytes_ = kFirstChunkBytes;
};

}  // namespace varve

#endif  // VARVE_ENGINE_TRANSACTION_ARENA_H_
