#include "engine/segment_reader.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "engine/operation_times.h"
#include "format/block_file.h"
#include "format/filename.h"
#include "format/point_index.h"

namespace varve {

SegmentReader::SegmentReader(ReaderContext* context, SegmentMeta meta)
    : context_(context), meta_(std::move(meta)) {}

SegmentReader::~SegmentReader() {
  OpenState* state = state_.load(std::memory_order_relaxed);
  if (state != nullptr) {
    context_->ReleaseIndex(state->segment.index.memory_bytes() +
                                        state->data_slots->memory_bytes() +
                                        state->index_slots->memory_bytes());
    delete state;
  }
  if (is_obsolete_.load(std::memory_order_relaxed)) context_->remove_file(path());
}

std::string SegmentReader::path() const {
  return JoinPath(context_->dir, SegmentFileName(meta_.file_number));
}

Status SegmentReader::Damaged(const char* what, uint64_t offset) const {
  return Status::Corruption(path() + " at offset " + std::to_string(offset) + ": " + what);
}

Result<std::unique_ptr<SegmentReader::OpenState>> SegmentReader::OpenFile() const {
  auto state = std::make_unique<OpenState>();
  auto file = context_->env->OpenRandomAccess(path());
  if (!file.ok()) {
    // The manifest names it, so its absence is damage and not a missing key.
    if (file.status().IsNotFound()) {
      return Status::Corruption("segment is missing: " + std::string(file.status().message()));
    }
    return file.status();
  }
  state->file = *std::move(file);
  VARVE_ASSIGN_OR_RETURN(state->segment, OpenSegment(*state->file, meta_.file_number));
  const SegmentProperties& properties = state->segment.properties;
  if (properties.entry_count != meta_.entry_count || state->segment.file_bytes != meta_.file_bytes ||
      properties.smallest_key != meta_.smallest_key || properties.largest_key != meta_.largest_key) {
    return Status::Corruption(path() + ": not the segment that the manifest describes");
  }
  state->data_slots =
      std::make_unique<BlockSlots>(context_->cache, state->segment.index.block_count());
  state->index_slots =
      std::make_unique<BlockSlots>(context_->cache, properties.point_index_page_count);
  return state;
}

Result<SegmentReader::OpenState*> SegmentReader::Open() {
  // Acquire: the state was filled before it was published.
  OpenState* state = state_.load(std::memory_order_acquire);
  if (__builtin_expect(state != nullptr, 1)) return state;
  if (BlockWait* wait = BlockWait::Current()) return wait->MustBlock();
  NoteDiskRead(context_->env->clock()->MonotonicNanos());
  MutexLock lock(&open_mu_);
  state = state_.load(std::memory_order_relaxed);
  if (state != nullptr) return state;
  VARVE_ASSIGN_OR_RETURN(std::unique_ptr<OpenState> opened, OpenFile());
  context_->ChargeIndex(opened->segment.index.memory_bytes() +
                                      opened->data_slots->memory_bytes() +
                                      opened->index_slots->memory_bytes());
  state = opened.release();
  state_.store(state, std::memory_order_release);
  return state;
}

Result<const SegmentIndex*> SegmentReader::Index() {
  VARVE_ASSIGN_OR_RETURN(OpenState* state, Open());
  return &state->segment.index;
}

Status SegmentReader::Load(OpenState* state, BlockSlots* slots, size_t index, uint64_t offset,
                           size_t bytes, BlockKind kind, CachedBlock* loaded) {
  if (BlockWait* wait = BlockWait::Current()) {
    return wait->Take({this, slots, index, state->file.get(), offset, bytes, kind, {}, {}}, loaded);
  }
  // Per thread, because a miss must not cost an allocation of a block on top of its frame.
  thread_local std::string disk;
  disk.resize(bytes);
  NoteDiskRead(context_->env->clock()->MonotonicNanos());
  VARVE_ASSIGN_OR_RETURN(size_t got, state->file->Read(offset, bytes, disk.data()));
  if (got != bytes) return Damaged("the file ends inside a block", offset);
  return Adopt(slots, index, offset, kind, disk, loaded);
}

Status SegmentReader::Install(const MissingBlock& block, const Result<size_t>& got, const char* data,
                              CachedBlock* loaded) {
  if (!got.ok()) return got.status();
  if (*got != block.bytes) return Damaged("the file ends inside a block", block.offset);
  return Adopt(block.slots, block.index, block.offset, block.kind, {data, block.bytes}, loaded);
}

Status SegmentReader::Adopt(BlockSlots* slots, size_t index, uint64_t offset, BlockKind kind,
                            std::string_view disk, CachedBlock* loaded) {
  auto opened = OpenBlock(disk, meta_.file_number, offset);
  if (!opened.ok()) return opened.status().WithContext(path());
  if (opened->kind != kind) return Damaged("a block of another kind", offset);
  if (kind == BlockKind::kPointIndex &&
      opened->raw_bytes < kPointIndexBucketsPerPage * kPointIndexBucketBytes) {
    return Damaged("a short page of the point index", offset);
  }
  Frame* frame = context_->cache->AllocateFrame(opened->raw_bytes);
  Status status = UnpackBlock(*opened, meta_.file_number, offset, frame->data());
  if (!status.ok()) {
    BlockCache::Unref(frame);
    return status.WithContext(path());
  }
  loaded->frame = context_->cache->Publish(slots, index, frame);
  loaded->bytes = {loaded->frame->data(), loaded->frame->size};
  return Status::Ok();
}

Status SegmentReader::LoadDataBlock(OpenState* state, size_t block, CachedBlock* loaded) {
  const SegmentIndex& index = state->segment.index;
  VARVE_RETURN_IF_ERROR(Load(state, state->data_slots.get(), block, index.block_offset(block),
                             index.block_bytes(block), BlockKind::kData, loaded));
  BlockView view;
  if (view.Parse(loaded->bytes) && view.count() > 0) {
    // Relaxed: a hint.
    state->entry_bytes_256.store(view.AverageEntryBytes256(), std::memory_order_relaxed);
  }
  return Status::Ok();
}

Status SegmentReader::DataBlock(size_t block, CachedBlock* found) {
  VARVE_ASSIGN_OR_RETURN(OpenState* state, Open());
  return DataBlock(state, block, found, NoTrace());
}

Status SegmentReader::LoadIndexPage(OpenState* state, uint32_t page, CachedBlock* loaded) {
  return Load(state, state->index_slots.get(), page, IndexPageOffset(*state, page), kPageBytes,
              BlockKind::kPointIndex, loaded);
}

// --- Prefetching.

void SegmentReader::Prefetch(uint64_t hash) const {
  const OpenState* state = state_.load(std::memory_order_acquire);
  if (state == nullptr) return;
  const uint32_t pages = state->segment.properties.point_index_page_count;
  if (pages == 0) return;
  const std::string_view page = BlockCache::Peek(*state->index_slots, PointIndexPageOf(hash, pages));
  if (!page.empty()) __builtin_prefetch(PointIndexBucketAddress(page.data(), hash));
}

PointProbe SegmentReader::Probe(uint64_t hash) const {
  PointProbe probe;
  const OpenState* state = state_.load(std::memory_order_acquire);
  if (state == nullptr) return probe;
  const uint32_t pages = state->segment.properties.point_index_page_count;
  if (pages == 0) return probe;
  const std::string_view page = BlockCache::Peek(*state->index_slots, PointIndexPageOf(hash, pages));
  if (page.empty()) return probe;
  probe.state = PointProbe::State::kAbsent;
  if (!PointIndexProbe(page.data(), hash).Next(&probe.location)) return probe;
  probe.state = PointProbe::State::kUnknown;
  if (probe.location.block >= state->segment.index.block_count()) return probe;
  probe.state = PointProbe::State::kFound;
  BlockCache::PrefetchSlot(*state->data_slots, probe.location.block);
  return probe;
}

void SegmentReader::PrefetchEntry(PointProbe* probe) const {
  const OpenState* state = state_.load(std::memory_order_acquire);
  probe->frame = BlockCache::Lookup(*state->data_slots, probe->location.block, &probe->bytes);
  if (probe->frame != nullptr) PrefetchEntryIn(*state, probe->bytes, probe->location.slot);
}

// Finding an entry takes two misses that depend on each other: the slot array at the block's end, and
// where it points. Entries of one size let the second be guessed from the slot, so that both are under
// way at once. A wrong guess costs the lines it brings.
void SegmentReader::PrefetchEntryIn(const OpenState& state, std::string_view block, int slot) {
  constexpr size_t kLine = 64;
  constexpr size_t kMaxGuessedLines = 3;
  if (block.size() < 2 * kLine) return;  // for the addresses below
  const char* last = block.data() + block.size() - 1;
  __builtin_prefetch(last);
  __builtin_prefetch(last - kLine);
  const size_t entry_bytes_256 = state.entry_bytes_256.load(std::memory_order_relaxed);
  const size_t begin = static_cast<size_t>(slot) * entry_bytes_256 / 256;
  const size_t end =
      std::min({begin + entry_bytes_256 / 256, begin + kMaxGuessedLines * kLine, block.size()});
  for (size_t at = begin & ~(kLine - 1); at < end; at += kLine) {
    __builtin_prefetch(block.data() + at);
  }
}

void SegmentReader::PrefetchValue(PointProbe* probe) {
  if (probe->frame != nullptr && probe->view.Parse(probe->bytes)) {
    probe->view.Prefetch(probe->location.slot);
  }
}

void SegmentReader::PrefetchBlock(size_t block) const {
  constexpr size_t kLine = 64;
  const OpenState* state = state_.load(std::memory_order_acquire);
  const std::string_view bytes = BlockCache::Peek(*state->data_slots, block);
  if (bytes.size() < 4 * kLine) return;
  __builtin_prefetch(bytes.data() - sizeof(Frame), 1);  // for who pins it
  __builtin_prefetch(bytes.data() + bytes.size() - 1);
  for (size_t at = 0; at < 4 * kLine; at += kLine) __builtin_prefetch(bytes.data() + at);
}

void SegmentReader::PrefetchSearch(const CachedBlock& block) const {
  constexpr size_t kLine = 64;
  constexpr uint64_t kSlotBytes256 = 2 * 256;
  constexpr int kSteps = 4;
  __builtin_prefetch(block.frame, 1);
  const std::string_view bytes = block.bytes;
  const OpenState* state = state_.load(std::memory_order_acquire);
  const uint64_t entry_bytes_256 = state->entry_bytes_256.load(std::memory_order_relaxed);
  if (bytes.size() < 2 * kLine || entry_bytes_256 == 0) return;
  const char* last = bytes.data() + bytes.size() - 1;
  __builtin_prefetch(last);
  __builtin_prefetch(last - kLine);
  // The places of BlockView::LowerBound's first steps, if all entries are of one size.
  const uint64_t count = bytes.size() * 256 / (entry_bytes_256 + kSlotBytes256);
  for (int step = 0; step < kSteps; ++step) {
    for (uint64_t i = 1; i < (uint64_t{2} << step); i += 2) {
      const uint64_t at = (count * i >> (step + 1)) * entry_bytes_256 / 256;
      __builtin_prefetch(bytes.data() + std::min<uint64_t>(at, bytes.size() - 1));
    }
  }
}

// --- Lookups.

template <typename Trace>
Result<SegmentReader::OpenState*> SegmentReader::OpenFor(Trace trace) {
  if constexpr (Trace::kIsOn) {
    if (state_.load(std::memory_order_relaxed) == nullptr) trace.OpenedFile();
  }
  return Open();
}

template <typename Trace>
Status SegmentReader::IndexPage(OpenState* state, uint32_t page, CachedBlock* found, Trace trace) {
  found->frame = BlockCache::Lookup(*state->index_slots, page, &found->bytes);
  const bool is_cached = found->frame != nullptr;
  if (__builtin_expect(!is_cached, 0)) VARVE_RETURN_IF_ERROR(LoadIndexPage(state, page, found));
  trace.Block(ExplainedBlock::Kind::kIndexPage, IndexPageOffset(*state, page), kPageBytes, !is_cached);
  return Status::Ok();
}

template <typename Trace>
Result<bool> SegmentReader::FindVersion(OpenState* state, size_t block, int slot, std::string_view key,
                                        SequenceNumber max_sequence, FoundEntry* found, Trace trace) {
  // Versions of a key are neighbours, possibly over several blocks.
  for (; block < state->segment.index.block_count(); ++block, slot = 0) {
    CachedBlock cached;
    VARVE_RETURN_IF_ERROR(DataBlock(state, block, &cached, trace));
    BlockView view;
    if (!view.Parse(cached.bytes)) {
      return Damaged("malformed block", state->segment.index.block_offset(block));
    }
    for (; slot < view.count(); ++slot) {
      if (!view.Decode(slot, &found->entry)) {
        return Damaged("malformed entry", state->segment.index.block_offset(block));
      }
      if (found->entry.key != key) return false;
      if (found->entry.sequence <= max_sequence) {
        found->frame = cached.frame;
        return true;
      }
    }
  }
  return false;
}

template <typename Trace>
Result<bool> SegmentReader::FindBySearch(OpenState* state, std::string_view key,
                                         SequenceNumber max_sequence, FoundEntry* found, Trace trace) {
  const size_t block = state->segment.index.FindBlock(key, max_sequence);
  CachedBlock cached;
  VARVE_RETURN_IF_ERROR(DataBlock(state, block, &cached, trace));
  BlockView view;
  const uint64_t offset = state->segment.index.block_offset(block);
  if (!view.Parse(cached.bytes)) return Damaged("malformed block", offset);
  const int slot = view.LowerBound(key, max_sequence);
  if (slot < 0) return Damaged("malformed entry", offset);
  return FindVersion(state, block, slot, key, max_sequence, found, trace);
}

template <typename Trace>
Result<bool> SegmentReader::FindByIndexPage(OpenState* state, std::string_view page, std::string_view key,
                                            uint64_t hash, SequenceNumber max_sequence,
                                            FoundEntry* found, Trace trace) {
  trace.FilterSays(ExplainedPart::Filter::kAbsent);
  PointIndexProbe probe(page.data(), hash);
  for (PointLocation location; probe.Next(&location);) {
    trace.FilterSays(ExplainedPart::Filter::kMaybe);
    if (location.block >= state->segment.index.block_count()) {
      return Damaged("the point index leads outside the segment",
                     state->segment.properties.point_index_offset);
    }
    CachedBlock cached;
    VARVE_RETURN_IF_ERROR(DataBlock(state, location.block, &cached, trace));
    PrefetchEntryIn(*state, cached.bytes, location.slot);
    BlockView view;
    if (!view.Parse(cached.bytes) || !view.Decode(location.slot, &found->entry)) {
      return Damaged("malformed entry", state->segment.index.block_offset(location.block));
    }
    if (found->entry.key != key) {  // another key with the same tag
      trace.FalsePositive();
      continue;
    }
    if (found->entry.sequence <= max_sequence) {
      found->frame = cached.frame;
      return true;
    }
    return FindVersion(state, location.block, location.slot, key, max_sequence, found, trace);
  }
  return false;
}

template <typename Trace>
Result<bool> SegmentReader::Find(std::string_view key, uint64_t hash, SequenceNumber max_sequence,
                                 FoundEntry* found, Trace trace) {
  VARVE_ASSIGN_OR_RETURN(OpenState* state, OpenFor(trace));
  const uint32_t pages = state->segment.properties.point_index_page_count;
  if (pages == 0) return FindBySearch(state, key, max_sequence, found, trace);
  const uint32_t page_number = PointIndexPageOf(hash, pages);
  CachedBlock page;
  VARVE_RETURN_IF_ERROR(IndexPage(state, page_number, &page, trace));
  return FindByIndexPage(state, page.bytes, key, hash, max_sequence, found, trace);
}

template <typename Trace>
Result<bool> SegmentReader::FindSparingIndex(std::string_view key, uint64_t hash,
                                             SequenceNumber max_sequence, FoundEntry* found,
                                             Trace trace) {
  VARVE_ASSIGN_OR_RETURN(OpenState* state, OpenFor(trace));
  const uint32_t pages = state->segment.properties.point_index_page_count;
  if (pages == 0) return FindBySearch(state, key, max_sequence, found, trace);
  const uint32_t page_number = PointIndexPageOf(hash, pages);
  const std::string_view cached = BlockCache::Peek(*state->index_slots, page_number);
  VARVE_ASSIGN_OR_RETURN(
      const bool is_found,
      cached.empty() ? FindBySearch(state, key, max_sequence, found, trace)
                     : FindByIndexPage(state, cached, key, hash, max_sequence, found, trace));
  if (is_found) return true;
  // The page has told, or would have told, without the block: a use.
  CachedBlock page;
  VARVE_RETURN_IF_ERROR(IndexPage(state, page_number, &page, trace));
  return false;
}

template Result<bool> SegmentReader::Find(std::string_view, uint64_t, SequenceNumber, FoundEntry*, NoTrace);
template Result<bool> SegmentReader::Find(std::string_view, uint64_t, SequenceNumber, FoundEntry*,
                                          LookupTrace);
template Result<bool> SegmentReader::FindSparingIndex(std::string_view, uint64_t, SequenceNumber,
                                                      FoundEntry*, NoTrace);
template Result<bool> SegmentReader::FindSparingIndex(std::string_view, uint64_t, SequenceNumber,
                                                      FoundEntry*, LookupTrace);

bool SegmentReader::FindAt(const PointProbe& probe, std::string_view key,
                           SequenceNumber max_sequence, FoundEntry* found) {
  found->frame = probe.frame;
  return probe.view.Decode(probe.location.slot, &found->entry) && found->entry.key == key &&
         found->entry.sequence <= max_sequence;
}

Status SegmentReader::ReadBlocks(size_t first, size_t count, BlockBatch* batch) {
  VARVE_ASSIGN_OR_RETURN(OpenState* state, Open());
  const SegmentIndex& index = state->segment.index;
  const uint64_t begin = index.block_offset(first);
  const size_t bytes =
      static_cast<size_t>(index.block_offset(first + count - 1) + index.block_bytes(first + count - 1) -
                          begin);
  batch->raws.clear();
  batch->unpacked.clear();
  batch->buffer.resize(bytes);
  VARVE_ASSIGN_OR_RETURN(size_t got, state->file->Read(begin, bytes, batch->buffer.data()));
  if (got != bytes) return Damaged("the file ends inside a block", begin + got);
  for (size_t i = 0; i < count; ++i) {
    const uint64_t offset = index.block_offset(first + i);
    const std::string_view disk(batch->buffer.data() + (offset - begin), index.block_bytes(first + i));
    auto opened = OpenBlock(disk, meta_.file_number, offset);
    if (!opened.ok()) return opened.status().WithContext(path());
    if (opened->kind != BlockKind::kData) return Damaged("a block of another kind", offset);
    if (opened->in_place()) {
      batch->raws.push_back(opened->payload);
      continue;
    }
    auto raw = std::make_unique<std::string>(opened->raw_bytes, '\0');
    VARVE_RETURN_IF_ERROR(
        UnpackBlock(*opened, meta_.file_number, offset, raw->data()).WithContext(path()));
    batch->raws.push_back(*raw);
    batch->unpacked.push_back(std::move(raw));
  }
  return Status::Ok();
}

}  // namespace varve
