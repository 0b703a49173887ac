// ExpiryPlaces: where in a segment the newest versions of keys are that expire, in the order of their
// deadlines. In memory only.
#ifndef VARVE_FORMAT_EXPIRY_PLACES_H_
#define VARVE_FORMAT_EXPIRY_PLACES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace varve {

// Eight bytes an entry: 40 bits of deadline, counted from some weeks before the list was begun, 16 of block
// number, 8 of slot. Deadlines more than 34 years ahead count as 34 years ahead: an entry found here must
// be asked for its own. Filled by one thread and sorted, then immutable.
class ExpiryPlaces {
 public:
  // `now`: the store's time, in milliseconds since 1970.
  explicit ExpiryPlaces(uint64_t now) : base_(now - std::min(now, kWeeksBefore)) {}

  // REQUIRES: block < 65,536, 0 <= slot < 256.
  void Add(uint64_t deadline, uint64_t block, int slot) {
    words_.push_back(Word(deadline) | block << 8 | static_cast<uint64_t>(slot));
  }
  void Sort() {
    std::sort(words_.begin(), words_.end());
    words_.shrink_to_fit();
  }

  size_t size() const { return words_.size(); }
  bool empty() const { return words_.empty(); }
  size_t memory_bytes() const { return sizeof(*this) + words_.capacity() * sizeof(uint64_t); }
  // The first with a deadline after `time`. O(log size). REQUIRES: sorted.
  size_t FirstAfter(uint64_t time) const {
    // Farther than words tell: all may be due, and say so themselves.
    if (time - std::min(time, base_) >= kMost - 1) return words_.size();
    const auto it = std::lower_bound(words_.begin(), words_.end(), Word(time + 1));
    return static_cast<size_t>(it - words_.begin());
  }
  size_t block(size_t i) const { return static_cast<size_t>(words_[i] >> 8 & 0xffff); }
  int slot(size_t i) const { return static_cast<int>(words_[i] & 0xff); }

 private:
  static constexpr uint64_t kWeeksBefore = uint64_t{1} << 32;  // 49 days
  static constexpr uint64_t kMost = (uint64_t{1} << 40) - 1;

  uint64_t Word(uint64_t time) const {
    return std::min(kMost, time - std::min(time, base_)) << 24;
  }

  uint64_t base_;
  std::vector<uint64_t> words_;
};

// On its way from who writes a segment to who needs the places. Thread-safe.
class ExpiryPlacesBox {
 public:
  explicit ExpiryPlacesBox(std::unique_ptr<const ExpiryPlaces> places) : places_(places.release()) {}
  ~ExpiryPlacesBox() { Take(); }
  ExpiryPlacesBox(const ExpiryPlacesBox&) = delete;
  ExpiryPlacesBox& operator=(const ExpiryPlacesBox&) = delete;

  // nullptr from the second time on.
  std::unique_ptr<const ExpiryPlaces> Take() {
    // Acquire/release: what is taken is complete.
    return std::unique_ptr<const ExpiryPlaces>(places_.exchange(nullptr, std::memory_order_acq_rel));
  }

 private:
  std::atomic<const ExpiryPlaces*> places_;
};

}  // namespace varve

#endif  // VARVE_FORMAT_EXPIRY_PLACES_H_
