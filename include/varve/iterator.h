// Iterator: ordered access to one consistent state of a store.
#ifndef VARVE_ITERATOR_H_
#define VARVE_ITERATOR_H_

#include <cstdint>
#include <string_view>

#include "varve/status.h"

namespace varve {

// Walks keys in byte order, forwards and backwards, within the bounds it was made with. It sees the
// state at its creation (or its snapshot), whatever is written meanwhile; only what expires goes. Starts invalid: position it
// with a Seek first. Thread-compatible: one thread at a time. Must be destroyed before its Db.
//
//   auto it = db->NewIterator({.prefix = "pat"});
//   for (it->SeekToFirst(); it->Valid(); it->Next()) use(it->key(), it->value());
//   if (!it->status().ok()) ...   // a loop also ends at an error
class Iterator {
 public:
  virtual ~Iterator() = default;
  Iterator() = default;
  Iterator(const Iterator&) = delete;
  Iterator& operator=(const Iterator&) = delete;

  // True when positioned on a key. False before the first Seek, past either end, and after an error.
  virtual bool Valid() const = 0;

  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  // To the first key >= `target`.
  virtual void Seek(std::string_view target) = 0;
  // To the last key <= `target`.
  virtual void SeekForPrev(std::string_view target) = 0;
  // REQUIRES: Valid().
  virtual void Next() = 0;
  virtual void Prev() = 0;

  // REQUIRES: Valid(). The views live until the iterator moves or is destroyed. value() of a large
  // value may read the disk; when that fails it returns an empty view and status() says why.
  virtual std::string_view key() const = 0;
  virtual std::string_view value() = 0;

  // REQUIRES: Valid(). When the key expires: milliseconds since 1970-01-01 UTC; 0: never. A key that
  // expires while the iterator stands on it stays readable there until the iterator moves.
  virtual uint64_t expire_at_millis() const { return 0; }

  // Not OK when a read failed; the iterator is then invalid.
  virtual Status status() const = 0;
};

}  // namespace varve

#endif  // VARVE_ITERATOR_H_
