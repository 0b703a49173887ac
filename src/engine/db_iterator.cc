#include "engine/db_iterator.h"

#include "base/check.h"
#include "base/coding.h"

namespace varve {

class DbIterator::Positioning {
 public:
  explicit Positioning(DbIterator* iterator)
      : iterator_(iterator),
        begin_(iterator->parts_.times != nullptr ? iterator->parts_.times->Begin() : 0) {}
  ~Positioning() {
    if (iterator_->parts_.times == nullptr) return;
    iterator_->parts_.times->End(Operation::kScan, begin_);
    if (++iterator_->untold_scans_ == kScansPerTelling) iterator_->TellScans();
  }
  Positioning(const Positioning&) = delete;
  Positioning& operator=(const Positioning&) = delete;

 private:
  DbIterator* const iterator_;
  const uint64_t begin_;
};

void DbIterator::TellScans() {
  if (untold_scans_ == 0) return;
  EpochGuard guard;
  parts_.times->CountScans(untold_scans_);
  untold_scans_ = 0;
}

bool DbIterator::IsHidden(const Entry& entry) {
  if (parts_.tombstones->empty()) return false;
  if (!has_stretch_ || !stretch_.Contains(entry.key)) {
    stretch_ = parts_.tombstones->StretchAround(entry.key, parts_.sequence);
    has_stretch_ = true;
    hidden_count_ = 0;
  }
  return stretch_.sequence > entry.sequence;
}

void DbIterator::SeekToFirst() {
  if (parts_.lower_bound.has_value()) return SeekStored(*parts_.lower_bound);
  const Positioning positioning(this);
  ReleaseValue();
  error_ = Status::Ok();
  direction_ = Direction::kForward;
  parts_.source->SeekToFirst();
  FindNext(/*skipping=*/false);
}

void DbIterator::Seek(std::string_view target) {
  SeekStored(parts_.keyspace.ToStored(target, &target_));
}

void DbIterator::SeekStored(std::string_view target) {
  const Positioning positioning(this);
  ReleaseValue();
  error_ = Status::Ok();
  if (IsBeforeLower(target)) target = *parts_.lower_bound;
  direction_ = Direction::kForward;
  parts_.source->Seek(target, parts_.sequence);
  FindNext(/*skipping=*/false);
}

void DbIterator::SeekToLast() {
  const Positioning positioning(this);
  ReleaseValue();
  error_ = Status::Ok();
  direction_ = Direction::kReverse;
  // The last entry before every version of the bound.
  parts_.source->SeekForPrev(
      parts_.upper_bound ? std::string_view(*parts_.upper_bound) : kDefaultNamespaceEnd, kMaxSequence);
  while (parts_.source->Valid() && IsAtOrAfterUpper(parts_.source->entry().key)) {
    parts_.source->Prev();
  }
  FindPrev();
}

void DbIterator::SeekForPrev(std::string_view target) {
  SeekForPrevStored(parts_.keyspace.ToStored(target, &target_));
}

void DbIterator::SeekForPrevStored(std::string_view target) {
  if (IsAtOrAfterUpper(target)) return SeekToLast();
  const Positioning positioning(this);
  ReleaseValue();
  error_ = Status::Ok();
  direction_ = Direction::kReverse;
  // Sequence 0 orders after every version of the key.
  parts_.source->SeekForPrev(target, 0);
  FindPrev();
}

void DbIterator::FindNext(bool skipping) {
  InternalIterator& source = *parts_.source;
  valid_ = false;
  while (source.Valid()) {
    const Entry& entry = source.entry();
    if (IsAtOrAfterUpper(entry.key)) return;
    if (!IsVisible(entry) || (skipping && entry.key == skip_key_)) {
      source.Next();
      continue;
    }
    // What is older of a deleted or expired key is deleted as well.
    const bool is_hidden = IsHidden(entry);
    if (is_hidden || !IsAlive(entry)) {
      skip_key_.assign(entry.key);
      skipping = true;
      if (is_hidden && LeapIsDue()) {
        source.SkipForward(stretch_.end, stretch_.sequence);
      } else {
        source.Next();
      }
      continue;
    }
    valid_ = true;
    return;
  }
}

namespace {

// a != b. Neighbours share their beginnings, so the ends are looked at first, without a call.
bool KeysDiffer(std::string_view a, std::string_view b) {
  constexpr size_t kTail = sizeof(uint64_t);
  if (a.size() != b.size()) return true;
  if (a.size() < kTail) return a != b;
  const size_t tail = a.size() - kTail;
  if (LoadFixed<uint64_t>(a.data() + tail) != LoadFixed<uint64_t>(b.data() + tail)) return true;
  return a.substr(0, tail) != b.substr(0, tail);
}

}  // namespace

// The usual case of Next, without a copy of the key: one step led to another key, which is to be seen.
bool DbIterator::StandsOnNextKey(std::string_view left) const {
  const InternalIterator& source = *parts_.source;
  if (!source.Valid()) return false;
  const Entry& entry = source.entry();
  return IsVisible(entry) && entry.kind != EntryKind::kDelete && !IsExpiring(entry.kind) &&
         KeysDiffer(entry.key, left) &&
         parts_.tombstones->empty() && !IsAtOrAfterUpper(entry.key);
}

void DbIterator::Next() {
  if (!error_.ok()) return;  // reading the value failed, and a loop goes on to here
  VARVE_DCHECK(valid_);
  ReleaseValue();
  if (direction_ == Direction::kReverse) {
    direction_ = Direction::kForward;
    skip_key_ = saved_key_;
    // Standing before the key: move into it, FindNext passes over its versions.
    parts_.source->Seek(skip_key_, kMaxSequence);
  } else {
    const std::string_view left = parts_.source->entry().key;
    parts_.source->Next();
    if (StandsOnNextKey(left)) return;
    skip_key_.assign(left);
  }
  FindNext(/*skipping=*/true);
}

void DbIterator::SaveCurrent(const Entry& entry) {
  saved_key_.assign(entry.key);
  saved_value_.assign(entry.value);
  saved_ = entry;
  saved_.key = saved_key_;
  saved_.value = saved_value_;
}

void DbIterator::FindPrev() {
  InternalIterator& source = *parts_.source;
  valid_ = false;
  bool have_key = false;   // saved_key_ holds a key whose versions are being walked, oldest first
  bool shown = false;      // the newest visible version so far is a value
  while (source.Valid()) {
    const Entry& entry = source.entry();
    if (have_key && entry.key != saved_key_) {
      if (shown) break;
      have_key = false;
    }
    if (!have_key && IsBeforeLower(entry.key)) break;
    bool is_hidden = false;
    if (IsVisible(entry)) {
      is_hidden = IsHidden(entry);
      shown = !is_hidden && IsAlive(entry);
      SaveCurrent(entry);
      have_key = true;
    }
    if (is_hidden && LeapIsDue()) {
      source.SkipBackward(stretch_.begin, stretch_.sequence);
      continue;
    }
    source.Prev();
  }
  if (!source.status().ok()) return;
  valid_ = have_key && shown;
}

void DbIterator::Prev() {
  if (!error_.ok()) return;
  VARVE_DCHECK(valid_);
  ReleaseValue();
  if (direction_ == Direction::kForward) {
    direction_ = Direction::kReverse;
    const std::string key(parts_.source->entry().key);
    // Every version of the key is after (key, kMaxSequence).
    parts_.source->SeekForPrev(key, kMaxSequence);
    while (parts_.source->Valid() && parts_.source->entry().key == key) parts_.source->Prev();
  }
  FindPrev();
}

uint64_t DbIterator::expire_at_millis() const {
  const Entry& entry = Current();
  return IsExpiring(entry.kind) ? DeadlineOf(entry.value) : 0;
}

std::string_view DbIterator::value() {
  const Entry& entry = Current();
  if (!HasPointer(entry.kind)) return PlainValueOf(entry.kind, entry.value);
  if (!value_is_loaded_) {
    Result<PinnedValue> value = parts_.read_value(entry);
    if (!value.ok()) {
      error_ = value.status();
      valid_ = false;
      return {};
    }
    value_ = *std::move(value);
    value_is_loaded_ = true;
  }
  return value_.view();
}

}  // namespace varve
