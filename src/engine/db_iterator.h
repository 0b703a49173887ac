// DbIterator: what a user's iterator does with the entries of all layers: shows the newest version of
// each key that is not newer than its sequence number, and hides deleted and expired keys.
#ifndef VARVE_ENGINE_DB_ITERATOR_H_
#define VARVE_ENGINE_DB_ITERATOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/internal_iterator.h"
#include "engine/operation_times.h"
#include "engine/range_tombstones.h"
#include "engine/store_clock.h"
#include "format/stored_key.h"
#include "varve/iterator.h"
#include "varve/options.h"
#include "varve/pinned_value.h"

namespace varve {

// What an iterator stands on; kept alive by `pin`.
struct DbIteratorParts {
  std::shared_ptr<void> pin;  // first, so that it goes last
  std::unique_ptr<InternalIterator> source;
  SequenceNumber sequence = 0;
  const RangeTombstoneSet* tombstones = nullptr;  // never null
  StoreClock* clock = nullptr;                  // never null
  OperationTimes* times = nullptr;              // null: nobody counts
  Keyspace keyspace;                            // the namespace shown
  // Stored keys. Unset: no further than the default namespace, to which the iterator then belongs.
  std::optional<std::string> lower_bound;       // inclusive
  std::optional<std::string> upper_bound;       // exclusive
  // Reads a separated value.
  std::function<Result<PinnedValue>(const Entry&)> read_value;
};

// Moving forwards, the source stands on the entry shown. Moving backwards, it stands before all entries
// of the key shown, which is kept in saved_ (the newest visible version of a key comes last then).
class DbIterator : public Iterator {
 public:
  explicit DbIterator(DbIteratorParts parts) : parts_(std::move(parts)) {}
  ~DbIterator() override { TellScans(); }

  bool Valid() const override { return valid_; }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;
  std::string_view key() const override {
    return parts_.keyspace.ToUser(stored_key(), &user_key_);
  }
  std::string_view value() override;
  uint64_t expire_at_millis() const override;
  Status status() const override {
    return error_.ok() ? parts_.source->status() : error_;
  }

  // The same by stored keys.
  void SeekStored(std::string_view target);
  void SeekForPrevStored(std::string_view target);
  std::string_view stored_key() const {
    return direction_ == Direction::kForward ? parts_.source->entry().key
                                             : std::string_view(saved_key_);
  }

 private:
  // Times a positioning and counts it.
  class Positioning;
  enum class Direction { kForward, kReverse };
  static constexpr uint32_t kHiddenPerLeap = 8;

  bool IsVisible(const Entry& entry) const { return entry.sequence <= parts_.sequence; }
  const Entry& Current() const {
    return direction_ == Direction::kForward ? parts_.source->entry() : saved_;
  }
  // False when `entry` is a deletion or has expired.
  bool IsAlive(const Entry& entry) {
    return IsLive(entry.kind, entry.value, [this] { return parts_.clock->Now(); });
  }
  // True when a range delete hides `entry`.
  bool IsHidden(const Entry& entry);
  // Whether the rest of stretch_ is worth a leap; its cost is that of some steps.
  bool LeapIsDue() { return ++hidden_count_ % kHiddenPerLeap == 0; }
  bool IsAtOrAfterUpper(std::string_view key) const {
    return parts_.upper_bound.has_value() ? key >= *parts_.upper_bound
                                          : IsBeyondDefaultNamespace(key);
  }
  bool IsBeforeLower(std::string_view key) const {
    return parts_.lower_bound.has_value() && key < *parts_.lower_bound;
  }
  // From the source's position on, shows the first key that is to be seen; entries whose key equals
  // skip_key_ are passed over when `skipping`.
  void FindNext(bool skipping);
  bool StandsOnNextKey(std::string_view left) const;
  void FindPrev();
  void SaveCurrent(const Entry& entry);
  void TellScans();
  void ReleaseValue() { value_.Reset(); value_is_loaded_ = false; }

  // Scans that parts_.times has not heard of: it hears of every 64th, and at the end.
  static constexpr uint32_t kScansPerTelling = 64;

  DbIteratorParts parts_;
  uint32_t untold_scans_ = 0;
  bool valid_ = false;
  Direction direction_ = Direction::kForward;
  mutable std::string user_key_;  // what key() shows, where it is no part of the stored key
  std::string target_;            // the stored key of what is sought
  std::string skip_key_;
  std::string saved_key_;
  std::string saved_value_;
  Entry saved_;
  RangeTombstoneSet::Stretch stretch_;  // the last one looked at
  bool has_stretch_ = false;
  uint32_t hidden_count_ = 0;  // entries met in stretch_ that it hides
  PinnedValue value_;
  bool value_is_loaded_ = false;
  Status error_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_DB_ITERATOR_H_
