// Prefetch: the cache misses of lookups to come, overlapped (docs/design/0006-read-path.md).
#include <algorithm>
#include <array>

#include "engine/db_impl.h"
#include "format/point_index.h"

namespace varve {

namespace {

// Keys whose misses are under way together; what they bring must fit the processor's first cache.
constexpr size_t kPrefetchKeys = MemTableTree::kGroup;

}  // namespace

// Each step goes over all keys: it waits for what the step before has started, and starts the next link of the
// chain of misses. For a key in a memtable: filter -> nodes -> leaf -> record; in a segment: bucket of the point
// index -> word of the block -> entry; of a key to be written: filter and leaf.
class DbImpl::PrefetchGroup {
 public:
  PrefetchGroup(const DbImpl& db, const SuperVersion& super, std::span<const std::string_view> keys)
      : super_(super), runs_(super.version->runs()), count_(keys.size()) {
    for (size_t i = 0; i < count_; ++i) keys_[i] = db.KeyFor(keys[i]);
  }

  void Read() {
    for (size_t i = 0; i < count_; ++i) Start(keys_[i]);
    FindLeavesIn(*super_.active->memtable);
    for (const auto& slot : super_.immutables) FindLeavesIn(*slot->memtable);
    for (size_t i = 0; i < count_; ++i) {
      if (leaves_[i] == nullptr) Probe(&keys_[i]);
    }
    for (size_t i = 0; i < count_; ++i) {
      if (leaves_[i] != nullptr) {
        MemTable::PrefetchRecords(*leaves_[i], keys_[i].hash);
      } else if (keys_[i].segment != nullptr) {
        keys_[i].segment->PrefetchEntry(&keys_[i].probe);
      }
    }
  }

  void Write() {
    std::array<std::string_view, kPrefetchKeys> keys;
    for (size_t i = 0; i < count_; ++i) {
      super_.active->memtable->PrefetchFilter(keys_[i].hash);
      keys[i] = keys_[i].key;
    }
    super_.active->memtable->PrefetchLeaves({keys.data(), count_}, /*inserts=*/true, leaves_.data());
  }

 private:
  void Start(const LookupKey& key) {
    super_.active->memtable->PrefetchFilter(key.hash);
    for (const auto& slot : super_.immutables) slot->memtable->PrefetchFilter(key.hash);
    for (const auto& run : runs_) {
      if (const SegmentSlice* slice = run->Find(key.key)) slice->segment->Prefetch(key.hash);
    }
  }

  // Of the keys that may be in this memtable, and in none before.
  void FindLeavesIn(const MemTable& memtable) {
    std::array<size_t, kPrefetchKeys> found;
    std::array<std::string_view, kPrefetchKeys> keys;
    std::array<const MemTableLeaf*, kPrefetchKeys> leaves;
    size_t count = 0;
    for (size_t i = 0; i < count_; ++i) {
      if (leaves_[i] != nullptr || !memtable.MayContain(keys_[i].hash)) continue;
      found[count] = i;
      keys[count++] = keys_[i].key;
    }
    if (count == 0) return;
    memtable.PrefetchLeaves({keys.data(), count}, /*inserts=*/false, leaves.data());
    for (size_t i = 0; i < count; ++i) leaves_[found[i]] = leaves[i];
  }

  // The first run that may hold the key.
  void Probe(LookupKey* key) const {
    for (const auto& run : runs_) {
      const SegmentSlice* slice = run->Find(key->key);
      if (slice == nullptr) continue;
      key->probe = slice->segment->Probe(key->hash);
      if (key->probe.state == PointProbe::State::kAbsent) continue;
      if (key->probe.state == PointProbe::State::kFound) key->segment = slice->segment.get();
      return;
    }
  }

  const SuperVersion& super_;
  const std::vector<std::shared_ptr<const Run>>& runs_;
  const size_t count_;
  std::array<LookupKey, kPrefetchKeys> keys_;
  std::array<const MemTableLeaf*, kPrefetchKeys> leaves_{};
};

void DbImpl::PrefetchIn(const Keyspace& keyspace, std::span<const std::string_view> keys, Access access) {
  thread_local std::array<std::string, kPrefetchKeys> buffers;
  std::array<std::string_view, kPrefetchKeys> stored;
  EpochGuard guard;
  const SuperVersion& super = *CurrentSuper();
  while (!keys.empty()) {
    const size_t count = std::min(kPrefetchKeys, keys.size());
    for (size_t i = 0; i < count; ++i) stored[i] = keyspace.ToStored(keys[i], &buffers[i]);
    PrefetchGroup group(*this, super, {stored.data(), count});
    if (access == Access::kRead) {
      group.Read();
    } else {
      group.Write();
    }
    keys = keys.subspan(count);
  }
}

void DbImpl::Prefetch(std::span<const std::string_view> keys, Access access) {
  PrefetchIn(Keyspace(), keys, access);
}

}  // namespace varve
