#include "env/crash_bytes.h"

#include <algorithm>
#include <cstring>

namespace varve::crash {
namespace {

const char kZeroPage[kPageBytes] = {};

}  // namespace

PageRef::~PageRef() {
  // Release: our reads come before the next owner's writes. Acquire: so do everybody else's.
  if (page_ != nullptr && page_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete page_;
  }
}

const char* PageRef::bytes() const { return page_ == nullptr ? kZeroPage : page_->bytes; }

char* PageRef::Mutable() {
  // Acquire pairs with the release of the owner who left last, possibly under another lock.
  if (page_ != nullptr && page_->references.load(std::memory_order_acquire) == 1) {
    return page_->bytes;
  }
  PageRef own;
  own.page_ = new Page();
  std::memcpy(own.page_->bytes, bytes(), kPageBytes);
  std::swap(page_, own.page_);
  return page_->bytes;
}

const PageRef& SparseBytes::page(uint64_t index) const {
  static const PageRef null_page;
  return index < pages_.size() ? pages_[index] : null_page;
}

size_t SparseBytes::Read(uint64_t offset, size_t size, char* buffer) const {
  if (offset >= size_) return 0;
  size = static_cast<size_t>(std::min<uint64_t>(size, size_ - offset));
  for (size_t done = 0; done < size;) {
    const uint64_t at = offset + done;
    const size_t in_page = static_cast<size_t>(at % kPageBytes);
    const size_t n = std::min<size_t>(size - done, kPageBytes - in_page);
    std::memcpy(buffer + done, page(at / kPageBytes).bytes() + in_page, n);
    done += n;
  }
  return size;
}

void SparseBytes::Write(uint64_t offset, std::string_view data) {
  size_ = std::max<uint64_t>(size_, offset + data.size());
  while (!data.empty()) {
    const size_t in_page = static_cast<size_t>(offset % kPageBytes);
    const size_t n = std::min<size_t>(data.size(), kPageBytes - in_page);
    std::memcpy(MutablePage(offset / kPageBytes) + in_page, data.data(), n);
    data.remove_prefix(n);
    offset += n;
  }
}

void SparseBytes::Resize(uint64_t size) {
  if (size < size_) {
    const uint64_t kept_pages = (size + kPageBytes - 1) / kPageBytes;
    if (kept_pages < pages_.size()) pages_.resize(kept_pages);
    const uint64_t in_page = size % kPageBytes;
    if (in_page != 0 && !page(size / kPageBytes).is_null()) {
      std::memset(MutablePage(size / kPageBytes) + in_page, 0, kPageBytes - in_page);
    }
  }
  size_ = size;
}

}  // namespace varve::crash
