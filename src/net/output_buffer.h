// OutputBuffer: bytes on their way to a socket, in blocks, so that what one who does not read has waiting grows without
// being copied, and what has been sent is let go piece by piece.
#ifndef VARVE_NET_OUTPUT_BUFFER_H_
#define VARVE_NET_OUTPUT_BUFFER_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace varve::net {

// Blocks that were used, for the next that has something to say: most connections need one from a request to its reply.
// Holds 2 MiB at most. Thread-compatible.
class OutputPool {
 public:
  // Empty, and most often with room.
  std::string Take();
  void Give(std::string block);

 private:
  std::vector<std::string> blocks_;
};

// Positions count all bytes that were ever appended. Thread-compatible.
class OutputBuffer {
 public:
  // Borrows it.
  explicit OutputBuffer(OutputPool* pool) : pool_(pool) {}
  ~OutputBuffer() { Clear(); }
  OutputBuffer(const OutputBuffer&) = delete;
  OutputBuffer& operator=(const OutputBuffer&) = delete;

  // Where the next bytes go: may be appended to until another method is called.
  std::string* tail();
  void Append(std::string_view bytes) { tail()->append(bytes); }

  uint64_t begin() const { return begin_; }
  uint64_t end() const { return blocks_.empty() ? begin_ : tail_begin_ + blocks_.back().size(); }
  size_t size() const { return static_cast<size_t>(end() - begin()); }
  // Bytes of memory.
  size_t capacity() const { return blocks_.empty() ? 0 : full_capacity_ + blocks_.back().capacity(); }

  // The bytes from begin() up to `end`, or the first of them. Returns how many pieces there are.
  // REQUIRES: end <= this->end().
  int Pieces(uint64_t end, iovec* pieces, int max_pieces) const;
  // The first `size` are not needed any more.
  void Consume(size_t size);
  // Holds nothing while it is empty.
  void ReleaseRoom() {
    if (size() == 0) Clear();
  }

 private:
  void Clear();

  OutputPool* const pool_;
  std::vector<std::string> blocks_;  // from first_
  size_t first_ = 0;
  size_t first_used_ = 0;     // bytes of that one that are gone
  uint64_t begin_ = 0;
  uint64_t tail_begin_ = 0;   // position of the last block
  size_t full_capacity_ = 0;  // of all but the last
};

}  // namespace varve::net

#endif  // VARVE_NET_OUTPUT_BUFFER_H_
