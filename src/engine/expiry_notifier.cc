#include "engine/expiry_notifier.h"

#include <algorithm>
#include <map>

#include "base/planted_bug.h"
#include "format/expiry.h"

namespace varve {

namespace {

thread_local const ExpiryNotifier* notifier_of_this_thread = nullptr;

std::map<std::string_view, const ExpiryNotes::Late*> NewestOf(
    const std::vector<ExpiryNotes::Late>& late) {
  std::map<std::string_view, const ExpiryNotes::Late*> newest;
  for (const ExpiryNotes::Late& entry : late) newest[entry.key] = &entry;  // they came in order
  return newest;
}

}  // namespace

bool ExpiryNotifier::IsCallingThread() const { return notifier_of_this_thread == this; }

// --- Beginning and ending.

void ExpiryNotifier::HoldBack() {
  // Relaxed: the switch orders it. 0 keeps everything until it is known from when on is told.
  told_until_.store(0, std::memory_order_relaxed);
  // Sequentially consistent: a merge that read the time after this finds it on, or the time that is read
  // after this, and told from, is not before the merge's.
  is_on_.store(true, std::memory_order_seq_cst);
}

Status ExpiryNotifier::Start(ExpiryListener listener, uint64_t now) {
  listener_ = std::move(listener);
  looked_until_ = now;
  ahead_checked_ = 0;
  told_until_.store(now, std::memory_order_release);
  thread_ = env_->StartThread("varve-expiry", [this] { Loop(); });
  if (thread_ != nullptr) return Status::Ok();
  Stop();
  return Status::Unavailable("no thread could be started for the expiry listener");
}

void ExpiryNotifier::Stop() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    is_stopping_.store(true, std::memory_order_relaxed);
    wake_.NotifyAll();
  }
  const bool has_run = thread_ != nullptr;
  thread_.reset();  // joins
  is_on_.store(false, std::memory_order_seq_cst);
  if (has_run) EmptyBoxes(*source_.current());
  wheels_.clear();
  segments_.clear();
  ChargeMemory();
  listener_ = nullptr;
  MutexLock lock(&mu_);
  stop_ = false;
  is_stopping_.store(false, std::memory_order_relaxed);
}

// What nobody has taken would stay as long as its segment does.
void ExpiryNotifier::EmptyBoxes(const SuperVersion& super) {
  for (const auto& run : super.version->runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      if (slice.meta().expiry_places != nullptr) slice.meta().expiry_places->Take();
    }
  }
}

void ExpiryNotifier::Loop() {
  notifier_of_this_thread = this;
  MutexLock lock(&mu_);
  while (!stop_) {
    mu_.Unlock();
    Look();
    mu_.Lock();
    if (!stop_) wake_.WaitFor(&mu_, kTickMicros);
  }
}

void ExpiryNotifier::Look() {
  const uint64_t now = clock_->Now();
  if (now <= looked_until_) return;
  const ExpiryNotes::Taken notes = source_.take_notes(now);
  // After the notes: what they name is in this super version, or in a segment of it.
  const std::shared_ptr<SuperVersion> super = source_.current();
  TakeIn(*super, notes);
  for (const auto& [key, late] : NewestOf(notes.late)) {
    AddDue(super.get(), {key, late->sequence, late->deadline, super->version->runs().size()},
           /*is_stable=*/true);
  }
  LookIntoMemTables(super.get(), now);
  LookIntoSegments(super.get(), now);
  TellBatch(super.get());
  looked_until_ = now;
  // Release: merges that see the time may drop what has been told.
  told_until_.store(now, std::memory_order_release);
  LoadAhead(*super, now);
  ChargeMemory();
}

// --- Memtables.

bool ExpiryNotifier::IsPresent(const SuperVersion& super, uint64_t log_number) {
  return super.active->log_number == log_number ||
         std::any_of(super.immutables.begin(), super.immutables.end(),
                     [&](const auto& slot) { return slot->log_number == log_number; });
}

ExpiryNotifier::Wheel& ExpiryNotifier::WheelOf(uint64_t log_number) {
  return wheels_.try_emplace(log_number, looked_until_).first->second;
}

