#include "engine/run_iterator.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"

namespace varve {

RunIterator::~RunIterator() {
  if (frame_ != nullptr) BlockCache::Unref(frame_);
  if (previous_frame_ != nullptr) BlockCache::Unref(previous_frame_);
}

bool RunIterator::Fail(Status status) {
  status_ = std::move(status);
  valid_ = false;
  return false;
}

bool RunIterator::EnterSlice(size_t slice_index) {
  if (index_ != nullptr && slice_ == slice_index) return true;
  slice_ = slice_index;
  auto index = slice().segment->Index();
  if (!index.ok()) {
    index_ = nullptr;
    return Fail(index.status());
  }
  index_ = *index;
  return true;
}

// One movement may pass through several blocks, at a trim for example.
void RunIterator::KeepLeftFrame() {
  if (left_is_kept_) {
    if (frame_ != nullptr) BlockCache::Unref(frame_);
    return;
  }
  if (previous_frame_ != nullptr) BlockCache::Unref(previous_frame_);
  previous_frame_ = frame_;
  left_is_kept_ = true;
}

bool RunIterator::LoadCached(size_t block, bool for_search) {
  EpochGuard guard;
  CachedBlock cached;
  Status status = slice().segment->DataBlock(block, &cached);
  if (!status.ok()) return Fail(std::move(status));
  if (cached.frame == frame_) return true;
  // Before the pin, a locked instruction on a line that is often far away: their misses overlap.
  if (for_search) slice().segment->PrefetchSearch(cached);
  BlockCache::Ref(cached.frame);
  KeepLeftFrame();
  frame_ = cached.frame;
  // The next block's first lines are on their way while this one is being walked.
  if (block + 1 < index_->block_count()) slice().segment->PrefetchBlock(block + 1);
  if (!view_.Parse(cached.bytes)) {
    return Fail(Status::Corruption(slice().segment->path() + ": malformed block " +
                                   std::to_string(block)));
  }
  return true;
}

bool RunIterator::LoadStreamed(size_t block) {
  SegmentReader* segment = slice().segment.get();
  if (batch_segment_ != segment || block < batch_first_ ||
      block >= batch_first_ + batch_.raws.size()) {
    size_t count = 1;
    size_t bytes = index_->block_bytes(block);
    while (block + count < index_->block_count() && bytes < kStreamBytes) {
      bytes += index_->block_bytes(block + count);
      ++count;
    }
    std::swap(batch_, previous_batch_);
    batch_segment_ = nullptr;
    Status status = segment->ReadBlocks(block, count, &batch_);
    if (!status.ok()) return Fail(std::move(status));
    batch_segment_ = segment;
    batch_first_ = block;
  }
  if (!view_.Parse(batch_.raws[block - batch_first_])) {
    return Fail(Status::Corruption(segment->path() + ": malformed block " + std::to_string(block)));
  }
  return true;
}

bool RunIterator::LoadBlock(size_t block, bool for_search) {
  if (mode_ == ReadMode::kCached ? !LoadCached(block, for_search) : !LoadStreamed(block)) return false;
  block_ = block;
  return true;
}

bool RunIterator::DecodeAt(int slot) {
  slot_ = slot;
  if (!view_.Decode(slot, &entry_)) {
    return Fail(Status::Corruption(slice().segment->path() + ": malformed entry in block " +
                                   std::to_string(block_)));
  }
  valid_ = true;
  return true;
}

void RunIterator::ToSliceStart(size_t slice_index) {
  valid_ = false;
  if (slice_index >= run_->slices().size()) return;
  if (!EnterSlice(slice_index)) return;
  if (slice().trim) {
    SeekInSlice(slice_index, *slice().trim, 0);
    return;
  }
  if (LoadBlock(0)) (void)DecodeAt(0);
}

void RunIterator::ToSliceEnd(size_t slice_index) {
  valid_ = false;
  if (!EnterSlice(slice_index)) return;
  if (!LoadBlock(index_->block_count() - 1)) return;
  (void)DecodeAt(view_.count() - 1);
}

void RunIterator::StepForward() {
  if (slot_ + 1 < view_.count()) {
    view_.Prefetch(slot_ + 1 + kPrefetchDistance);
    (void)DecodeAt(slot_ + 1);
  } else if (block_ + 1 < index_->block_count()) {
    if (LoadBlock(block_ + 1)) (void)DecodeAt(0);
  } else {
    ToSliceStart(slice_ + 1);
  }
}

void RunIterator::StepBack() {
  if (slot_ > 0) {
    (void)DecodeAt(slot_ - 1);
  } else if (block_ > 0) {
    const int from_end = VARVE_PLANTED_BUG("iterator.prev_skips_the_last_of_a_block") ? 2 : 1;
    if (LoadBlock(block_ - 1)) (void)DecodeAt(std::max(0, view_.count() - from_end));
  } else if (slice_ > 0) {
    ToSliceEnd(slice_ - 1);
  } else {
    valid_ = false;
    return;
  }
  if (!valid_ || !slice().trim || entry_.key > *slice().trim) return;
  if (VARVE_PLANTED_BUG("iterator.prev_shows_what_is_trimmed")) return;
  // The rest of this slice is trimmed away. A slice always ends with an entry that is not.
  if (slice_ > 0) {
    ToSliceEnd(slice_ - 1);
  } else {
    valid_ = false;
  }
}

void RunIterator::SeekToFirst() {
  left_is_kept_ = false;
  status_ = Status::Ok();
  ToSliceStart(0);
}

void RunIterator::SeekToLast() {
  VARVE_DCHECK(mode_ == ReadMode::kCached);
  left_is_kept_ = false;
  status_ = Status::Ok();
  valid_ = false;
  if (!run_->slices().empty()) ToSliceEnd(run_->slices().size() - 1);
}

void RunIterator::Seek(std::string_view key, SequenceNumber sequence) {
  left_is_kept_ = false;
  status_ = Status::Ok();
  valid_ = false;
  const size_t target = run_->FirstAtOrAfter(key);
  if (target < run_->slices().size()) SeekInSlice(target, key, sequence);
}

void RunIterator::SeekInSlice(size_t slice_index, std::string_view key, SequenceNumber sequence) {
  if (!EnterSlice(slice_index)) return;
  if (slice().trim && key <= *slice().trim) {
    key = *slice().trim;
    sequence = 0;
  }
  const size_t block = index_->FindBlock(key, sequence);
  if (!LoadBlock(block, /*for_search=*/true)) return;
  const int slot = view_.LowerBound(key, sequence);
  if (slot < 0) {
    (void)Fail(Status::Corruption(slice().segment->path() + ": malformed block " +
                                  std::to_string(block)));
    return;
  }
  if (slot < view_.count()) {
    for (int ahead = 1; ahead <= kPrefetchDistance; ++ahead) view_.Prefetch(slot + ahead);
    (void)DecodeAt(slot);
  } else {
    slot_ = view_.count() - 1;
    StepForward();
  }
  // An entry whose key is the trim itself, with sequence 0.
  while (valid_ && slice_ == slice_index && slice().trim && entry_.key <= *slice().trim) {
    StepForward();
  }
}

void RunIterator::SeekForPrev(std::string_view key, SequenceNumber sequence) {
  VARVE_DCHECK(mode_ == ReadMode::kCached);
  Seek(key, sequence);
  if (!status_.ok()) return;
  if (!valid_) {
    SeekToLast();
    return;
  }
  if (CompareInternal(entry_.key, entry_.sequence, key, sequence) > 0) StepBack();
}

void RunIterator::Next() {
  VARVE_DCHECK(valid_);
  left_is_kept_ = false;
  StepForward();
}

void RunIterator::Prev() {
  VARVE_DCHECK(valid_);
  left_is_kept_ = false;
  StepBack();
}

}  // namespace varve
