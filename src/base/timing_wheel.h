// TimingWheel: pending deadlines, given back as they come due. A hierarchical timing wheel (Varghese and
// Lauck, 1987) of six levels of 256 slots; times are numbers of 48 bits that only grow.
//
//   level 0   the slots are single milliseconds of the current 256
//   level 1   ... stretches of 256 of the current 65,536
//   level n   a deadline lies in the level of the highest byte in which it differs from the present, in
//             the slot of that byte
//
// Time leaps from one used slot to the next, so that a long pause costs nothing. A deadline that is reached
// in a higher level moves down; five times at most, and once or twice when it is minutes away.
#ifndef VARVE_BASE_TIMING_WHEEL_H_
#define VARVE_BASE_TIMING_WHEEL_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace varve {

// T: trivially copyable, best of 8 bytes: a pending deadline then takes 16, and what its slot has left
// over of a chunk of 64. Thread-compatible.
template <typename T>
class TimingWheel {
 public:
  // The present is `now`.
  explicit TimingWheel(uint64_t now) : now_(std::min(now, kLast)) {}

  size_t size() const { return size_; }
  // Memory in use, in bytes.
  size_t memory_bytes() const { return sizeof(*this) + chunks_.size() * sizeof(Chunk); }

  // One that is past already is due at the next Advance. Later ones than 48 bits say are due then.
  void Add(uint64_t deadline, const T& item) {
    deadline = std::clamp(deadline, now_, kLast);
    Place({deadline, item});
    ++size_;
  }

  // Moves the present to `now`, and calls due(deadline, item) for everything with a deadline up to there,
  // in the order of the deadlines; of one that was past when it was added, the deadline is the present of
  // then. `due` may add. A `now` before the present counts as the present.
  template <typename Due>
  void Advance(uint64_t now, Due&& due) {
    now = std::clamp(now, now_, kLast);
    while (true) {
      const int level = std::countr_zero(used_levels_);
      if (level >= kLevels) break;
      const size_t slot = FirstSlot(level);
      const int shift = 8 * level;
      const uint64_t begin = (now_ >> shift >> 8 << 8 | slot) << shift;
      if (begin > now) break;
      now_ = std::max(now_, begin);
      Empty(static_cast<size_t>(level), slot, [&](const Item& item) {
        if (item.deadline > now_) return Place(item);
        --size_;
        due(item.deadline, item.item);
      });
    }
    now_ = now;
  }

 private:
  static constexpr int kLevels = 6;
  static constexpr size_t kSlots = 256;
  static constexpr uint64_t kLast = (uint64_t{1} << 48) - 1;
  static constexpr uint32_t kNone = ~uint32_t{0};

  struct Item {
    uint64_t deadline;
    T item;
  };
  struct Chunk {
    static constexpr uint32_t kItems = 64;
    uint32_t count = 0;
    uint32_t next = kNone;  // index of another chunk
    std::array<Item, kItems> items;
  };

  void Place(const Item& item) {
    const uint64_t difference = item.deadline ^ now_;
    const size_t level =
        difference == 0 ? 0 : (static_cast<size_t>(std::bit_width(difference)) - 1) / 8;
    const size_t slot = item.deadline >> (8 * level) & 255;
    uint32_t& head = heads_[level][slot];
    if (used_[level][slot / 64] >> (slot % 64) & 1) {
      if (chunks_[head]->count == Chunk::kItems) head = NewChunk(head);
    } else {
      head = NewChunk(kNone);
      used_[level][slot / 64] |= uint64_t{1} << (slot % 64);
      used_levels_ |= 1u << level;
    }
    Chunk& chunk = *chunks_[head];
    chunk.items[chunk.count++] = item;
  }

  uint32_t NewChunk(uint32_t next) {
    uint32_t index = free_;
    if (index == kNone) {
      index = static_cast<uint32_t>(chunks_.size());
      chunks_.push_back(std::make_unique<Chunk>());
    } else {
      free_ = chunks_[index]->next;
    }
    chunks_[index]->count = 0;
    chunks_[index]->next = next;
    return index;
  }

  // REQUIRES: the level is used.
  size_t FirstSlot(int level) const {
    const auto& words = used_[static_cast<size_t>(level)];
    size_t word = 0;
    while (words[word] == 0) ++word;
    return word * 64 + static_cast<size_t>(std::countr_zero(words[word]));
  }

  // Takes the slot's items out, then calls take(item) for each.
  template <typename Take>
  void Empty(size_t level, size_t slot, Take&& take) {
    auto& words = used_[level];
    words[slot / 64] &= ~(uint64_t{1} << (slot % 64));
    if ((words[0] | words[1] | words[2] | words[3]) == 0) used_levels_ &= ~(1u << level);
    for (uint32_t index = heads_[level][slot]; index != kNone;) {
      Chunk& chunk = *chunks_[index];  // does not move when others are added
      for (uint32_t i = 0; i < chunk.count; ++i) take(chunk.items[i]);
      const uint32_t next = chunk.next;
      chunk.next = std::exchange(free_, index);
      index = next;
    }
  }

  uint64_t now_;
  size_t size_ = 0;
  uint32_t used_levels_ = 0;  // bit by level
  std::array<std::array<uint64_t, kSlots / 64>, kLevels> used_{};  // bit by slot
  std::array<std::array<uint32_t, kSlots>, kLevels> heads_;        // of used slots only
  std::vector<std::unique_ptr<Chunk>> chunks_;
  uint32_t free_ = kNone;
};

}  // namespace varve

#endif  // VARVE_BASE_TIMING_WHEEL_H_