void ExpiryNotifier::TakeIn(const SuperVersion& super, const ExpiryNotes::Taken& notes) {
  // What has been flushed is found in its segment, and is no memory any more.
  std::erase_if(wheels_, [&](const auto& wheel) { return !IsPresent(super, wheel.first); });
  if (notes.has_unnoted) {
    // Finds what is in the wheels too.
    wheels_.clear();
    SearchMemTable(*super.active, notes.unnoted_until);
    for (const auto& slot : super.immutables) SearchMemTable(*slot, notes.unnoted_until);
  }
  for (const ExpiryNotes::OfMemTable& noted : notes.memtables) {
    if (!IsPresent(super, noted.log_number)) continue;
    Wheel& wheel = WheelOf(noted.log_number);
    for (const MemTableRecord* record : noted.records) wheel.Add(DeadlineOf(record->value()), record);
  }
}

void ExpiryNotifier::SearchMemTable(const MemTableSlot& slot, SequenceNumber until) {
  MemTable::Cursor cursor(slot.memtable);
  for (cursor.SeekToFirst(); cursor.Valid(); cursor.Next()) {
    const MemTableRecord* record = cursor.record();
    if (!IsExpiring(record->kind()) || record->sequence() > until) continue;
    const uint64_t deadline = DeadlineOf(record->value());
    if (deadline > looked_until_) WheelOf(slot.log_number).Add(deadline, record);
  }
}

void ExpiryNotifier::LookIntoMemTables(SuperVersion* super, uint64_t now) {
  for (auto& [log_number, wheel] : wheels_) {
    wheel.Advance(now, [&](uint64_t, const MemTableRecord* record) {
      AddDue(super, {record->key(), record->sequence(), DeadlineOf(record->value()), 0},
             /*is_stable=*/true);
    });
  }
}

// --- Segments.

ExpiryNotifier::SegmentPart* ExpiryNotifier::PartOf(const SegmentSlice& slice) {
  const SegmentMeta& meta = slice.meta();
  auto known = segments_.find(meta.file_number);
  if (known == segments_.end()) {
    std::unique_ptr<const ExpiryPlaces> places;
    if (meta.expiry_places != nullptr) places = meta.expiry_places->Take();
    if (places == nullptr) places = ScanDeadlines(slice.segment.get(), looked_until_, is_stopping_);
    // What cannot be read is reported to whoever reads the data, and tried once.
    known = segments_.try_emplace(meta.file_number).first;
    if (places != nullptr) known->second.deadlines = SegmentDeadlines(std::move(places));
  }
  known->second.is_used = true;
  return &known->second;
}

void ExpiryNotifier::LookIntoSegment(SuperVersion* super, size_t run, const SegmentSlice& slice,
                                     uint64_t now, SegmentPart* part) {
  SegmentDeadlines& deadlines = part->deadlines;
  const size_t end = deadlines.places().FirstAfter(now);
  std::string buffer;
  for (size_t i = deadlines.places().FirstAfter(looked_until_); i < end && !IsStopping(); ++i) {
    if (i >= deadlines.loaded_end() && (deadlines.is_loading() || end - i >= kMinLoad)) {
      TellBatch(super);  // its keys may lie in what is forgotten now
      deadlines.ForgetBefore(i);
      if (!deadlines.is_loading()) {
        deadlines.BeginLoad(i, std::min(end, i + kLoadAtOnce), max_loaded_bytes_);
      }
      while (deadlines.is_loading() && !IsStopping()) {
        deadlines.LoadStep(slice.segment.get(), kReadsAtOnce);
      }
    }
    SegmentDeadlines::Due due;
    if (!deadlines.Read(slice.segment.get(), i, &buffer, &due)) continue;
    if (due.deadline <= looked_until_ || due.deadline > now || !slice.Contains(due.key)) continue;
    AddDue(super, {due.key, due.sequence, due.deadline, run}, due.key.data() != buffer.data());
  }
}

void ExpiryNotifier::LookIntoSegments(SuperVersion* super, uint64_t now) {
  for (auto& [number, part] : segments_) part.is_used = false;
  const auto& runs = super->version->runs();
  for (size_t run = 0; run < runs.size(); ++run) {
    for (const SegmentSlice& slice : runs[run]->slices()) {
      const ExpirySummary& expiry = slice.meta().expiry;
      if (expiry.empty() || expiry.max_deadline <= looked_until_) continue;
      SegmentPart* part = PartOf(slice);
      if (expiry.min_deadline <= now) LookIntoSegment(super, run, slice, now, part);
    }
  }
  TellBatch(super);  // before what its keys lie in goes
  std::erase_if(segments_, [](const auto& part) { return !part.second.is_used; });
}

