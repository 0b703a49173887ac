// MultiGet: lookups whose cache misses overlap (docs/design/0006-read-path.md).
#include <algorithm>
#include <array>

#include "engine/db_impl.h"

namespace varve {

namespace {

// Keys that are looked up together: enough to keep the processor's queue of misses full, few enough
// that what they bring near stays in its first cache.
constexpr size_t kMultiGetKeys = 32;

// Of the runs up to here, newest first, the slice of each key of a group is remembered.
constexpr size_t kRememberedRuns = 8;

}  // namespace

// The steps of a group. Each goes over all keys, waits for one link of the chain of cache misses and
// starts the next one: bucket of the point index -> word of the block -> slot array and, by a guess,
// entry -> entry. A key that turns out to be in a memtable, or off this way, is looked up as any other.
class DbImpl::MultiGetGroup {
 public:
  MultiGetGroup(DbImpl* db, SuperVersion* super, const std::string_view* keys, size_t count)
      : db_(db), super_(super), runs_(super->version->runs()), count_(count) {
    for (size_t i = 0; i < count; ++i) Start(i, keys[i]);
    for (size_t i = 0; i < count; ++i) Probe(i);
    for (size_t i = 0; i < count; ++i) {
      if (keys_[i].segment != nullptr) keys_[i].segment->PrefetchEntry(keys_[i].probe);
    }
    for (size_t i = 0; i < count; ++i) {
      if (keys_[i].segment != nullptr) keys_[i].segment->PrefetchValue(keys_[i].probe);
    }
  }

  void Finish(SequenceNumber sequence, std::vector<Result<std::string>>* results,
              uint64_t* runs_asked) {
    for (size_t i = 0; i < count_; ++i) {
      Lookup found;
      Status status = db_->Find(super_, keys_[i], sequence, &found);
      *runs_asked += found.runs;
      if (status.ok() && found.entry.kind == EntryKind::kValue) {
        results->emplace_back(std::string(found.entry.value));
        continue;
      }
      std::string value;
      if (status.ok()) status = db_->CopyValue(found, &value);
      if (status.ok()) {
        results->emplace_back(std::move(value));
      } else {
        results->emplace_back(std::move(status));
      }
    }
  }

 private:
  const SegmentSlice* SliceOf(size_t i, size_t run) const {
    return run < kRememberedRuns ? slices_[i][run] : runs_[run]->Find(keys_[i].key);
  }

  void Start(size_t i, std::string_view key) {
    keys_[i] = db_->KeyFor(key);
    super_->active->memtable->PrefetchFilter(keys_[i].hash);
    for (const auto& slot : super_->immutables) slot->memtable->PrefetchFilter(keys_[i].hash);
    for (size_t run = 0; run < runs_.size(); ++run) {
      const SegmentSlice* slice = runs_[run]->Find(key);
      if (run < kRememberedRuns) slices_[i][run] = slice;
      if (slice != nullptr) slice->segment->Prefetch(keys_[i].hash);
    }
  }

  // Passes over the runs whose indexes say that they do not hold the key.
  void Probe(size_t i) {
    LookupKey& key = keys_[i];
    for (; key.first_run < runs_.size(); ++key.first_run) {
      const SegmentSlice* slice = SliceOf(i, key.first_run);
      if (slice == nullptr) continue;
      key.probe = slice->segment->Probe(key.hash);
      if (key.probe.state == PointProbe::State::kAbsent) {
        ++key.runs_passed;
        continue;
      }
      if (key.probe.state == PointProbe::State::kFound) key.segment = slice->segment.get();
      return;
    }
  }

  DbImpl* const db_;
  SuperVersion* const super_;
  const std::vector<std::shared_ptr<const Run>>& runs_;
  const size_t count_;
  std::array<LookupKey, kMultiGetKeys> keys_;
  std::array<std::array<const SegmentSlice*, kRememberedRuns>, kMultiGetKeys> slices_;
};

std::vector<Result<std::string>> DbImpl::MultiGetStored(const std::vector<std::string_view>& keys,
                                                        const ReadOptions& options) {
  EpochGuard guard;
  SequenceNumber sequence;
  const uint64_t begin = times_.Begin();
  uint64_t runs_asked = 0;
  SuperVersion* super = ReadPoint(options.snapshot, &sequence);
  std::vector<Result<std::string>> results = MultiGetAt(super, sequence, keys, &runs_asked);
  times_.EndMultiGet(keys.size(), runs_asked, begin);
  return results;
}

std::vector<Result<std::string>> DbImpl::MultiGetAt(SuperVersion* super, SequenceNumber sequence,
                                                    const std::vector<std::string_view>& keys,
                                                    uint64_t* runs_asked) {
  std::vector<Result<std::string>> results;
  results.reserve(keys.size());
  for (size_t first = 0; first < keys.size(); first += kMultiGetKeys) {
    const size_t count = std::min(kMultiGetKeys, keys.size() - first);
    MultiGetGroup(this, super, keys.data() + first, count).Finish(sequence, &results, runs_asked);
  }
  return results;
}

}  // namespace varve
