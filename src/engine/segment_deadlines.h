// SegmentDeadlines: the entries of one segment that expire, in the order of their deadlines, with the keys
// of those that are near.
//
// A place takes eight bytes (format/expiry_places.h), the key lies in the file. Reading keys one by one as
// they come due is a random read each; many are due in every block sooner or later, so keys are read some
// seconds ahead, in the order of the blocks, many for each read.
#ifndef VARVE_ENGINE_SEGMENT_DEADLINES_H_
#define VARVE_ENGINE_SEGMENT_DEADLINES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/expiry_places.h"
#include "format/internal_key.h"

namespace varve {

class SegmentReader;

// Reads all of a segment for its places, unless `stop` turns true. nullptr when it was not read whole.
// `now`: as for ExpiryPlaces.
std::unique_ptr<const ExpiryPlaces> ScanDeadlines(SegmentReader* segment, uint64_t now,
                                                  const std::atomic<bool>& stop);

// Thread-compatible.
class SegmentDeadlines {
 public:
  // What the entry at a place says.
  struct Due {
    std::string_view key;
    SequenceNumber sequence = 0;
    uint64_t deadline = 0;
  };
  // What a loaded key takes beside its bytes.
  static constexpr size_t kLoadedBytes = 24;

  SegmentDeadlines() : SegmentDeadlines(std::make_unique<ExpiryPlaces>(0)) {}
  explicit SegmentDeadlines(std::unique_ptr<const ExpiryPlaces> places) : places_(std::move(places)) {}

  const ExpiryPlaces& places() const { return *places_; }
  // Keys of places before this have been loaded, or passed over.
  size_t loaded_end() const { return loaded_end_; }

  // Loading the keys of [max(begin, loaded_end()), end), as far as they take up to `max_bytes`; the rest, and
  // what cannot be read, is passed over. A step makes up to `reads` reads, of 64 blocks at most; the last
  // one moves loaded_end(). REQUIRES of BeginLoad: !is_loading().
  void BeginLoad(size_t begin, size_t end, size_t max_bytes);
  bool is_loading() const { return next_wanted_ < wanted_.size(); }
  void LoadStep(SegmentReader* segment, size_t reads);
  // Frees loaded keys all of whose places come before `begin`.
  void ForgetBefore(size_t begin);

  // The entry at place `i`, from memory or from the file; its key may lie in `*buffer`, and lives until the
  // next call. False when it cannot be read.
  bool Read(SegmentReader* segment, size_t i, std::string* buffer, Due* due) const;

  size_t memory_bytes() const {
    return places_->memory_bytes() + loaded_bytes() + wanted_.capacity() * sizeof(Wanted);
  }
  // Of loaded keys.
  size_t loaded_bytes() const { return loaded_bytes_ + loading_.memory_bytes(); }

 private:
  struct Loaded {
    uint32_t offset = 0;  // of the key in Window::keys
    uint32_t key_bytes = 0;
    SequenceNumber sequence = 0;  // 0: not loaded
    uint64_t deadline = 0;
  };
  static_assert(sizeof(Loaded) == kLoadedBytes);
  // Places [begin, begin + entries.size()).
  struct Window {
    size_t begin = 0;
    std::vector<Loaded> entries;
    std::string keys;

    size_t end() const { return begin + entries.size(); }
    size_t memory_bytes() const { return entries.capacity() * kLoadedBytes + keys.capacity(); }
  };
  // A place that is wanted, by where it lies.
  struct Wanted {
    uint32_t block_and_slot;
    uint32_t index;  // in Window::entries
    size_t block() const { return block_and_slot >> 8; }
    int slot() const { return static_cast<int>(block_and_slot & 0xff); }
  };

  // Loads what lies in [first, last) of `wanted`, neighbours in the file.
  void LoadGroup(SegmentReader* segment, const Wanted* first, const Wanted* last);
  void LoadFrom(std::string_view raw, const Wanted* first, const Wanted* last);

  std::unique_ptr<const ExpiryPlaces> places_;
  std::deque<Window> windows_;  // one after the other
  size_t loaded_end_ = 0;
  size_t loaded_bytes_ = 0;

  // What is being loaded.
  Window loading_;
  std::vector<Wanted> wanted_;  // by place in the file
  size_t next_wanted_ = 0;
  size_t max_key_bytes_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_SEGMENT_DEADLINES_H_
