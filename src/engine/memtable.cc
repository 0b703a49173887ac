#include "engine/memtable.h"

#include <cstring>
#include <new>

#include "base/check.h"

namespace varve {
namespace {

// Memory of a filter: words of zeros.
std::atomic<uint64_t>* NewFilterWords(MemTableArena* arena, size_t bytes) {
  char* memory = arena->Allocate(bytes, MemTableFilter::kBlockBytes);
  return new (memory) std::atomic<uint64_t>[bytes / sizeof(uint64_t)]();
}

const MemTableRecord* NewRecord(MemTableArena* arena, SequenceNumber sequence, EntryKind kind,
                                std::string_view key, std::string_view value) {
  char* memory =
      arena->Allocate(sizeof(MemTableRecord) + key.size() + value.size(), alignof(MemTableRecord));
  auto* record = new (memory)
      MemTableRecord{sequence << 8 | static_cast<uint8_t>(kind),
                     static_cast<uint32_t>(value.size()), static_cast<uint32_t>(key.size())};
  char* data = memory + sizeof(MemTableRecord);
  if (!key.empty()) std::memcpy(data, key.data(), key.size());
  if (!value.empty()) std::memcpy(data + key.size(), value.data(), value.size());
  return record;
}

uint8_t TagOf(uint64_t key_hash) { return static_cast<uint8_t>(key_hash); }

}  // namespace

MemTable::MemTable(ChunkPool* pool, size_t expected_bytes)
    : arena_(pool),
      tree_(&arena_),
      filter_(NewFilterWords(&arena_, MemTableFilter::SizeFor(expected_bytes)),
              MemTableFilter::SizeFor(expected_bytes)) {}

MemTable* MemTable::Create(ChunkPool* pool, size_t expected_bytes) {
  return new MemTable(pool, expected_bytes);
}

void MemTable::Unref() {
  // Release: what this thread did here comes before the deletion. Acquire: so does what the others
  // did.
  if (references_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
}

const MemTableRecord* MemTable::Add(SequenceNumber sequence, EntryKind kind, std::string_view key,
                                    std::string_view value, uint64_t key_hash) {
  VARVE_CHECK(key.size() <= kMaxKeyBytes && value.size() <= kMaxValueBytes);
  VARVE_DCHECK(sequence <= kMaxSequence);
  const MemTableRecord* record = NewRecord(&arena_, sequence, kind, key, value);
  filter_.Add(key_hash);
  // Relaxed, as the filter's words are: who must see this entry has synchronised with a later store.
  if (!has_entries_.load(std::memory_order_relaxed)) {
    has_entries_.store(true, std::memory_order_relaxed);
  }
  tree_.Insert(record, TagOf(key_hash));
  // Whoever sees the count also sees the entries.
  entry_count_.store(entry_count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  return record;
}

bool MemTable::Get(std::string_view key, uint64_t key_hash, SequenceNumber max_sequence,
                   Entry* entry) const {
  if (!filter_.MayContain(key_hash)) return false;
  const MemTableRecord* record = tree_.Find(key, TagOf(key_hash), max_sequence);
  if (record == nullptr) return false;
  *entry = {record->key(), record->value(), record->sequence(), record->kind()};
  return true;
}

void MemTable::PrefetchRecords(const MemTableLeaf& leaf, uint64_t key_hash) {
  MemTableTree::PrefetchRecords(leaf, TagOf(key_hash));
}

// --- Cursor.

void MemTable::Cursor::SeekToLast() {
  tree_->LoadLast(&run_);
  StandOnLast();
}

void MemTable::Cursor::Seek(std::string_view key, SequenceNumber sequence) {
  tree_->LoadAtOrAfter(key, sequence, &run_);
  StandOnFirst();
}

void MemTable::Cursor::SeekForPrev(std::string_view key, SequenceNumber sequence) {
  tree_->LoadAtOrBefore(key, sequence, &run_);
  StandOnLast();
}

void MemTable::Cursor::Next() {
  VARVE_DCHECK(Valid());
  if (!MemTableTree::IsCurrent(run_)) {
    const MemTableRecord* from = run_.records[index_];
    tree_->LoadAfter(from->key(), from->sequence(), &run_);
    StandOnFirst();
    return;
  }
  ++index_;
  if (index_ + kPrefetchDistance < run_.count) Prefetch(index_ + kPrefetchDistance);
  if (index_ < run_.count || run_.next == nullptr) return;
  const MemTableRecord* next = run_.next;
  tree_->LoadAtOrAfter(next->key(), next->sequence(), &run_);
  StandOnFirst();
}

void MemTable::Cursor::Prev() {
  VARVE_DCHECK(Valid());
  if (index_ > 0 && MemTableTree::IsCurrent(run_)) {
    --index_;
    if (index_ >= kPrefetchDistance) Prefetch(index_ - kPrefetchDistance);
    return;
  }
  const MemTableRecord* from = run_.records[index_];
  tree_->LoadBefore(from->key(), from->sequence(), &run_);
  StandOnLast();
}

void MemTable::Cursor::StandOnFirst() {
  index_ = 0;
  for (size_t i = 0; i < kPrefetchDistance && i < run_.count; ++i) Prefetch(i);
  // Its key is what the next run will be looked up by.
  __builtin_prefetch(run_.next);
}

// With an empty run the index is beyond it all the same.
void MemTable::Cursor::StandOnLast() {
  index_ = run_.count - 1;
  for (size_t i = 0; i < kPrefetchDistance && i < run_.count; ++i) Prefetch(index_ - i);
}

void MemTable::Cursor::Prefetch(size_t index) const {
  const char* record = reinterpret_cast<const char*>(run_.records[index]);
  __builtin_prefetch(record);
  __builtin_prefetch(record + 64);
}

}  // namespace varve
