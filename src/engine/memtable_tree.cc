// How a split becomes visible. Each step below is one store that turns a node over, and each leaves
// a tree in which every record is found:
//
//   1. the new right node, complete, is linked into the parent: keys from the separator on lead
//      there, while the left node still holds what moved;
//   2. the left node drops what moved.
//
// A reader takes the version of a child before it checks that the parent it came from has not
// changed. If the parent was old, it starts again; otherwise the child's version was taken before
// step 2, and the check of that version after the search tells whether anything was dropped
// meanwhile.
#include "engine/memtable_tree.h"

#include <algorithm>
#include <array>
#include <new>

#include "base/check.h"
#include "base/planted_bug.h"
#include "engine/memtable_node.h"

namespace varve {
namespace {

// How many more common bytes make it worth computing new heads, each with a cache miss: most of a
// head.
constexpr size_t kPrefixGain = 6;
// At an edge of the tree, how many common bytes are left out of the prefix lest the next key lack
// them. Less than kPrefixGain, or every leaf would be replaced when it stops being the last.
constexpr size_t kEdgeSlack = 4;

bool ComesBefore(const MemTableRecord* a, const MemTableRecord* b) {
  return CompareInternal(a->key(), a->sequence(), b->key(), b->sequence()) < 0;
}

const MemTableRecord* Earlier(const MemTableRecord* a, const MemTableRecord* b) {
  return ComesBefore(a, b) ? a : b;
}

const MemTableRecord* Later(const MemTableRecord* a, const MemTableRecord* b) {
  return ComesBefore(a, b) ? b : a;
}

// How many entries of the full leaf stay left when the next one goes to `position`. Entries that
// come in ascending or descending order split where they arrive, which leaves full leaves behind
// them.
size_t SplitPoint(const MemTableLeaf& leaf, size_t position) {
  const bool is_ascending = position == leaf.last_position + 1;
  const bool is_descending = position == leaf.last_position;
  return is_ascending || is_descending ? position : MemTableLeaf::kSlots / 2;
}

// The prefix for the right part of a leaf: `wanted`, unless that of the leaf is nearly as long.
MemTablePrefix KeepIfNear(const MemTablePrefix& present, const MemTablePrefix& wanted) {
  if (present.bytes > wanted.bytes || wanted.bytes >= present.bytes + kPrefixGain) return wanted;
  return {present.bytes, present.bytes == 0 ? nullptr : wanted.check};
}

// Whether to replace a leaf because `wanted` tells its keys apart better. It does not when the
// heads reach the end of the keys already; replaced leaves are memory lost.
bool IsWorthReplacing(const MemTablePrefix& present, const MemTablePrefix& wanted,
                      std::string_view some_key) {
  return wanted.bytes >= present.bytes + kPrefixGain &&
         some_key.size() > present.bytes + sizeof(uint64_t);
}

void CopyRecords(const MemTableLeaf& leaf, uint64_t version, size_t begin, size_t end,
                 MemTableTree::Run* run) {
  for (size_t i = begin; i < end; ++i) run->records[i - begin] = leaf.RecordAt(version, i);
  run->count = end - begin;
  run->next = end < CountOf(version) ? leaf.RecordAt(version, end) : leaf.HighAt(version);
  run->leaf = &leaf;
  run->version = version;
}

}  // namespace

// The writer's way from the root to a leaf, with the fences of each node (nullptr: none).
struct MemTableTree::PathStep {
  MemTableInner* node;
  size_t index;  // of the child taken
  const MemTableRecord* low;
  const MemTableRecord* high;
};

struct MemTableTree::Path {
  // Inner nodes are at least a quarter full on average: enough for more records than memory holds.
  static constexpr size_t kMaxDepth = 20;

