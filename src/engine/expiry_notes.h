// ExpiryNotes: what writers leave behind for the thread that tells of expiries.
#ifndef VARVE_ENGINE_EXPIRY_NOTES_H_
#define VARVE_ENGINE_EXPIRY_NOTES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/planted_bug.h"
#include "engine/memtable_tree.h"
#include "format/expiry.h"

namespace varve {

// To be used under the commit lock. Off at first.
class ExpiryNotes {
 public:
  // Entries of one memtable. Its records live while it does.
  struct OfMemTable {
    uint64_t log_number = 0;  // of the memtable; never used again for another one
    std::vector<const MemTableRecord*> records;
  };
  // An entry whose deadline had been passed over before it was added: its writer was slow. Nobody keeps
  // it, so this is a copy.
  struct Late {
    std::string key;
    SequenceNumber sequence = 0;
    uint64_t deadline = 0;
  };
  struct Taken {
    std::vector<OfMemTable> memtables;
    std::vector<Late> late;
    // Set: changes with numbers up to `unnoted_until` were not noted. They are to be looked for in the
    // memtables.
    bool has_unnoted = false;
    SequenceNumber unnoted_until = 0;
  };

  // Keeps up to `capacity` notes, at 8 bytes; when they are not taken in time, the memtables must be
  // searched.
  explicit ExpiryNotes(size_t capacity) : capacity_(capacity) {}

  bool is_on() const { return is_on_; }

  // From the next change on. `last` is the last one before, `now` the store's time: what expires up to
  // then does not matter.
  void TurnOn(SequenceNumber last, uint64_t now) {
    TurnOff();
    is_on_ = true;
    passed_ = now;
    taken_.has_unnoted = true;
    taken_.unnoted_until = last;
  }
  void TurnOff() {
    is_on_ = false;
    taken_ = Taken();
    count_ = 0;
  }

  // An expiring entry was added to the memtable of `log_number`. REQUIRES: is_on().
  void Add(uint64_t log_number, const MemTableRecord* record) {
    const uint64_t deadline = DeadlineOf(record->value());
    if (deadline <= passed_) {
      if (VARVE_PLANTED_BUG("expiry.late_puts_unheard")) return;
      taken_.late.push_back({std::string(record->key()), record->sequence(), deadline});
      return;
    }
    if (count_ >= capacity_) {
      taken_.memtables.clear();
      count_ = 0;
      taken_.has_unnoted = !VARVE_PLANTED_BUG("expiry.lost_notes_not_searched_for");
      taken_.unnoted_until = record->sequence();
      return;
    }
    if (taken_.memtables.empty() || taken_.memtables.back().log_number != log_number) {
      taken_.memtables.push_back({log_number, {}});
    }
    taken_.memtables.back().records.push_back(record);
    ++count_;
  }

  // All since the last time. What is added from here on and expires up to `now` will be late.
  Taken Take(uint64_t now) {
    passed_ = now;
    count_ = 0;
    return std::exchange(taken_, Taken());
  }

 private:
  const size_t capacity_;
  bool is_on_ = false;
  uint64_t passed_ = 0;  // deadlines up to here have been passed over
  Taken taken_;
  size_t count_ = 0;  // of records in taken_
};

}  // namespace varve

#endif  // VARVE_ENGINE_EXPIRY_NOTES_H_
