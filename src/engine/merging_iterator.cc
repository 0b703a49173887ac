#include "engine/merging_iterator.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/planted_bug.h"

namespace varve {

MergingIterator::MergingIterator(std::vector<std::unique_ptr<InternalIterator>> sources)
    : sources_(std::move(sources)) {
  heap_.reserve(sources_.size());
}

bool MergingIterator::Before(const Node& a, const Node& b) const {
  int order;
  if (a.head != b.head) {
    order = a.head < b.head ? -1 : 1;
  } else {
    const Entry& left = sources_[a.source]->entry();
    const Entry& right = sources_[b.source]->entry();
    order = CompareInternal(left.key, left.sequence, right.key, right.sequence);
    if (VARVE_PLANTED_BUG("merge.older_version_first") && left.key == right.key) order = -order;
    if (order == 0) order = a.source < b.source ? -1 : 1;
  }
  return direction_ == Direction::kForward ? order < 0 : order > 0;
}

MergingIterator::Node MergingIterator::NodeOf(uint32_t source) const {
  return {KeyHead(sources_[source]->entry().key), source};
}

void MergingIterator::SiftDown(size_t position) {
  const Node moving = heap_[position];
  const size_t size = heap_.size();
  while (true) {
    size_t child = 2 * position + 1;
    if (child >= size) break;
    if (child + 1 < size && Before(heap_[child + 1], heap_[child])) ++child;
    if (!Before(heap_[child], moving)) break;
    heap_[position] = heap_[child];
    position = child;
  }
  heap_[position] = moving;
}

void MergingIterator::BuildHeap(Direction direction) {
  direction_ = direction;
  heap_.clear();
  for (uint32_t i = 0; i < sources_.size(); ++i) {
    if (sources_[i]->Valid()) heap_.push_back(NodeOf(i));
  }
  for (size_t i = heap_.size() / 2; i-- > 0;) SiftDown(i);
  Publish();
}

void MergingIterator::Publish() {
  valid_ = !heap_.empty();
  if (valid_) entry_ = sources_[heap_[0].source]->entry();
}

void MergingIterator::TopMoved() {
  const uint32_t source = heap_[0].source;
  if (sources_[source]->Valid()) {
    heap_[0] = NodeOf(source);
  } else {
    if (!sources_[source]->status().ok()) {
      valid_ = false;
      return;
    }
    heap_[0] = heap_.back();
    heap_.pop_back();
  }
  if (heap_.size() > 1) SiftDown(0);
  Publish();
}

void MergingIterator::BeginForward() {
  BuildHeap(Direction::kForward);
  if (!status().ok()) valid_ = false;
}

void MergingIterator::SeekToFirst() {
  for (auto& source : sources_) source->SeekToFirst();
  BeginForward();
}

void MergingIterator::SeekToLast() {
  for (auto& source : sources_) source->SeekToLast();
  BuildHeap(Direction::kReverse);
  if (!status().ok()) valid_ = false;
}

void MergingIterator::Seek(std::string_view key, SequenceNumber sequence) {
  for (auto& source : sources_) source->Seek(key, sequence);
  BeginForward();
}

void MergingIterator::SeekForPrev(std::string_view key, SequenceNumber sequence) {
  for (auto& source : sources_) source->SeekForPrev(key, sequence);
  BuildHeap(Direction::kReverse);
  if (!status().ok()) valid_ = false;
}

// All other sources stand where they stopped in the old direction; move them to the other side of the
// current entry.
void MergingIterator::Turn(Direction direction) {
  const uint32_t current = heap_[0].source;
  const std::string key(entry_.key);
  const SequenceNumber sequence = entry_.sequence;
  for (uint32_t i = 0; i < sources_.size(); ++i) {
    if (i == current) continue;
    InternalIterator& source = *sources_[i];
    if (direction == Direction::kForward) {
      source.Seek(key, sequence);
    } else {
      source.SeekForPrev(key, sequence);
    }
    // An equal entry (sequence 0 in two sources) belongs to the side its order says.
    if (source.Valid() && source.entry().key == key && source.entry().sequence == sequence) {
      const bool is_after = i > current;
      if (direction == Direction::kForward && !is_after) source.Next();
      if (direction == Direction::kReverse && is_after) source.Prev();
    }
  }
  BuildHeap(direction);
  if (!status().ok()) {
    valid_ = false;
    return;
  }
  VARVE_DCHECK(heap_[0].source == current);
}

void MergingIterator::Next() {
  if (direction_ != Direction::kForward) {
    Turn(Direction::kForward);
    if (!valid_) return;
  }
  sources_[heap_[0].source]->Next();
  TopMoved();
}

void MergingIterator::Prev() {
  if (direction_ != Direction::kReverse) {
    Turn(Direction::kReverse);
    if (!valid_) return;
  }
  sources_[heap_[0].source]->Prev();
  TopMoved();
}

Status MergingIterator::status() const {
  for (const auto& source : sources_) {
    Status status = source->status();
    if (!status.ok()) return status;
  }
  return Status::Ok();
}

std::unique_ptr<InternalIterator> NewMergingIterator(
    std::vector<std::unique_ptr<InternalIterator>> sources) {
  if (sources.size() == 1) return std::move(sources[0]);
  return std::make_unique<MergingIterator>(std::move(sources));
}

}  // namespace varve
