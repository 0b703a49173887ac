// The bytes of a simulated file: pages that copies share until one of them writes.
#ifndef VARVE_ENV_CRASH_BYTES_H_
#define VARVE_ENV_CRASH_BYTES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace varve::crash {

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kSectorBytes = 512;

// A counted reference to a page of kPageBytes; null stands for zeros. Copies may live under
// different locks: the count is atomic, and a page is written only by its sole owner.
class PageRef {
 public:
  PageRef() = default;
  PageRef(const PageRef& other) : page_(other.page_) {
    if (page_ != nullptr) page_->references.fetch_add(1, std::memory_order_relaxed);
  }
  PageRef(PageRef&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  PageRef& operator=(PageRef other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  ~PageRef();

  const char* bytes() const;
  // The bytes, made this reference's own.
  char* Mutable();
  bool is_null() const { return page_ == nullptr; }
  bool Shares(const PageRef& other) const { return page_ == other.page_; }

 private:
  struct Page {
    std::atomic<uint32_t> references{1};
    char bytes[kPageBytes];
  };
  Page* page_ = nullptr;
};

// A sequence of bytes with holes, which read as zeros and cost nothing. Copying costs one reference
// a page. Thread-compatible.
class SparseBytes {
 public:
  uint64_t size() const { return size_; }
  // Reads what there is of [offset, offset+size) and returns how much.
  size_t Read(uint64_t offset, size_t size, char* buffer) const;
  // Extends when the data ends behind the end.
  void Write(uint64_t offset, std::string_view data);
  // Cuts, or extends with zeros.
  void Resize(uint64_t size);

  // Pages from here on are holes.
  uint64_t page_end() const { return pages_.size(); }
  const PageRef& page(uint64_t index) const;
  // The bytes of page `index`, to be written. Does not change the size.
  char* MutablePage(uint64_t index) { return Slot(index).Mutable(); }
  void SetPage(uint64_t index, PageRef page) { Slot(index) = std::move(page); }

 private:
  PageRef& Slot(uint64_t index) {
    if (index >= pages_.size()) pages_.resize(index + 1);
    return pages_[index];
  }

  uint64_t size_ = 0;
  std::vector<PageRef> pages_;  // bytes at and after size_ are zeros
};

}  // namespace varve::crash

#endif  // VARVE_ENV_CRASH_BYTES_H_
