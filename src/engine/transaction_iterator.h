// TransactionIterator: an iterator over the store as a transaction sees it: the state that it reads, and
// its own writes over that. Notes which range it has shown, for the check at the commit.
#ifndef VARVE_ENGINE_TRANSACTION_ITERATOR_H_
#define VARVE_ENGINE_TRANSACTION_ITERATOR_H_

#include <memory>
#include <string>
#include <vector>

#include "engine/db_iterator.h"
#include "engine/transaction_read_set.h"
#include "engine/transaction_write_set.h"
#include "format/stored_key.h"
#include "varve/iterator.h"

namespace varve {

class TransactionIterator;

// What a transaction shares with its iterators.
struct TransactionView {
  const WriteSet* writes = nullptr;
  ReadSet* reads = nullptr;  // nullptr: what is read need not be remembered
  bool is_active = false;    // the transaction has not ended
  std::vector<TransactionIterator*> iterators;  // those that live
};

// Between the moves the two sources stand like this. Going forward: base_ on the first key of the store
// at or after the one shown that the writes do not hide, own_ on the first key of the writes at or after
// it. Backwards: the same with last and before. A write in between moves both anew. Except for what the
// user sees and says, keys are stored keys.
class TransactionIterator : public Iterator {
 public:
  // Shows the keys of `bounds`, which `base` has too, and which lie in `keyspace`. `view` must outlive
  // the iterator.
  TransactionIterator(TransactionView* view, std::unique_ptr<DbIterator> base,
                      const Keyspace& keyspace, StoredRange bounds);
  ~TransactionIterator() override;

  bool Valid() const override { return shown_ != Shown::kNothing; }
  void SeekToFirst() override;
  void SeekToLast() override;
  void Seek(std::string_view target) override;
  void SeekForPrev(std::string_view target) override;
  void Next() override;
  void Prev() override;
  std::string_view key() const override { return keyspace_.ToUser(stored_key(), &user_key_); }
  std::string_view value() override;
  uint64_t expire_at_millis() const override {
    return shown_ == Shown::kOwn ? own_deadline_ : base_->expire_at_millis();
  }
  Status status() const override { return error_.ok() ? base_->status() : error_; }

  // Adds what has been shown since the last Seek to the read set, and starts afresh from here.
  void NoteRange();

 private:
  enum class Shown { kNothing, kBase, kOwn };
  enum class Direction { kForward, kReverse };

  std::string_view stored_key() const {
    return shown_ == Shown::kOwn ? own_->key : base_->stored_key();
  }
  void SeekStored(std::string_view target);
  // Begins a range that has shown nothing yet, at `at`.
  void BeginRange(std::string at);
  // False, with an error, when the transaction has ended.
  bool Begin();
  // Stand on the first key at or after `from`, or the last at or before (or before) it, whatever has
  // been written.
  void StandForward(std::string_view from);
  void StandReverse(std::string_view from, bool or_at);
  // From where the sources stand to the next key that is to be shown.
  void SettleForward();
  void SettleReverse();
  // Widens the range by what has been shown up to the present position.
  void WidenRange();

  TransactionView* const view_;
  const std::unique_ptr<DbIterator> base_;
  const Keyspace keyspace_;
  const std::string lower_;
  const std::string upper_;
  Shown shown_ = Shown::kNothing;
  Direction direction_ = Direction::kForward;
  const WriteSet::Node* own_ = nullptr;  // within the bounds
  // Of own_ when it was shown; it may be taken back since.
  std::string_view own_value_;
  uint64_t own_deadline_ = 0;
  uint64_t revision_ = 0;                // of the writes, when the sources were placed
  Status error_;
  std::string target_;            // the stored key of what is sought
  mutable std::string user_key_;  // what key() shows, where it is no part of the stored key

  bool has_range_ = false;
  std::string range_begin_;
  std::string range_end_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_TRANSACTION_ITERATOR_H_
