#include "net/output_buffer.h"

#include <algorithm>
#include <utility>

namespace varve::net {

namespace {
// A block with so much is full, whatever room it has.
constexpr size_t kBlockBytes = 64 * 1024;
constexpr size_t kMaxPooledBytes = 32 * 1024;
constexpr size_t kMaxPooledBlocks = 64;
}  // namespace

std::string OutputPool::Take() {
  if (blocks_.empty()) return {};
  std::string block = std::move(blocks_.back());
  blocks_.pop_back();
  return block;
}

void OutputPool::Give(std::string block) {
  if (block.capacity() > kMaxPooledBytes || blocks_.size() >= kMaxPooledBlocks) return;
  block.clear();
  blocks_.push_back(std::move(block));
}

std::string* OutputBuffer::tail() {
  if (blocks_.empty()) {
    tail_begin_ = begin_;
    blocks_.push_back(pool_->Take());
  } else if (blocks_.back().size() >= kBlockBytes) {
    tail_begin_ += blocks_.back().size();
    full_capacity_ += blocks_.back().capacity();
    blocks_.emplace_back();
  }
  return &blocks_.back();
}

int OutputBuffer::Pieces(uint64_t end, iovec* pieces, int max_pieces) const {
  uint64_t left = end - begin_;
  size_t skipped = first_used_;
  int count = 0;
  for (size_t i = first_; i < blocks_.size() && left > 0 && count < max_pieces; ++i, skipped = 0) {
    const std::string& block = blocks_[i];
    const size_t size = static_cast<size_t>(std::min<uint64_t>(left, block.size() - skipped));
    pieces[count++] = {const_cast<char*>(block.data()) + skipped, size};
    left -= size;
  }
  return count;
}

void OutputBuffer::Consume(size_t size) {
  begin_ += size;
  if (begin_ == end()) return Clear();
  first_used_ += size;
  while (first_used_ >= blocks_[first_].size()) {
    first_used_ -= blocks_[first_].size();
    full_capacity_ -= blocks_[first_].capacity();
    pool_->Give(std::exchange(blocks_[first_], {}));
    ++first_;
  }
  // So that a queue that never ends does not grow for ever: each is moved once for each that is gone.
  if (first_ > blocks_.size() / 2) {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<ptrdiff_t>(first_));
    first_ = 0;
  }
}

void OutputBuffer::Clear() {
  for (size_t i = first_; i < blocks_.size(); ++i) pool_->Give(std::move(blocks_[i]));
  blocks_.clear();
  if (blocks_.capacity() > 64) std::vector<std::string>().swap(blocks_);
  first_ = first_used_ = full_capacity_ = 0;
}

}  // namespace varve::net
