// ReadSet: what a transaction depends on: the keys and ranges that must not have changed at its commit.
#ifndef VARVE_ENGINE_TRANSACTION_READ_SET_H_
#define VARVE_ENGINE_TRANSACTION_READ_SET_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/transaction_arena.h"

namespace varve {

// Thread-compatible.
class ReadSet {
 public:
  struct Key {
    uint64_t hash;  // PointIndexHash of the key
    std::string_view key;
  };
  // Keys from begin on and before end.
  struct Range {
    std::string begin;
    std::string end;
  };

  // The key is copied. A key that is there already is left out. O(1).
  void AddKey(std::string_view key, uint64_t hash);
  // Empty ranges are left out.
  void AddRange(std::string begin, std::string end);
  // Sorts and joins the ranges. To be called after the last Add, before any question.
  void Seal();
  // `arena` gives the memory and is reset by its owner.
  void Reset(TransactionArena* arena);

  bool empty() const { return keys_.empty() && ranges_.empty(); }
  const std::vector<Key>& keys() const { return keys_; }
  const std::vector<Range>& ranges() const { return ranges_; }

  // Whether a key with this hash is in the set. About 2 ns.
  bool HasHash(uint64_t hash) const {
    if (table_.empty()) {
      for (const Key& key : keys_) {
        if (key.hash == hash) return true;
      }
      return false;
    }
    return table_[FindSlot(hash)] != 0;
  }
  // Whether a range contains `key`. O(log ranges).
  bool RangesContain(std::string_view key) const;

 private:
  static constexpr size_t kMaxWithoutTable = 8;

  // The slot of the key with this hash, or the free one where it belongs. Two keys with one hash share
  // a slot: the set then answers for both, and checks both.
  size_t FindSlot(uint64_t hash) const;
  void GrowTable();

  TransactionArena* arena_ = nullptr;
  std::vector<Key> keys_;
  std::vector<uint32_t> table_;  // open addressing; index into keys_ + 1, 0: free; a power of two
  std::vector<Range> ranges_;
};

}  // namespace varve

#endif  // VARVE_ENGINE_TRANSACTION_READ_SET_H_