uint64_t ExpiryNotifier::AheadMillis(uint64_t now) const {
  constexpr size_t kLikelyKeyBytes = 24;
  for (uint64_t millis = kMaxAheadMillis; millis > 0; millis /= 2) {
    size_t count = 0;
    for (const auto& [number, part] : segments_) {
      const ExpiryPlaces& places = part.deadlines.places();
      count += places.FirstAfter(now + millis) - places.FirstAfter(now);
    }
    if (count * (SegmentDeadlines::kLoadedBytes + kLikelyKeyBytes) <= max_loaded_bytes_) return millis;
  }
  return 0;
}

bool ExpiryNotifier::LoadAheadOf(const SegmentSlice& slice, uint64_t now, uint64_t ahead,
                                 uint64_t begin, SegmentDeadlines* deadlines) {
  const ExpiryPlaces& places = deadlines->places();
  const size_t first = places.FirstAfter(now);
  deadlines->ForgetBefore(first);
  // Half of it is there in advance, so that a read brings half a window of keys at least.
  if (!deadlines->is_loading() && deadlines->loaded_end() < places.FirstAfter(now + ahead / 2)) {
    size_t loaded = 0;
    for (const auto& [number, part] : segments_) loaded += part.deadlines.loaded_bytes();
    const size_t left = max_loaded_bytes_ - std::min(max_loaded_bytes_, loaded);
    const size_t end = std::min(places.FirstAfter(now + ahead),
                                std::max(first, deadlines->loaded_end()) +
                                    left / SegmentDeadlines::kLoadedBytes / 2);
    deadlines->BeginLoad(first, end, left / 2);
  }
  while (deadlines->is_loading()) {
    if (IsStopping() || env_->clock()->MonotonicNanos() - begin > kMaxAheadNanos) return false;
    deadlines->LoadStep(slice.segment.get(), kReadsAtOnce);
  }
  return true;
}

void ExpiryNotifier::LoadAhead(const SuperVersion& super, uint64_t now) {
  constexpr uint64_t kPauseMillis = 200;
  if (now < ahead_checked_ + kPauseMillis) return;
  const uint64_t begin = env_->clock()->MonotonicNanos();
  const uint64_t ahead = AheadMillis(now);
  for (const auto& run : super.version->runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      const auto known = segments_.find(slice.meta().file_number);
      if (known == segments_.end()) continue;
      if (!LoadAheadOf(slice, now, ahead, begin, &known->second.deadlines)) return;
    }
  }
  ahead_checked_ = now;
}

void ExpiryNotifier::ChargeMemory() {
  size_t bytes = 0;
  for (const auto& [number, wheel] : wheels_) bytes += wheel.memory_bytes();
  for (const auto& [number, part] : segments_) bytes += part.deadlines.memory_bytes();
  if (bytes != charged_bytes_) {
    source_.charge(static_cast<int64_t>(bytes) - static_cast<int64_t>(charged_bytes_));
  }
  charged_bytes_ = bytes;
}

// --- Telling.

void ExpiryNotifier::AddDue(SuperVersion* super, DueKey due, bool is_stable) {
  if (!is_stable) {
    batch_keys_[batch_count_].assign(due.key);
    due.key = batch_keys_[batch_count_];
  }
  batch_[batch_count_++] = due;
  if (batch_count_ == kBatch) TellBatch(super);
}

void ExpiryNotifier::TellBatch(SuperVersion* super) {
  const std::span<DueKey> keys(batch_.data(), std::exchange(batch_count_, 0));
  if (keys.empty() || IsStopping()) return;
  source_.check(super, keys);
  std::string buffer;
  for (const DueKey& due : keys) {
    if (due.is_superseded && !VARVE_PLANTED_BUG("expiry.tells_of_what_was_written_again")) continue;
    ExpiredKey expired;
    if (IsStopping() || !source_.name(due, &buffer, &expired)) continue;
    try {
      listener_(expired);
    } catch (...) {
      // Has been told; what to make of the exception is the listener's business.
    }
  }
}

}  // namespace varve
