#include "engine/transaction_iterator.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"

namespace varve {

namespace {

// The smallest key after `key`.
std::string After(std::string_view key) {
  std::string after(key);
  after.push_back('\0');
  return after;
}

}  // namespace

TransactionIterator::TransactionIterator(TransactionView* view, std::unique_ptr<DbIterator> base,
                                         const Keyspace& keyspace, StoredRange bounds)
    : view_(view),
      base_(std::move(base)),
      keyspace_(keyspace),
      lower_(std::move(bounds.lower)),
      upper_(std::move(bounds.upper)) {
  if (view_->reads != nullptr) view_->iterators.push_back(this);
}

TransactionIterator::~TransactionIterator() {
  if (view_->reads == nullptr) return;
  if (view_->is_active) NoteRange();
  std::erase(view_->iterators, this);
}

bool TransactionIterator::Begin() {
  shown_ = Shown::kNothing;
  if (view_->is_active) {
    error_ = Status::Ok();
    return true;
  }
  error_ = Status::InvalidArgument("the transaction has ended");
  return false;
}

// --- What has been shown.

void TransactionIterator::BeginRange(std::string at) {
  if (view_->reads == nullptr) return;
  has_range_ = true;
  range_begin_ = std::move(at);
  range_end_ = range_begin_;
}

void TransactionIterator::WidenRange() {
  if (!has_range_) return;
  if (direction_ == Direction::kForward) {
    if (!Valid()) {
      range_end_ = std::max(range_end_, upper_);
    } else if (stored_key() >= range_end_) {
      range_end_ = After(stored_key());
    }
  } else if (!Valid()) {
    range_begin_ = std::min(range_begin_, lower_);
  } else if (stored_key() < range_begin_) {
    range_begin_.assign(stored_key());
  }
}

void TransactionIterator::NoteRange() {
  if (!has_range_) return;
  WidenRange();
  has_range_ = false;
  if (!VARVE_PLANTED_BUG("transaction.ranges_not_validated")) {
    view_->reads->AddRange(std::exchange(range_begin_, {}), std::exchange(range_end_, {}));
  }
  if (!Valid()) return;
  // What it shows from here on is a range that begins at the key shown.
  has_range_ = true;
  range_begin_.assign(stored_key());
  range_end_ = After(stored_key());
}

// --- Seeks.

void TransactionIterator::Seek(std::string_view target) {
  SeekStored(keyspace_.ToStored(target, &target_));
}

void TransactionIterator::SeekToFirst() { SeekStored(lower_); }

void TransactionIterator::SeekStored(std::string_view target) {
  if (view_->is_active && view_->reads != nullptr) NoteRange();
  if (!Begin()) return;
  if (target < lower_) target = lower_;
  BeginRange(std::string(target));
  StandForward(target);
}

void TransactionIterator::SeekForPrev(std::string_view target) {
  target = keyspace_.ToStored(target, &target_);
  if (target >= upper_) return SeekToLast();
  if (view_->is_active && view_->reads != nullptr) NoteRange();
  if (!Begin()) return;
  BeginRange(After(target));
  StandReverse(target, /*or_at=*/true);
}

void TransactionIterator::SeekToLast() {
  if (view_->is_active && view_->reads != nullptr) NoteRange();
  if (!Begin()) return;
  BeginRange(upper_);
  StandReverse(upper_, /*or_at=*/false);
}

void TransactionIterator::StandForward(std::string_view from) {
  direction_ = Direction::kForward;
  revision_ = view_->writes->revision();
  base_->SeekStored(from);
  own_ = view_->writes->FirstAtOrAfter(from);
  SettleForward();
}

void TransactionIterator::StandReverse(std::string_view from, bool or_at) {
  direction_ = Direction::kReverse;
  revision_ = view_->writes->revision();
  base_->SeekForPrevStored(from);
  if (!or_at && base_->Valid() && base_->stored_key() == from) base_->Prev();
  own_ = or_at ? view_->writes->LastAtOrBefore(from) : view_->writes->LastBefore(from);
  SettleReverse();
}

// --- Moves.

void TransactionIterator::Next() {
  if (shown_ == Shown::kNothing) return;  // reading a value failed, and a loop goes on to here
  WidenRange();
  const bool stays = direction_ == Direction::kForward && revision_ == view_->writes->revision();
  if (!stays || !view_->is_active) {
    const std::string after = After(stored_key());
    if (Begin()) StandForward(after);
    return;
  }
  if (shown_ == Shown::kBase) {
    base_->Next();
  } else {
    if (base_->Valid() && base_->stored_key() == own_->key) base_->Next();
    own_ = WriteSet::Next(own_);
  }
  SettleForward();
}

void TransactionIterator::Prev() {
  if (shown_ == Shown::kNothing) return;
  WidenRange();
  const bool stays = direction_ == Direction::kReverse && revision_ == view_->writes->revision();
  if (!stays || !view_->is_active) {
    const std::string from(stored_key());
    if (Begin()) StandReverse(from, /*or_at=*/false);
    return;
  }
  if (shown_ == Shown::kBase) {
    base_->Prev();
  } else {
    const WriteSet::Node* before = view_->writes->LastBefore(own_->key);
    if (base_->Valid() && base_->stored_key() == own_->key) base_->Prev();
    own_ = before;
  }
  SettleReverse();
}

void TransactionIterator::SettleForward() {
  shown_ = Shown::kNothing;
  while (true) {
    if (own_ != nullptr && own_->key >= upper_) own_ = nullptr;
    // What a range delete of the transaction covers is leapt over.
    std::string_view begin;
    std::string_view end;
    while (base_->Valid() && view_->writes->IsInDeletedRange(base_->stored_key(), &begin, &end)) {
      base_->SeekStored(end);
    }
    if (!base_->status().ok()) return;
    const int order = own_ == nullptr    ? 1
                      : !base_->Valid() ? -1
                                        : own_->key.compare(base_->stored_key());
    if (order > 0) {
      if (base_->Valid()) shown_ = Shown::kBase;
      return;
    }
    if (view_->writes->IsValue(own_)) {
      shown_ = Shown::kOwn;
      own_value_ = view_->writes->ValueOf(own_);
      own_deadline_ = view_->writes->DeadlineOf(own_);
      return;
    }
    if (order == 0) base_->Next();
    own_ = WriteSet::Next(own_);
  }
}

void TransactionIterator::SettleReverse() {
  shown_ = Shown::kNothing;
  while (true) {
    if (own_ != nullptr && own_->key < lower_) own_ = nullptr;
    std::string_view begin;
    std::string_view end;
    while (base_->Valid() && view_->writes->IsInDeletedRange(base_->stored_key(), &begin, &end)) {
      base_->SeekForPrevStored(begin);
      if (base_->Valid() && base_->stored_key() == begin) base_->Prev();
    }
    if (!base_->status().ok()) return;
    const int order = own_ == nullptr    ? -1
                      : !base_->Valid() ? 1
                                        : own_->key.compare(base_->stored_key());
    if (order < 0) {
      if (base_->Valid()) shown_ = Shown::kBase;
      return;
    }
    if (view_->writes->IsValue(own_)) {
      shown_ = Shown::kOwn;
      own_value_ = view_->writes->ValueOf(own_);
      own_deadline_ = view_->writes->DeadlineOf(own_);
      return;
    }
    if (order == 0) base_->Prev();
    own_ = view_->writes->LastBefore(own_->key);
  }
}

std::string_view TransactionIterator::value() {
  if (shown_ == Shown::kOwn) return own_value_;
  const std::string_view value = base_->value();
  if (!base_->status().ok()) {
    error_ = base_->status();
    shown_ = Shown::kNothing;
  }
  return value;
}

}  // namespace varve
