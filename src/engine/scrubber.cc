#include "engine/scrubber.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "base/time_units.h"
#include "format/value_log.h"

namespace varve {

namespace {
}

uint64_t ScrubPacer::Note(uint64_t bytes, uint64_t now) {
  if (VARVE_PLANTED_BUG("scrub.not_paced")) return now;
  // In two steps: the product of any size of a read and a second fits.
  const uint64_t pause = bytes / bytes_per_second_ * kNanosPerSecond +
                         bytes % bytes_per_second_ * kNanosPerSecond / bytes_per_second_;
  due_ = std::max(due_, now) + pause;
  return due_;
}

std::shared_ptr<SegmentReader> Scrubber::FindInVersion(uint64_t number) const {
  const auto version = source_.current();
  for (const auto& run : version->runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      if (slice.meta().file_number == number) return slice.segment;
    }
  }
  return nullptr;
}

bool Scrubber::Step(uint64_t* bytes) {
  *bytes = 0;
  if (!is_in_pass_) {
    BeginPass(bytes);
  } else if (!values_.empty()) {
    CheckValue(bytes);
  } else if (segment_ != nullptr && !segment_is_read_) {
    segment_is_read_ = !checker_->Step(bytes);
  } else if (!BeginSegment()) {
    EndPass();
    return false;
  }
  MutexLock lock(&mu_);
  state_.byte_count += *bytes;
  return true;
}

void Scrubber::BeginPass(uint64_t* bytes) {
  is_in_pass_ = true;
  {
    MutexLock lock(&mu_);
    state_.file_count = 1;
    state_.byte_count = state_.vanished_count = 0;
  }
  const auto version = source_.current();
  for (const auto& run : version->runs()) {
    for (const SegmentSlice& slice : run->slices()) segments_.push_back(slice.meta().file_number);
  }
  const Status manifest = source_.check_manifest(bytes);
  if (!manifest.ok()) Report({"MANIFEST", 0, std::string(manifest.message()), std::nullopt});
}

void Scrubber::EndPass() {
  is_in_pass_ = false;
  MutexLock lock(&mu_);
  std::erase_if(findings_, [this](const auto& found) {
    mu_.AssertHeld();
    return found.second.pass != state_.pass_count;
  });
  ++state_.pass_count;
}

bool Scrubber::BeginSegment() {
  Abandon();
  while (!segments_.empty()) {
    const uint64_t number = segments_.front();
    segments_.pop_front();
    segment_ = FindInVersion(number);
    if (segment_ == nullptr) {
      Vanished();
      continue;
    }
    SegmentCheckerOptions options;
    options.env = source_.env;
    options.path = segment_->path();
    options.meta = segment_->meta();
    options.hash_salt = source_.hash_salt;
    options.reads_device = true;
    options.on_damage = [this](Damage damage) { Judge(std::move(damage)); };
    options.on_entry = [this](const Entry& entry) {
      ValuePointer pointer;
      if (DecodePointerOf(entry.kind, entry.value, &pointer)) {
        values_.push_back({std::string(entry.key), pointer});
      }
    };
    checker_ = std::make_unique<SegmentChecker>(std::move(options));
    MutexLock lock(&mu_);
    ++state_.file_count;
    return true;
  }
  return false;
}

void Scrubber::CheckValue(uint64_t* bytes) {
  const Pointed pointed = std::move(values_.front());
  values_.pop_front();
  const DamagedKeys keys{pointed.key, AfterKey(pointed.key)};
  const auto file = source_.values->Find(pointed.pointer.file_number);
  if (file == nullptr) {
    return Judge({"value-log file " + std::to_string(pointed.pointer.file_number),
                  pointed.pointer.offset, "is missing, and a key points into it", keys});
  }
  *bytes = ValueLogRecordBytes(pointed.pointer);
  const Status status = file->Check(pointed.key, pointed.pointer, &buffer_, /*reads_device=*/true);
  if (!status.ok()) {
    Judge({file->path(), pointed.pointer.offset, std::string(status.message()), keys});
  }
}

void Scrubber::Judge(Damage damage) {
  if (has_vanished_) return;
  if (FindInVersion(segment_->meta().file_number) == segment_ ||
      VARVE_PLANTED_BUG("scrub.accuses_what_is_gone")) {
    return Report(damage);
  }
  has_vanished_ = true;
  Vanished();
}

void Scrubber::Vanished() {
  MutexLock lock(&mu_);
  ++state_.vanished_count;
}

void Scrubber::Report(const Damage& damage) {
  ScrubFinding finding{damage.file, damage.offset, damage.what, {}};
  if (damage.keys) finding.ranges = ToKeyRanges(*damage.keys, source_.names());
  bool is_new = false;
  {
    MutexLock lock(&mu_);
    const auto place = std::make_pair(damage.file, damage.offset);
    is_new = !findings_.contains(place);
    if (is_new && findings_.size() == kMaxFindings) return;
    findings_[place] = {std::move(finding), state_.pass_count};
  }
  if (is_new) source_.note_event("scrub: " + damage.ToString());
}

void Scrubber::Abandon() {
  checker_.reset();
  segment_.reset();
  values_.clear();
  segment_is_read_ = has_vanished_ = false;
}

ScrubState Scrubber::state() {
  MutexLock lock(&mu_);
  ScrubState state = state_;
  for (const auto& [place, found] : findings_) state.findings.push_back(found.finding);
  return state;
}

void Scrubber::SetRunning(bool is_running) {
  MutexLock lock(&mu_);
  state_.is_running = is_running;
}

// --- The thread.

ScrubThread::ScrubThread(ScrubSource source, const ScrubOptions& options)
    : env_(source.env), options_(options), scrubber_(std::move(source)) {}

Status ScrubThread::Start() {
  scrubber_.SetRunning(true);
  thread_ = env_->StartThread("varve-scrub", [this] { Loop(); });
  if (thread_ != nullptr) return Status::Ok();
  scrubber_.SetRunning(false);
  return Status::Unavailable("no thread could be started for a scrub");
}

void ScrubThread::Stop() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
    wake_.NotifyAll();
  }
  thread_.reset();  // joins
}

bool ScrubThread::WaitUntil(uint64_t nanos) {
  MutexLock lock(&mu_);
  while (!stop_) {
    const uint64_t now = env_->clock()->MonotonicNanos();
    if (now >= nanos) return true;
    wake_.WaitFor(&mu_, std::min<uint64_t>((nanos - now) / 1000 + 1, kLookMicros));
  }
  return false;
}

void ScrubThread::Loop() {
  env_->LowerPriorityOfThisThread();
  ScrubPacer pacer(options_.bytes_per_second);
  Clock* const clock = env_->clock();
  const uint64_t interval = static_cast<uint64_t>(options_.interval.count()) * 1'000'000;
  uint64_t next = clock->MonotonicNanos();
  while (WaitUntil(next)) {
    const uint64_t next_pass = next + interval;
    bool goes_on = true;
    for (uint64_t bytes = 0, due = next; goes_on && WaitUntil(due);) {
      goes_on = scrubber_.Step(&bytes);
      due = pacer.Note(bytes, clock->MonotonicNanos());
    }
    if (goes_on || interval == 0) break;
    next = std::max(next_pass, clock->MonotonicNanos());
  }
  scrubber_.Abandon();
  scrubber_.SetRunning(false);
}

}  // namespace varve
