// The read path. A read takes no lock: it enters an epoch, loads the super version, then the visible
// sequence number (in this order: whatever a flush or merge has dropped was hidden at an earlier one),
// and looks into the memtables and the runs, newest first.
#include <algorithm>
#include <thread>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/db_iterator.h"
#include "engine/memtable_iterator.h"
#include "engine/merging_iterator.h"
#include "engine/run_iterator.h"
#include "format/point_index.h"

namespace varve {

class DbImpl::SnapshotImpl : public Snapshot {
 public:
  SnapshotImpl(DbImpl* db, SequenceNumber sequence) : db_(db), sequence_(sequence) {}
  ~SnapshotImpl() override {
    MutexLock lock(&db_->mu_);
    db_->snapshots_.erase(db_->snapshots_.find(sequence_));
    if (db_->kept_for_snapshots_ == 0) return;
    // Garbage that was kept for it can go.
    db_->compaction_is_due_ = true;
    db_->work_.NotifyAll();
  }
  uint64_t sequence() const override { return sequence_; }

 private:
  DbImpl* const db_;
  const SequenceNumber sequence_;
};

std::unique_ptr<Snapshot> DbImpl::GetSnapshot() {
  // Under mu_, where jobs read the list of snapshots and the visible sequence: either the job knows of
  // the snapshot, or the snapshot is not older than what the job takes for visible.
  MutexLock lock(&mu_);
  const SequenceNumber sequence = visible_sequence_.load(std::memory_order_acquire);
  snapshots_.insert(sequence);
  return std::make_unique<SnapshotImpl>(this, sequence);
}

// --- Point reads.

DbImpl::LookupKey DbImpl::KeyFor(std::string_view key) const {
  LookupKey lookup;
  lookup.key = key;
  lookup.hash = PointIndexHash(key, context_.hash_salt);
  return lookup;
}

bool DbImpl::IsShortOfMemoryFor(const Run& run, bool is_oldest) const {
  // What is not in the oldest run is nowhere: there most keys are found, while in younger ones most are not.
  return is_oldest && run.disk_bytes() > 2 * cache_.RecentCapacity();
}

template <typename Trace>
Status DbImpl::FindInRuns(SuperVersion* super, std::string_view key, uint64_t hash,
                          SequenceNumber sequence, Lookup* found, bool* is_found, size_t first_run,
                          Trace trace) {
  *is_found = false;
  const auto& runs = super->version->runs();
  // With several runs the misses of their index buckets overlap instead of adding up.
  if (runs.size() > first_run + 1) {
    for (size_t i = first_run; i < runs.size(); ++i) {
      if (const SegmentSlice* slice = runs[i]->Find(key)) slice->segment->Prefetch(hash);
    }
  }
  for (size_t i = first_run; i < runs.size(); ++i) {
    const SegmentSlice* slice = runs[i]->Find(key);
    if (slice == nullptr) {
      trace.PassRun(i, runs[i]->id());
      continue;
    }
    trace.EnterSegment(i, runs[i]->id(), slice->meta().file_number);
    ++found->runs;
    FoundEntry entry;
    VARVE_ASSIGN_OR_RETURN(
        const bool hit,
        IsShortOfMemoryFor(*runs[i], i + 1 == runs.size())
            ? slice->segment->FindSparingIndex(key, hash, sequence, &entry, trace)
            : slice->segment->Find(key, hash, sequence, &entry, trace));
    if (!hit) continue;
    trace.Answered();
    found->entry = entry.entry;
    found->frame = entry.frame;
    *is_found = true;
    return Status::Ok();
  }
  return Status::Ok();
}

template <typename Trace>
Status DbImpl::Find(SuperVersion* super, const LookupKey& key, SequenceNumber sequence,
                    Lookup* found, Trace trace) {
  found->super = super;
  bool is_found = false;
  const auto look_into = [&](const std::shared_ptr<MemTableSlot>& slot) {
    const bool may_contain = slot->memtable->MayContain(key.hash);
    trace.EnterMemTable(slot == super->active, slot->log_number, may_contain);
    if (!may_contain || !slot->memtable->Get(key.key, key.hash, sequence, &found->entry)) {
      return false;
    }
    trace.Answered();
    found->slot = slot.get();
    return true;
  };
  is_found = look_into(super->active);
  for (size_t i = 0; !is_found && i < super->immutables.size(); ++i) {
    is_found = look_into(super->immutables[i]);
  }
  if (!is_found && key.segment != nullptr) {
    FoundEntry entry;
    is_found = SegmentReader::FindAt(key.probe, key.key, sequence, &entry);
    if (is_found) {
      found->entry = entry.entry;
      found->frame = entry.frame;
      found->runs = key.runs_passed + 1;
    }
  }
  if (!is_found) {
    found->runs = key.runs_passed;
    VARVE_RETURN_IF_ERROR(
        FindInRuns(super, key.key, key.hash, sequence, found, &is_found, key.first_run, trace));
  }
  if (!is_found) return Status::NotFound();
  if (!super->tombstones.empty()) {
    const SequenceNumber covering = super->tombstones.MaxCovering(key.key, sequence);
    if (covering > found->entry.sequence) {
      trace.Covered(covering);
      return Status::NotFound();
    }
  }
  Entry& entry = found->entry;
  const auto now = [this] { return store_clock_.Now() - (VARVE_PLANTED_BUG("read.expired_a_little_late") ? 1 : 0); };
  if (!IsLive(entry.kind, entry.value, now)) {
    return Status::NotFound();
  }
  if (IsExpiring(entry.kind)) {
    found->deadline = DeadlineOf(entry.value);
    entry.value.remove_prefix(kDeadlineBytes);
    entry.kind = HasPointer(entry.kind) ? EntryKind::kValuePointer : EntryKind::kValue;
  }
  return Status::Ok();
}

template Status DbImpl::Find(SuperVersion*, const LookupKey&, SequenceNumber, Lookup*, NoTrace);
template Status DbImpl::Find(SuperVersion*, const LookupKey&, SequenceNumber, Lookup*, LookupTrace);
template Status DbImpl::FindInRuns(SuperVersion*, std::string_view, uint64_t, SequenceNumber, Lookup*,
                                   bool*, size_t, NoTrace);

SuperVersion* DbImpl::ReadPoint(const Snapshot* snapshot, SequenceNumber* sequence) const {
  SuperVersion* super = CurrentSuper();
  if (VARVE_PLANTED_BUG("read.half_a_batch_visible")) std::this_thread::yield();  // so that it happens
  if (snapshot != nullptr) {
    *sequence = snapshot->sequence();
    return super;
  }
  while (true) {
    *sequence = visible_sequence_.load(std::memory_order_acquire);
    // A batch installs its range deletes with a super version, and becomes visible after: a number that
    // is newer than the super version would show the one half of it.
    SuperVersion* now = CurrentSuper();
    if (now == super || VARVE_PLANTED_BUG("read.half_a_batch_visible")) return super;
    super = now;
  }
}

Status DbImpl::FindFor(std::string_view key, const ReadOptions& options, Lookup* found) {
  SequenceNumber sequence;
  SuperVersion* super = ReadPoint(options.snapshot, &sequence);
  return Find(super, KeyFor(key), sequence, found);
}

Result<PinnedValue> DbImpl::ReadSeparated(const Version& version, std::string_view encoded_pointer) {
  ValuePointer pointer;
  if (!DecodeValuePointer(encoded_pointer, &pointer)) {
    return Status::Corruption("a value pointer of " + std::to_string(encoded_pointer.size()) +
                              " bytes");
  }
  auto known = version.value_logs().find(pointer.file_number);
  std::shared_ptr<ValueLogFile> file = known != version.value_logs().end()
                                           ? known->second
                                           : values_.Find(pointer.file_number);
  if (file == nullptr) {
    return Status::Corruption("value-log file " + std::to_string(pointer.file_number) +
                              " is missing, and a key points into it");
  }
  Result<PinnedValue> value = file->Read(pointer);
  if (BlockWait* wait = BlockWait::Current()) wait->KeepOwner(std::move(file));
  return value;
}

Status DbImpl::CopyValue(const Lookup& found, std::string* value) {
  if (found.entry.kind == EntryKind::kValue) {
    value->assign(found.entry.value);
    return Status::Ok();
  }
  VARVE_ASSIGN_OR_RETURN(PinnedValue pinned,
                         ReadSeparated(*found.super->version, found.entry.value));
  value->assign(pinned.view());
  return Status::Ok();
}

Status DbImpl::GetStored(std::string_view key, std::string* value, const ReadOptions& options) {
  EpochGuard guard;
  const uint64_t begin = times_.Begin();
  Lookup found;
  Status status = FindFor(key, options, &found);
  if (status.ok()) status = CopyValue(found, value);
  if (!status.ok()) value->clear();
  EndGet(status, found, begin);
  return status;
}

Result<std::optional<std::chrono::milliseconds>> DbImpl::TimeToLiveStored(
    std::string_view key, const ReadOptions& options) {
  EpochGuard guard;
  const uint64_t begin = times_.Begin();
  Lookup found;
  const Status status = FindFor(key, options, &found);
  EndGet(status, found, begin);
  if (!status.ok()) return status;
  if (found.deadline == 0) return std::optional<std::chrono::milliseconds>();
  const uint64_t now = store_clock_.Now();
  if (found.deadline <= now) return Status::NotFound();
  return std::optional<std::chrono::milliseconds>(found.deadline - now);
}

// --- The default namespace.

Result<std::optional<std::chrono::milliseconds>> DbImpl::TimeToLive(std::string_view key,
                                                                    const ReadOptions& options) {
  std::string buffer;
  return TimeToLiveStored(Keyspace().ToStored(key, &buffer), options);
}

Status DbImpl::Get(std::string_view key, std::string* value, const ReadOptions& options) {
  if (key.empty() || key[0] != '\xff') return GetStored(key, value, options);
  return GetStored(Keyspace().ToStored(key), value, options);
}

Result<PinnedValue> DbImpl::GetPinned(std::string_view key, const ReadOptions& options) {
  if (key.empty() || key[0] != '\xff') return GetPinnedStored(key, options);
  return GetPinnedStored(Keyspace().ToStored(key), options);
}

std::vector<Result<std::string>> DbImpl::MultiGet(const std::vector<std::string_view>& keys,
                                                  const ReadOptions& options) {
  const bool is_mapped = std::any_of(keys.begin(), keys.end(), [](std::string_view key) {
    return !key.empty() && key[0] == '\xff';
  });
  if (!is_mapped) return MultiGetStored(keys, options);
  std::vector<std::string> stored;
  stored.reserve(keys.size());
  for (std::string_view key : keys) stored.push_back(Keyspace().ToStored(key));
  return MultiGetStored({stored.begin(), stored.end()}, options);
}

std::unique_ptr<Iterator> DbImpl::NewIterator(const IteratorOptions& options) {
  return NewIteratorIn(Keyspace(), options);
}

Result<std::string> DbImpl::Get(std::string_view key, const ReadOptions& options) {
  std::string value;
  VARVE_RETURN_IF_ERROR(Get(key, &value, options));
  return value;
}

Result<PinnedValue> DbImpl::GetPinnedStored(std::string_view key, const ReadOptions& options) {
  EpochGuard guard;
  const uint64_t begin = times_.Begin();
  Lookup found;
  const Status status = FindFor(key, options, &found);
  if (!status.ok()) {
    EndGet(status, found, begin);
    return status;
  }
  if (found.entry.kind == EntryKind::kValuePointer) {
    Result<PinnedValue> value = ReadSeparated(*found.super->version, found.entry.value);
    EndGet(value.status(), found, begin);
    return value;
  }
  EndGet(status, found, begin);
  if (found.frame != nullptr) {
    BlockCache::Ref(found.frame);
    return PinnedValue(found.entry.value, found.frame,
                       [](void* frame) { BlockCache::Unref(static_cast<Frame*>(frame)); });
  }
  found.slot->memtable->Ref();
  return PinnedValue(found.entry.value, found.slot->memtable,
                     [](void* memtable) { static_cast<MemTable*>(memtable)->Unref(); });
}

// --- Iterators.

SuperVersion* DbImpl::RefSuper() {
  EpochGuard guard;
  SuperVersion* super = CurrentSuper();
  super->Ref();
  return super;
}

namespace {

void ApplyBounds(const Keyspace& keyspace, const IteratorOptions& options, DbIteratorParts* parts) {
  parts->keyspace = keyspace;
  StoredRange range =
      StoredRangeOf(keyspace, options.prefix, options.lower_bound, options.upper_bound);
  // The bounds of the default namespace itself cost less than any other.
  if (!range.lower.empty()) parts->lower_bound = std::move(range.lower);
  if (range.upper != kDefaultNamespaceEnd) parts->upper_bound = std::move(range.upper);
}

}  // namespace

void DbImpl::CountIterator(int change) {
  // The cache hears of every 64th only: most iterators are short.
  constexpr uint64_t kStep = 64;
  const uint64_t before = iterator_count_.fetch_add(static_cast<uint64_t>(change));
  const uint64_t after = before + static_cast<uint64_t>(change);
  const auto steps = [](uint64_t count) { return static_cast<int64_t>(count / kStep); };
  if (steps(before) == steps(after)) return;
  cache_.Reserve((steps(after) - steps(before)) * static_cast<int64_t>(kStep * kIteratorBytes));
}

std::unique_ptr<DbIterator> DbImpl::NewIteratorIn(const Keyspace& keyspace,
                                                  const IteratorOptions& options) {
  DbIteratorParts parts;
  SuperVersion* super;
  {
    EpochGuard guard;
    super = ReadPoint(options.snapshot, &parts.sequence);
    super->Ref();
  }
  CountIterator(1);
  parts.pin = std::shared_ptr<void>(super, [this](void* pinned) {
    static_cast<SuperVersion*>(pinned)->Unref();
    CountIterator(-1);
  });
  parts.tombstones = &super->tombstones;
  parts.clock = &store_clock_;
  parts.times = &times_;
  parts.read_value = [this, super](const Entry& entry) {
    return ReadSeparated(*super->version, PlainValueOf(entry.kind, entry.value));
  };
  ApplyBounds(keyspace, options, &parts);

  std::vector<std::unique_ptr<InternalIterator>> sources;
  const auto add_memtable = [&](const MemTableSlot& slot) {
    // A memtable found empty here holds nothing at or before the sequence loaded above: it was in the
    // super version when the sequence was read.
    if (!slot.memtable->empty()) {
      sources.push_back(std::make_unique<MemTableIterator>(slot.memtable));
    }
  };
  add_memtable(*super->active);
  for (const auto& slot : super->immutables) add_memtable(*slot);
  for (const auto& run : super->version->runs()) {
    sources.push_back(std::make_unique<RunIterator>(run, ReadMode::kCached));
  }
  parts.source = NewMergingIterator(std::move(sources));
  return std::make_unique<DbIterator>(std::move(parts));
}

}  // namespace varve
