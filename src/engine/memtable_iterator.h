// MemTableIterator: a memtable's cursor as an InternalIterator.
#ifndef VARVE_ENGINE_MEMTABLE_ITERATOR_H_
#define VARVE_ENGINE_MEMTABLE_ITERATOR_H_

#include "engine/internal_iterator.h"
#include "engine/memtable.h"

namespace varve {

// Borrows the memtable.
class MemTableIterator : public InternalIterator {
 public:
  explicit MemTableIterator(const MemTable* memtable) : cursor_(memtable) {}

  void SeekToFirst() override { cursor_.SeekToFirst(), Publish(); }
  void SeekToLast() override { cursor_.SeekToLast(), Publish(); }
  void Seek(std::string_view key, SequenceNumber sequence) override {
    cursor_.Seek(key, sequence), Publish();
  }
  void SeekForPrev(std::string_view key, SequenceNumber sequence) override {
    cursor_.SeekForPrev(key, sequence), Publish();
  }
  void Next() override { cursor_.Next(), Publish(); }
  void Prev() override { cursor_.Prev(), Publish(); }
  Status status() const override { return Status::Ok(); }

 private:
  void Publish() {
    valid_ = cursor_.Valid();
    if (valid_) entry_ = cursor_.entry();
  }
  MemTable::Cursor cursor_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_MEMTABLE_ITERATOR_H_
