#include "engine/transaction_write_set.h"

#include <algorithm>
#include <bit>
#include <new>

namespace varve {

void WriteSet::Reset(TransactionArena* arena) {
  arena_ = arena;
  std::fill(std::begin(head_), std::end(head_), nullptr);
  height_ = 1;
  ops_.clear();
  deleted_.clear();
  byte_count_ = 0;
  ++revision_;
}

uint32_t WriteSet::RandomHeight() {
  // xorshift; every fourth node is one higher.
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const int zeros = std::countr_zero(random_ | uint64_t{1} << 62);
  return std::min(kMaxHeight, 1 + static_cast<uint32_t>(zeros) / 2);
}

WriteSet::Node* WriteSet::NodeFor(std::string_view key) {
  Node** links[kMaxHeight];  // by level: the links of the last node before the key
  Node** at = head_;
  for (uint32_t level = height_; level-- > 0;) {
    while (at[level] != nullptr && at[level]->key < key) at = at[level]->next();
    links[level] = at;
  }
  Node* found = at[0];
  if (found != nullptr && found->key == key) return found;
  const uint32_t height = RandomHeight();
  for (; height_ < height; ++height_) links[height_] = head_;
  void* memory = arena_->Allocate(sizeof(Node) + height * sizeof(Node*));
  Node* node = new (memory) Node{arena_->Copy(key), 0, height};
  for (uint32_t level = 0; level < height; ++level) {
    node->next()[level] = links[level][level];
    links[level][level] = node;
  }
  return node;
}

void WriteSet::PushOp(OpKind kind, Node* node, std::string_view key, std::string_view value) {
  const uint32_t previous = node == nullptr ? 0 : node->op;
  ops_.push_back({kind, previous, node, key, value, 0});
  if (node != nullptr) node->op = static_cast<uint32_t>(ops_.size());
  byte_count_ += key.size() + value.size() + kOpOverheadBytes;
  ++revision_;
}

void WriteSet::Add(OpKind kind, std::string_view key, std::string_view value) {
  Node* node = NodeFor(key);
  PushOp(kind, node, node->key, arena_->Copy(value));
}

void WriteSet::DeleteRange(std::string_view begin, std::string_view end) {
  if (begin >= end) return;
  PushOp(OpKind::kDeleteRange, nullptr, arena_->Copy(begin), arena_->Copy(end));
  CoverRange(begin, end);
  const Node* node = FirstAtOrAfter(begin);
  for (; node != nullptr && node->key < end; node = Next(node)) {
    PushOp(OpKind::kHide, const_cast<Node*>(node), node->key, {});
  }
}

void WriteSet::CoverRange(std::string_view begin, std::string_view end) {
  std::string low(begin);
  std::string high(end);
  auto it = deleted_.upper_bound(low);
  if (it != deleted_.begin() && std::prev(it)->second >= low) --it;
  while (it != deleted_.end() && it->first <= high) {
    low = std::min(low, it->first);
    high = std::max(high, it->second);
    it = deleted_.erase(it);
  }
  deleted_.emplace(std::move(low), std::move(high));
}

void WriteSet::RollbackTo(size_t op_count) {
  bool had_ranges = false;
  while (ops_.size() > op_count) {
    const Op& op = ops_.back();
    if (op.node != nullptr) {
      op.node->op = op.previous;
    } else {
      had_ranges = true;
    }
    byte_count_ -= op.key.size() + op.value.size() + kOpOverheadBytes;
    ops_.pop_back();
  }
  ++revision_;
  if (!had_ranges) return;
  deleted_.clear();
  for (const Op& op : ops_) {
    if (op.kind == OpKind::kDeleteRange) CoverRange(op.key, op.value);
  }
}

// --- Reading.

WriteSet::Found WriteSet::Find(std::string_view key, std::string_view* value) const {
  const Node* node = FirstAtOrAfter(key);
  if (node != nullptr && node->key == key) {
    if (!IsValue(node)) return Found::kDeleted;
    *value = ValueOf(node);
    return Found::kValue;
  }
  std::string_view begin;
  std::string_view end;
  return IsInDeletedRange(key, &begin, &end) ? Found::kDeleted : Found::kNothing;
}

bool WriteSet::IsInDeletedRange(std::string_view key, std::string_view* begin,
                                std::string_view* end) const {
  if (deleted_.empty()) return false;
  auto it = deleted_.upper_bound(key);
  if (it == deleted_.begin()) return false;
  --it;
  if (key >= it->second) return false;
  *begin = it->first;
  *end = it->second;
  return true;
}

const WriteSet::Node* WriteSet::SkipDead(const Node* node) {
  while (node != nullptr && node->op == 0) node = node->next()[0];
  return node;
}

const WriteSet::Node* WriteSet::Next(const Node* node) { return SkipDead(node->next()[0]); }

const WriteSet::Node* WriteSet::FirstAtOrAfter(std::string_view key) const {
  Node* const* at = head_;
  for (uint32_t level = height_; level-- > 0;) {
    while (at[level] != nullptr && at[level]->key < key) at = at[level]->next();
  }
  return SkipDead(at[0]);
}

const WriteSet::Node* WriteSet::LastBefore(std::string_view key, bool or_at) const {
  while (true) {
    const Node* last = nullptr;
    Node* const* at = head_;
    for (uint32_t level = height_; level-- > 0;) {
      while (at[level] != nullptr && (at[level]->key < key || (or_at && at[level]->key == key))) {
        last = at[level];
        at = last->next();
      }
    }
    if (last == nullptr || last->op != 0) return last;
    key = last->key;  // taken back: on to the one before
    or_at = false;
  }
}

const WriteSet::Node* WriteSet::Last() const {
  const Node* last = nullptr;
  Node* const* at = head_;
  for (uint32_t level = height_; level-- > 0;) {
    while (at[level] != nullptr) {
      last = at[level];
      at = last->next();
    }
  }
  return last == nullptr || last->op != 0 ? last : LastBefore(last->key);
}

}  // namespace varve
