// MultiGet: lookups whose cache misses overlap (docs/design/0006-read-path.md).
#include <array>

#include "engine/db_impl.h"

namespace varve {

namespace {

// A key takes a step, and so many keys later its next one: time enough for what the step has asked for to
// arrive, and few enough misses at once that the processor drops none of them.
constexpr size_t kStepDistance = 3;
constexpr size_t kSteps = 5;
constexpr size_t kLastStepAt = (kSteps - 1) * kStepDistance;
// Keys under way, a power of two.
constexpr size_t kKeysUnderWay = 16;
static_assert(kLastStepAt < kKeysUnderWay);

// Of the runs up to here, newest first, the slice of each key under way is remembered.
constexpr size_t kRememberedRuns = 8;

}  // namespace

// Keys pass through as on a conveyor belt. Each step of a key waits for one link of the chain of cache
// misses and starts the next one: bucket of the point index -> word of the block -> slot array and, by a
// guess, entry -> entry. A key that turns out to be in a memtable, or off this way, is looked up as any other.
class DbImpl::MultiGetBelt {
 public:
  MultiGetBelt(DbImpl* db, SuperVersion* super, SequenceNumber sequence)
      : db_(db), super_(super), runs_(super->version->runs()), sequence_(sequence) {}

  // Calls done(status, lookup) for each key, in their order.
  template <typename Done>
  void Run(const std::string_view* keys, size_t count, Done&& done) {
    for (size_t i = 0; i < count + kLastStepAt; ++i) {
      if (i < count) Start(&KeyAt(i), keys[i]);
      if (const size_t at = i - kStepDistance; at < count) Probe(&KeyAt(at));
      if (const size_t at = i - 2 * kStepDistance; at < count) {
        LookupKey& key = KeyAt(at).key;
        if (key.segment != nullptr) key.segment->PrefetchEntry(&key.probe);
      }
      if (const size_t at = i - 3 * kStepDistance; at < count) {
        LookupKey& key = KeyAt(at).key;
        if (key.segment != nullptr) key.segment->PrefetchValue(&key.probe);
      }
      if (const size_t at = i - kLastStepAt; at < count) {
        Lookup found;
        const Status status = db_->Find(super_, KeyAt(at).key, sequence_, &found);
        done(status, found);
      }
    }
  }

 private:
  struct KeyUnderWay {
    LookupKey key;
    std::array<const SegmentSlice*, kRememberedRuns> slices;
  };

  KeyUnderWay& KeyAt(size_t i) { return keys_[i % kKeysUnderWay]; }
  const SegmentSlice* SliceOf(const KeyUnderWay& key, size_t run) const {
    return run < kRememberedRuns ? key.slices[run] : runs_[run]->Find(key.key.key);
  }

  void Start(KeyUnderWay* under_way, std::string_view key) {
    under_way->key = db_->KeyFor(key);
    const uint64_t hash = under_way->key.hash;
    super_->active->memtable->PrefetchFilter(hash);
    for (const auto& slot : super_->immutables) slot->memtable->PrefetchFilter(hash);
    for (size_t run = 0; run < runs_.size(); ++run) {
      const SegmentSlice* slice = runs_[run]->Find(key);
      if (run < kRememberedRuns) under_way->slices[run] = slice;
      if (slice != nullptr) slice->segment->Prefetch(hash);
    }
  }

  // Passes over the runs whose indexes say that they do not hold the key.
  void Probe(KeyUnderWay* under_way) const {
    LookupKey& key = under_way->key;
    for (; key.first_run < runs_.size(); ++key.first_run) {
      const SegmentSlice* slice = SliceOf(*under_way, key.first_run);
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
  const std::vector<std::shared_ptr<const varve::Run>>& runs_;
  const SequenceNumber sequence_;
  std::array<KeyUnderWay, kKeysUnderWay> keys_;
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
  MultiGetBelt(this, super, sequence).Run(keys.data(), keys.size(), [&](Status status, const Lookup& found) {
    *runs_asked += found.runs;
    if (status.ok() && found.entry.kind == EntryKind::kValue) {
      results.emplace_back(std::in_place, found.entry.value);
      return;
    }
    std::string value;
    if (status.ok()) status = CopyValue(found, &value);
    if (status.ok()) {
      results.emplace_back(std::move(value));
    } else {
      results.emplace_back(std::move(status));
    }
  });
  return results;
}

}  // namespace varve
