// Reads that wait for blocks: rounds of looking up in memory and reading what was missing.
#include <algorithm>
#include <tuple>

#include "base/planted_bug.h"
#include "engine/db_async.h"

namespace varve {

namespace {

// More rounds than a lookup can need unless blocks are of no use: an index page and a data block a run, and
// a few more blocks for a key with many versions. Then a thread waits for the disk.
constexpr int kMaxRounds = 256;

}  // namespace

// A block that is being read, and, once it has been, is pinned.
class DbAsync::Read::Block final : public AsyncRead {
 public:
  Block(Read* read, MissingBlock missing)
      : AsyncRead(missing.file, missing.offset, missing.bytes), read_(read), missing_(std::move(missing)) {}
  ~Block() {
    if (loaded_.frame != nullptr) BlockCache::Unref(loaded_.frame);
  }

  char* Begin() override {
    if (read_->MustStop()) return nullptr;
    buffer_ = std::make_unique_for_overwrite<char[]>(size());
    return buffer_.get();
  }

  void Done(Result<size_t> got) override {
    if (buffer_ == nullptr) {
      status_ = got.status();
    } else {
      const EpochGuard guard;
      status_ = missing_.source->Install(missing_, got, buffer_.get(), &loaded_);
      if (status_.ok()) BlockCache::Ref(loaded_.frame);
      buffer_.reset();
    }
    // Acquire and release: who ends last sees what the others have brought.
    if (read_->reading_.fetch_sub(1, std::memory_order_acq_rel) == 1) read_->LookAgain();
  }

  void TellTo(BlockWait* wait) const { wait->AddKnown(missing_, loaded_, status_); }

 private:
  Read* const read_;
  const MissingBlock missing_;
  std::unique_ptr<char[]> buffer_;
  CachedBlock loaded_;
  Status status_;
};

DbAsync::Read::Read(DbImpl* db, SuperVersion* super, SequenceNumber sequence, Operation kind,
                    std::vector<std::string> keys, std::stop_token stop, ReadDone done)
    : db_(db),
      super_(super),
      sequence_(sequence),
      kind_(kind),
      begin_(db->clock_->MonotonicNanos()),
      keys_(std::move(keys)),
      stop_(std::move(stop)),
      done_(std::move(done)) {
  super_->Ref();
  results_.reserve(keys_.size());
}

DbAsync::Read::~Read() {
  blocks_.clear();  // they lie in segments of the super version
  missing_.clear();
  super_->Unref();
}

void DbAsync::Read::AddResult(Result<std::string> result, uint32_t runs) {
  results_.emplace_back(std::move(result));
  runs_asked_ += runs;
}

void DbAsync::Read::AddMissing(std::optional<MissingBlock> missing) {
  results_.emplace_back(std::nullopt);
  Miss(std::move(missing));
}

void DbAsync::Read::Miss(std::optional<MissingBlock> missing) {
  if (missing) {
    missing_.push_back(*std::move(missing));
  } else {
    must_wait_ = true;
  }
}

void DbAsync::Read::Go() {
  if (must_wait_ || ++round_ > kMaxRounds) {
    async_->pool_->Run([this] { LookUpWaiting(); });
    return;
  }
  // Neighbouring keys miss the same block.
  const auto place = [](const MissingBlock& block) {
    return std::tuple(block.slots, block.index, block.bytes);
  };
  std::sort(missing_.begin(), missing_.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
  missing_.erase(std::unique(missing_.begin(), missing_.end(),
                             [](const auto& a, const auto& b) { return a.IsSame(b); }),
                 missing_.end());
  std::vector<AsyncRead*> reads;
  reads.reserve(missing_.size());
  for (MissingBlock& missing : missing_) {
    blocks_.push_back(std::make_unique<Block>(this, std::move(missing)));
    reads.push_back(blocks_.back().get());
  }
  missing_.clear();
  reading_.store(reads.size(), std::memory_order_relaxed);
  async_->reader_->Submit(reads);
}

void DbAsync::Read::LookAgain() {
  if (MustStop()) return AbortRest();
  BlockWait wait;
  for (const auto& block : blocks_) block->TellTo(&wait);
  {
    const EpochGuard guard;
    SuperVersion* super = super_;
    SequenceNumber sequence = sequence_;
    if (VARVE_PLANTED_BUG("async.looks_again_at_another_state")) super = db_->ReadPoint(nullptr, &sequence);
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (results_[i]) continue;
      DbImpl::Lookup found;
      results_[i] = db_->TryReadAt(super, sequence, keys_[i], &wait, &found);
      if (results_[i]) {
        runs_asked_ += found.runs;
      } else {
        Miss(wait.TakeMissing());
      }
    }
  }
  if (missing_.empty() && !must_wait_) {
    Finish();
  } else {
    Go();
  }
}

void DbAsync::Read::LookUpWaiting() {
  if (MustStop()) return AbortRest();
  {
    const EpochGuard guard;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (results_[i]) continue;
      DbImpl::Lookup found;
      results_[i] = db_->ReadAt(super_, sequence_, keys_[i], &found);
      runs_asked_ += found.runs;
    }
  }
  Finish();
}

void DbAsync::Read::AbortRest() {
  const Status status = Status::Aborted(stop_.stop_requested() ? "a stop was requested"
                                                               : "the store is closing");
  for (std::optional<Result<std::string>>& result : results_) {
    if (!result) result = status;
  }
  Finish();
}

void DbAsync::Read::CountAndTime() {
  const EpochGuard guard;
  if (kind_ == Operation::kMultiGet) {
    db_->times_.EndWaitingMultiGet(keys_.size(), runs_asked_, blocks_.size(), begin_);
    return;
  }
  const Status status = results_[0]->status();
  if (!status.ok() && !status.IsNotFound()) return;
  db_->times_.EndWaitingGet(status.ok(), static_cast<uint32_t>(runs_asked_), blocks_.size(), begin_);
}

void DbAsync::Read::Finish() {
  CountAndTime();
  Values values;
  values.reserve(results_.size());
  for (std::optional<Result<std::string>>& result : results_) values.push_back(*std::move(result));
  const ReadDone done = std::move(done_);
  DbAsync* const async = async_;
  delete this;  // what it pins goes before the user's continuation runs
  done(std::move(values));
  async->Leave();
}

}  // namespace varve
