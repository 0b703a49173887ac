// InternalIterator: a cursor over entries in internal order (key ascending, sequence descending). What
// memtables, runs and merges look like to whoever reads them.
#ifndef VARVE_ENGINE_INTERNAL_ITERATOR_H_
#define VARVE_ENGINE_INTERNAL_ITERATOR_H_

#include <string_view>

#include "format/internal_key.h"
#include "varve/status.h"

namespace varve {

// Thread-compatible. entry() lives until the iterator moves. What its views show stays readable for one
// movement longer, also across blocks, so that two neighbours can be compared without a copy.
class InternalIterator {
 public:
  virtual ~InternalIterator() = default;
  InternalIterator() = default;
  InternalIterator(const InternalIterator&) = delete;
  InternalIterator& operator=(const InternalIterator&) = delete;

  // False past either end and after an error.
  bool Valid() const { return valid_; }
  // REQUIRES: Valid().
  const Entry& entry() const { return entry_; }

  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  // To the first entry >= (key, sequence) in internal order.
  virtual void Seek(std::string_view key, SequenceNumber sequence) = 0;
  // To the last entry <= (key, sequence) in internal order.
  virtual void SeekForPrev(std::string_view key, SequenceNumber sequence) = 0;
  // REQUIRES: Valid().
  virtual void Next() = 0;
  virtual void Prev() = 0;

  virtual Status status() const = 0;

 protected:
  // Kept up to date by the implementations, so that the hot calls of a merge are not virtual.
  bool valid_ = false;
  Entry entry_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_INTERNAL_ITERATOR_H_
