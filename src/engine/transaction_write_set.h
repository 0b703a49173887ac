// WriteSet: the writes of a transaction until its commit: a list in the order in which they were made,
// and over it a skip list by key, which answers what a key holds now.
//
//   ops      0 put b=1   1 put a=1   2 delete range [b,d)   3 hide b   4 put b=2   ...
//   nodes    a -> 1      b -> 4      (each op knows the op that its key had before)
//
// Taking writes back (savepoints) walks the list backwards and gives each key its earlier op; nodes
// stay, without an op they count as absent. Memory goes back with the whole.
#ifndef VARVE_ENGINE_TRANSACTION_WRITE_SET_H_
#define VARVE_ENGINE_TRANSACTION_WRITE_SET_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/transaction_arena.h"

namespace varve {

// Thread-compatible.
class WriteSet {
 public:
  enum class Found { kNothing, kValue, kDeleted };

  // One key. Lives as long as the set, wherever a cursor holds it.
  struct Node {
    std::string_view key;
    uint32_t op;      // index of the op in force + 1; 0: none any more
    uint32_t height;  // links that follow
    Node** next() { return reinterpret_cast<Node**>(this + 1); }
    Node* const* next() const { return reinterpret_cast<Node* const*>(this + 1); }
  };

  enum class OpKind : uint8_t {
    kPut,
    kDelete,
    kDeleteRange,  // [key, value)
    kHide,         // a key of the set that a range delete after it covers; not a write of its own
  };
  struct Op {
    OpKind kind;
    uint32_t previous;  // of the node's op before; for kDeleteRange unused
    Node* node;         // nullptr for kDeleteRange
    std::string_view key;
    std::string_view value;
    uint64_t deadline = 0;  // of a put; 0: none
  };

  WriteSet() = default;
  WriteSet(const WriteSet&) = delete;
  WriteSet& operator=(const WriteSet&) = delete;

  // `arena` gives the memory and is reset by its owner.
  void Reset(TransactionArena* arena);

  // Bytes are copied. O(log keys); DeleteRange also O(keys of the set that it covers).
  void Put(std::string_view key, std::string_view value, uint64_t deadline = 0) {
    Add(OpKind::kPut, key, value);
    ops_.back().deadline = deadline;
  }
  void Delete(std::string_view key) { Add(OpKind::kDelete, key, {}); }
  void DeleteRange(std::string_view begin, std::string_view end);

  // What the set says of `key`; `*value` is set for kValue. O(log keys).
  Found Find(std::string_view key, std::string_view* value) const;
  // Whether a range delete covers `key`, and which range of deleted keys that is.
  bool IsInDeletedRange(std::string_view key, std::string_view* begin, std::string_view* end) const;

  // Keys with an op in force, in order; nullptr past the end. O(log keys), Next O(1).
  const Node* FirstAtOrAfter(std::string_view key) const;
  const Node* LastAtOrBefore(std::string_view key) const { return LastBefore(key, true); }
  const Node* LastBefore(std::string_view key) const { return LastBefore(key, false); }
  const Node* Last() const;
  static const Node* Next(const Node* node);
  bool IsValue(const Node* node) const { return ops_[node->op - 1].kind == OpKind::kPut; }
  std::string_view ValueOf(const Node* node) const { return ops_[node->op - 1].value; }
  uint64_t DeadlineOf(const Node* node) const { return ops_[node->op - 1].deadline; }

  // All ops; RollbackTo takes back those from `op_count` on.
  size_t op_count() const { return ops_.size(); }
  void RollbackTo(size_t op_count);
  const std::vector<Op>& ops() const { return ops_; }
  // Whether the op at this index is to be written: the last one of its key, or a range delete.
  bool IsInForce(size_t index) const {
    const Op& op = ops_[index];
    if (op.kind == OpKind::kDeleteRange) return true;
    return op.kind != OpKind::kHide && op.node->op == index + 1;
  }

  bool empty() const { return ops_.empty(); }
  // Changes with every write and rollback.
  uint64_t revision() const { return revision_; }
  // Keys, values and kOpOverheadBytes for each op, those no longer in force too.
  uint64_t byte_count() const { return byte_count_; }
  static constexpr uint64_t kOpOverheadBytes = 16;

 private:
  static constexpr uint32_t kMaxHeight = 16;

  void Add(OpKind kind, std::string_view key, std::string_view value);
  Node* NodeFor(std::string_view key);
  void PushOp(OpKind kind, Node* node, std::string_view key, std::string_view value);
  const Node* LastBefore(std::string_view key, bool or_at) const;
  void CoverRange(std::string_view begin, std::string_view end);
  static const Node* SkipDead(const Node* node);
  uint32_t RandomHeight();

  TransactionArena* arena_ = nullptr;
  Node* head_[kMaxHeight] = {};
  uint32_t height_ = 1;
  uint64_t random_ = 0x9E3779B97F4A7C15ull;
  std::vector<Op> ops_;
  std::map<std::string, std::string, std::less<>> deleted_;  // disjoint: begin -> end
  uint64_t byte_count_ = 0;
  uint64_t revision_ = 0;
};

}  // namespace varve

#endif  // VARVE_ENGINE_TRANSACTION_WRITE_SET_H_