  PathStep steps[kMaxDepth];
  size_t depth = 0;
  MemTableLeaf* leaf = nullptr;
  const MemTableRecord* low = nullptr;
  const MemTableRecord* high = nullptr;
};

// Which leaf to read: the one where `target` belongs, the one where what comes just before it
// belongs, or the last one.
enum class MemTableTree::Route { kTo, kBefore, kLast };

template <typename Node, typename... Args>
Node* MemTableTree::New(Args... args) {
  return new (arena_->Allocate(sizeof(Node), alignof(Node))) Node(args...);
}

MemTableTree::MemTableTree(MemTableArena* arena) : arena_(arena) {
  last_leaf_ = New<MemTableLeaf>(MemTablePrefix{});
  root_.store(last_leaf_, std::memory_order_release);
}

// --- Reading.

// Calls visit(leaf, version) until what it read there is known to be right: the last call counts.
// prefetch(leaf) comes earlier, before the leaf itself has been touched.
template <typename Prefetch, typename Visit>
void MemTableTree::ReadLeaf(Route route, const MemTableTarget& target, Prefetch prefetch,
                            Visit visit) const {
  const MemTableBound bound =
      route == Route::kBefore ? MemTableBound::kBefore : MemTableBound::kAtOrBefore;
  for (;;) {
    const MemTableNode* node = root_.load(std::memory_order_acquire);
    uint64_t version = node->version.Load();
    bool is_valid = root_.load(std::memory_order_acquire) == node;
    while (is_valid && node->level > 0) {
      const auto* inner = static_cast<const MemTableInner*>(node);
      const size_t index =
          route == Route::kLast ? CountOf(version) - 1 : inner->Find(version, target, bound);
      const MemTableNode* child = inner->ChildAt(version, index);
      if (inner->level == 1) prefetch(*static_cast<const MemTableLeaf*>(child));
      const uint64_t child_version = child->version.Load();
      is_valid = inner->version.Load() == version;
      node = child;
      version = child_version;
    }
    if (!is_valid) continue;
    visit(*static_cast<const MemTableLeaf*>(node), version);
    if (node->version.Load() == version || VARVE_PLANTED_BUG("memtable.leaf_not_looked_at_again")) return;
  }
}

template <typename Visit>
void MemTableTree::ReadLeaf(Route route, const MemTableTarget& target, Visit visit) const {
  ReadLeaf(
      route, target, [](const MemTableLeaf& leaf) { leaf.PrefetchOrder(); }, visit);
}

const MemTableRecord* MemTableTree::Find(std::string_view key, uint8_t tag,
                                         SequenceNumber sequence) const {
  const MemTableTarget target{key, sequence};
  const MemTableRecord* found = nullptr;
  const auto find_by_order = [&](const MemTableLeaf& leaf, uint64_t version) {
    const size_t position = leaf.Count(version, target, MemTableBound::kBefore);
    // The high fence is the first record of the next leaf.
    return position < CountOf(version) ? leaf.RecordAt(version, position) : leaf.HighAt(version);
  };
  ReadLeaf(
      Route::kTo, target, [](const MemTableLeaf& leaf) { leaf.PrefetchTags(); },
      [&](const MemTableLeaf& leaf, uint64_t version) {
        found = leaf.FindTagged(version, target, tag);
        if (found == nullptr) found = find_by_order(leaf, version);
      });
  return found != nullptr && found->key() == key ? found : nullptr;
}

void MemTableTree::PrefetchLeaves(std::span<const std::string_view> keys, bool inserts,
                                  const MemTableLeaf** leaves) const {
  std::array<const MemTableNode*, kGroup> nodes;
  std::array<const MemTableShared<MemTableNode*>*, kGroup> children;
  const MemTableNode* root = root_.load(std::memory_order_acquire);
  std::fill_n(nodes.begin(), keys.size(), root);
  // Level by level: in each, every search waits for what the pass before has started for it.
  for (uint32_t level = root->level; level > 0; --level) {
    const auto inner = [&](size_t i) { return static_cast<const MemTableInner*>(nodes[i]); };
    for (size_t i = 0; level < root->level && i < keys.size(); ++i) inner(i)->PrefetchHeads();
    for (size_t i = 0; i < keys.size(); ++i) {
      const uint64_t version = inner(i)->version.Load();
      const MemTableTarget target{keys[i], kMaxSequence};
      children[i] = inner(i)->ChildAddress(
          version, inner(i)->Find(version, target, MemTableBound::kAtOrBefore));
      __builtin_prefetch(children[i]);
    }
    for (size_t i = 0; i < keys.size(); ++i) {
      nodes[i] = children[i]->Load();
      if (level > 1) __builtin_prefetch(nodes[i]);
    }
  }
  for (size_t i = 0; i < keys.size(); ++i) {
    leaves[i] = static_cast<const MemTableLeaf*>(nodes[i]);
    if (inserts) {
      leaves[i]->PrefetchOrder();
    } else {
      leaves[i]->PrefetchTags();
    }
  }
}

void MemTableTree::PrefetchRecords(const MemTableLeaf& leaf, uint8_t tag) {
  leaf.PrefetchTagged(leaf.version.Load(), tag);
}

void MemTableTree::LoadForward(MemTableTarget target, MemTableBound skipped, Run* run) const {
  for (;;) {
    ReadLeaf(Route::kTo, target, [&](const MemTableLeaf& leaf, uint64_t version) {
      CopyRecords(leaf, version, leaf.Count(version, target, skipped), CountOf(version), run);
    });
    if (run->count > 0 || run->next == nullptr) return;
    target = TargetOf(run->next);
    skipped = MemTableBound::kBefore;
  }
}

void MemTableTree::LoadAtOrAfter(std::string_view key, SequenceNumber sequence, Run* run) const {
  LoadForward({key, sequence}, MemTableBound::kBefore, run);
}

void MemTableTree::LoadAfter(std::string_view key, SequenceNumber sequence, Run* run) const {
  LoadForward({key, sequence}, MemTableBound::kAtOrBefore, run);
}

// A leaf that is not the leftmost begins with its low fence. So where the records up to a target
// begin, there is at least one in the same leaf.
void MemTableTree::LoadAtOrBefore(std::string_view key, SequenceNumber sequence, Run* run) const {
  const MemTableTarget target{key, sequence};
  ReadLeaf(Route::kTo, target, [&](const MemTableLeaf& leaf, uint64_t version) {
    CopyRecords(leaf, version, 0, leaf.Count(version, target, MemTableBound::kAtOrBefore), run);
  });
}

void MemTableTree::LoadBefore(std::string_view key, SequenceNumber sequence, Run* run) const {
  const MemTableTarget target{key, sequence};
  ReadLeaf(Route::kBefore, target, [&](const MemTableLeaf& leaf, uint64_t version) {
    CopyRecords(leaf, version, 0, leaf.Count(version, target, MemTableBound::kBefore), run);
  });
}

void MemTableTree::LoadLast(Run* run) const {
  ReadLeaf(Route::kLast, {}, [&](const MemTableLeaf& leaf, uint64_t version) {
    CopyRecords(leaf, version, 0, CountOf(version), run);
  });
}

bool MemTableTree::IsCurrent(const Run& run) { return run.leaf->version.Load() == run.version; }

// --- Writing.

void MemTableTree::Insert(const MemTableRecord* record, uint8_t tag) {
  const bool is_last = last_record_ == nullptr || ComesBefore(last_record_, record);
  if (is_last) last_record_ = record;
  if (is_last && TryAppend(record, tag)) return;

  Path path;
  Descend(record, &path);
  if (path.leaf->prefix.Compare(record->key()) != 0) RebuildLeaf(&path, record);
  MemTableLeaf* leaf = path.leaf;
  const size_t position =
      leaf->Count(leaf->version.Load(), TargetOf(record), MemTableBound::kBefore);
  if (!leaf->full()) {
    leaf->Insert(position, record, tag);
  } else {
    MakeRoomAbove(record, &path);
    SplitLeafAndInsert(path, position, record, tag);
  }
}

bool MemTableTree::TryAppend(const MemTableRecord* record, uint8_t tag) {
  if (last_leaf_->full() || last_leaf_->prefix.Compare(record->key()) != 0) return false;
  last_leaf_->Insert(last_leaf_->count(), record, tag);
  return true;
}

void MemTableTree::Descend(const MemTableRecord* record, Path* path) const {
  path->depth = 0;
  path->low = nullptr;
  path->high = nullptr;
  // Only the writer changes nodes: it needs no order among its own loads.
  MemTableNode* node = root_.load(std::memory_order_relaxed);
  while (node->level > 0) {
    VARVE_CHECK(path->depth < Path::kMaxDepth);
    auto* inner = static_cast<MemTableInner*>(node);
    const uint64_t version = inner->version.Load();
    const size_t index = inner->Find(version, TargetOf(record), MemTableBound::kAtOrBefore);
    node = inner->ChildAt(version, index);
    if (inner->level == 1) static_cast<MemTableLeaf*>(node)->PrefetchOrder();
    path->steps[path->depth++] = {inner, index, path->low, path->high};
    if (index > 0) path->low = inner->separator(index);
    if (index + 1 < CountOf(version)) path->high = inner->separator(index + 1);
  }
  path->leaf = static_cast<MemTableLeaf*>(node);
}

// Sees to it that the leaf has a parent with room for one more child. Splits from the top down, so
// that each split finds room above it.
void MemTableTree::MakeRoomAbove(const MemTableRecord* record, Path* path) {
  while (path->depth == 0 || path->steps[path->depth - 1].node->full()) {
    size_t depth = path->depth;
    while (depth > 0 && path->steps[depth - 1].node->full()) --depth;
    if (depth == 0) {
      GrowRoot();
    } else {
      SplitInner(*path, depth);
    }
    Descend(record, path);
  }
}

void MemTableTree::GrowRoot() {
  MemTableNode* old_root = root_.load(std::memory_order_relaxed);
  MemTableInner::Image image;
  image.count = 1;
  image.heads[0] = 0;
  image.separators[0] = nullptr;
  image.children[0] = old_root;
  auto* root = New<MemTableInner>(old_root->level + 1);
  root->Publish(image);
  // Whoever loads the root must see the node behind it.
  root_.store(root, std::memory_order_release);
}

// Splits the node of step `depth`. REQUIRES: its parent has room.
void MemTableTree::SplitInner(const Path& path, size_t depth) {
  const PathStep& step = path.steps[depth];
  MemTableInner::Image left;
  step.node->Read(&left);
  // Children that come in order leave full nodes behind them.
  const size_t kept = step.index + 1 == left.count ? left.count - 1 : left.count / 2;
  const MemTableRecord* separator = left.separators[kept];

  MemTableInner::Image right = left.Tail(kept);
  right.UpdateHeads(separator, step.high);
  auto* right_node = New<MemTableInner>(step.node->level);
  right_node->Publish(right);

  LinkRight(path.steps[depth - 1], step.node, separator, right_node);
  left.count = kept;
  left.UpdateHeads(step.low, separator);
  step.node->Publish(left);
}

// Makes `left` the child that `parent` leads to, and `right` the one after it.
void MemTableTree::LinkRight(const PathStep& parent, MemTableNode* left,
                             const MemTableRecord* separator, MemTableNode* right) {
  MemTableInner::Image image;
  parent.node->Read(&image);
  image.children[parent.index] = left;
  image.InsertAfter(parent.index, separator, right);
  image.UpdateHeads(parent.low, parent.high);
  parent.node->Publish(image);
}

// Replaces the leaf by one whose prefix `record` has too.
void MemTableTree::RebuildLeaf(Path* path, const MemTableRecord* record) {
  MemTableLeaf* old_leaf = path->leaf;
  const size_t count = old_leaf->count();
  const MemTableRecord* first = record;
  const MemTableRecord* last = record;
  if (count > 0) {
    first = Earlier(first, old_leaf->record(0));
    last = Later(last, old_leaf->record(count - 1));
  }
  auto* leaf =
      New<MemTableLeaf>(MemTablePrefix::Choose(path->low, path->high, first, last, kEdgeSlack));
  leaf->Fill(*old_leaf, 0, count, path->high);
  if (path->depth == 0) {
    root_.store(leaf, std::memory_order_release);
  } else {
    const PathStep& parent = path->steps[path->depth - 1];
    MemTableInner::Image image;
    parent.node->Read(&image);
    image.children[parent.index] = leaf;
    parent.node->Publish(image);
  }
  old_leaf->Retire();
  if (last_leaf_ == old_leaf) last_leaf_ = leaf;
  path->leaf = leaf;
}

// REQUIRES: the leaf is full, `record` belongs at `position` in it and has its prefix; its parent
// has room.
void MemTableTree::SplitLeafAndInsert(const Path& path, size_t position,
                                      const MemTableRecord* record, uint8_t tag) {
  constexpr size_t kCount = MemTableLeaf::kSlots;
  MemTableLeaf* leaf = path.leaf;
  const size_t kept = SplitPoint(*leaf, position);
  const bool goes_right = position > kept || kept == kCount;
  const MemTableRecord* separator = kept < kCount ? leaf->record(kept) : record;
  const MemTableRecord* first = leaf->record(0);
  const MemTableRecord* last = leaf->record(kCount - 1);

  // The range of keys of each part is bounded by what it holds and may have to hold at once.
  const MemTablePrefix right_prefix =
      MemTablePrefix::Choose(separator, path.high, separator, Later(last, record), kEdgeSlack);
  auto* right = New<MemTableLeaf>(KeepIfNear(leaf->prefix, right_prefix));
  right->Fill(*leaf, kept, kCount - kept, path.high);
  if (goes_right) right->Insert(position - kept, record, tag);

  const MemTablePrefix left_prefix =
      MemTablePrefix::Choose(path.low, separator, Earlier(first, record), separator, kEdgeSlack);
  const bool replaces_left = IsWorthReplacing(leaf->prefix, left_prefix, first->key());
  MemTableLeaf* left = leaf;
  if (replaces_left) {
    left = New<MemTableLeaf>(left_prefix);
    left->Fill(*leaf, 0, kept, separator);
    if (!goes_right) left->Insert(position, record, tag);
  }

  const bool drops_first = !replaces_left && VARVE_PLANTED_BUG("memtable.split_drops_before_it_links");
  if (drops_first) leaf->Truncate(kept, separator);
  LinkRight(path.steps[path.depth - 1], left, separator, right);
  if (replaces_left) {
    leaf->Retire();
  } else {
    if (!drops_first) leaf->Truncate(kept, separator);
    if (!goes_right) leaf->Insert(position, record, tag);
  }
  if (last_leaf_ == leaf) last_leaf_ = right;
}

}  // namespace varve
