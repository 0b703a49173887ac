// RecentChanges: what the last commits have changed, change by change, so that a transaction can be
// checked against them without looking its keys up again.
#ifndef VARVE_ENGINE_RECENT_CHANGES_H_
#define VARVE_ENGINE_RECENT_CHANGES_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "engine/memtable_tree.h"
#include "format/internal_key.h"

namespace varve {

// A ring, found by sequence number: holds the newest kCapacity changes. 256 KiB, of which untouched
// parts take no memory. To be used under the commit lock.
class RecentChanges {
 public:
  static constexpr size_t kCapacity = size_t{1} << 14;

  struct Change {
    uint64_t hash;                 // PointIndexHash of the key
    const MemTableRecord* record;  // lives as long as its memtable; nullptr: a range delete
  };

  RecentChanges() : ring_(std::make_unique_for_overwrite<Change[]>(kCapacity)) {}

  void Add(SequenceNumber sequence, uint64_t hash, const MemTableRecord* record) {
    ring_[sequence % kCapacity] = {hash, record};
  }
  // REQUIRES: one of the newest kCapacity changes since the store was opened.
  const Change& operator[](SequenceNumber sequence) const { return ring_[sequence % kCapacity]; }

 private:
  const std::unique_ptr<Change[]> ring_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_RECENT_CHANGES_H_
