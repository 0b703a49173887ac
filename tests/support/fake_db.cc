#include "tests/support/fake_db.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/hash.h"
#include "base/status_macros.h"
#include "tests/support/batch_changes.h"
#include "tests/support/map_iterator.h"

// The log is a sequence of records
//   u32 payload size | u64 hash of payload, seeded with its offset | payload
// An orderly close leaves a seal, the
// size of the log: what is missing below it was not lost to a crash.
namespace varve::test {
namespace {

constexpr size_t kHeaderSize = 12;
constexpr size_t kReserveBytes = 64 << 10;  // given up so that deletes fit on a full disk

void AppendNumber(uint64_t number, size_t bytes, std::string* out) {
  out->append(reinterpret_cast<const char*>(&number), bytes);
}
uint64_t TakeNumber(size_t bytes, std::string_view* in) {
  uint64_t number = 0;
  if (in->size() < bytes) {
    *in = {};
    return 0;
  }
  std::memcpy(&number, in->data(), bytes);
  in->remove_prefix(bytes);
  return number;
}
std::string TakeText(std::string_view* in) {
  const uint64_t claimed = TakeNumber(4, in);
  const uint64_t size = std::min<uint64_t>(claimed, in->size());
  std::string text(in->substr(0, size));
  in->remove_prefix(size);
  return text;
}

std::string Encode(const std::vector<Change>& changes) {
  std::string payload;
  for (const Change& change : changes) {
    AppendNumber(static_cast<uint64_t>(change.kind), 1, &payload);
    AppendNumber(change.key.size(), 4, &payload);
    payload += change.key;
    AppendNumber(change.value.size(), 4, &payload);
    payload += change.value;
  }
  return payload;
}

std::vector<Change> Decode(std::string_view payload) {
  std::vector<Change> changes;
  while (!payload.empty()) {
    Change change;
    change.kind = static_cast<Change::Kind>(TakeNumber(1, &payload) % 3);
    change.key = TakeText(&payload);
    change.value = TakeText(&payload);
    changes.push_back(std::move(change));
  }
  return changes;
}

std::string Record(uint64_t offset, std::string_view payload) {
  std::string record;
  AppendNumber(payload.size(), 4, &record);
  AppendNumber(Hash64(payload, PlaceSeed(0, offset)), 8, &record);
  record += payload;
  return record;
}

class FakeSnapshot : public Snapshot {
 public:
  FakeSnapshot(std::shared_ptr<const Contents> contents, uint64_t sequence)
      : contents_(std::move(contents)), sequence_(sequence) {}
  uint64_t sequence() const override { return sequence_; }
  const std::shared_ptr<const Contents>& contents() const { return contents_; }

 private:
  const std::shared_ptr<const Contents> contents_;
  const uint64_t sequence_;
};

bool IsOutOfSpace(const Status& status) {
  return status.message().find("no space") != std::string_view::npos ||
         status.message().find("No space") != std::string_view::npos;
}

}  // namespace

Result<std::unique_ptr<Db>> FakeDb::Open(const std::string& dir, const Options& options,
                                         FakeBug bug) {
  std::unique_ptr<FakeDb> db(new FakeDb(dir, options, bug));
  if (options.env != nullptr) VARVE_RETURN_IF_ERROR(db->OpenFiles());
  return std::unique_ptr<Db>(std::move(db));
}

FakeDb::~FakeDb() {
  if (log_ != nullptr) (void)CloseFiles();
}

Status FakeDb::OpenFiles() {
  Env* env = options_.env;
  const std::string parent = dir_.substr(0, std::max<size_t>(1, dir_.rfind('/')));
  VARVE_RETURN_IF_ERROR(env->CreateDir(dir_));
  VARVE_RETURN_IF_ERROR(env->SyncDir(parent));
  VARVE_ASSIGN_OR_RETURN(lock_, env->LockFile(JoinPath(dir_, "LOCK")));
  const std::string fresh = JoinPath(dir_, "fake.new");
  if (env->FileExists(fresh)) VARVE_RETURN_IF_ERROR(env->RemoveFile(fresh));
  uint64_t sealed_size = 0;
  if (env->FileExists(SealPath())) {
    VARVE_ASSIGN_OR_RETURN(const std::string seal, ReadFile(SealPath()));
    std::string_view rest = seal;
    sealed_size = TakeNumber(8, &rest);
    if (seal.size() != 16 || TakeNumber(8, &rest) != Hash64(seal.substr(0, 8))) {
      if (bug_ != FakeBug::kLosesTail) return Status::Corruption(SealPath() + ": bad checksum");
      sealed_size = 0;
    }
  }
  std::string log;
  if (env->FileExists(LogPath())) {
    VARVE_ASSIGN_OR_RETURN(log, ReadFile(LogPath()));
  }
  VARVE_ASSIGN_OR_RETURN(const uint64_t valid, Replay(log, contents_.get(), nullptr));
  if (valid < sealed_size && bug_ != FakeBug::kLosesTail) {
    return Status::Corruption(LogPath() + ": damaged at offset " + std::to_string(valid));
  }
  if (env->FileExists(SealPath())) {
    // Gone for good before the log that it speaks of is replaced.
    VARVE_RETURN_IF_ERROR(env->RemoveFile(SealPath()));
    VARVE_RETURN_IF_ERROR(env->SyncDir(dir_));
  }
  // Always a new log: were a sync of the old one to have failed, its content may be in the system's
  // memory alone, and no later sync would change that.
  VARVE_RETURN_IF_ERROR(WriteNewLog());
  VARVE_ASSIGN_OR_RETURN(const auto reserve,
                         env->OpenWritable(ReservePath(), Env::OpenMode::kCreateOrTruncate));
  VARVE_RETURN_IF_ERROR(reserve->Write(0, std::string(kReserveBytes, '\0')));
  return env->SyncDir(dir_);
}

Result<uint64_t> FakeDb::Replay(std::string_view log, Contents* contents,
                                std::vector<std::string>* problems) const {
  uint64_t offset = 0;
  while (log.size() - offset >= kHeaderSize) {
    std::string_view rest = log.substr(offset);
    const uint64_t size = TakeNumber(4, &rest);
    const uint64_t hash = TakeNumber(8, &rest);
    const bool is_whole = size > 0 && size <= rest.size();
    const std::string_view payload = rest.substr(0, std::min<uint64_t>(size, rest.size()));
    const bool is_right =
        bug_ == FakeBug::kNoChecksum || hash == Hash64(payload, PlaceSeed(0, offset));
    if (!is_whole || !is_right) break;
    for (const Change& change : Decode(payload)) {
      if (bug_ == FakeBug::kForgetsDeletes && change.kind == Change::Kind::kDelete) continue;
      ApplyChange(change, contents);
    }
    offset += kHeaderSize + size;
  }
  if (problems != nullptr && offset != log.size()) {
    problems->push_back(LogPath() + ": damaged at offset " + std::to_string(offset));
  }
  return offset;
}

Result<std::string> FakeDb::ReadFile(const std::string& path) const {
  VARVE_ASSIGN_OR_RETURN(const auto file, options_.env->OpenRandomAccess(path));
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  std::string text(size, '\0');
  VARVE_ASSIGN_OR_RETURN(const size_t got, file->Read(0, size, text.data()));
  text.resize(got);
  return text;
}

Status FakeDb::CheckLimits(const std::vector<Change>& changes) const {
  for (const Change& change : changes) {
    if (change.key.size() > options_.max_key_bytes) {
      return Status::InvalidArgument("key longer than " + std::to_string(options_.max_key_bytes));
    }
    if (change.kind == Change::Kind::kPut && change.value.size() > options_.max_value_bytes) {
      return Status::InvalidArgument("value longer than " +
                                     std::to_string(options_.max_value_bytes));
    }
  }
  return Status::Ok();
}

Status FakeDb::Put(std::string_view key, std::string_view value, const WriteOptions& options) {
  return Commit({{Change::Kind::kPut, std::string(key), std::string(value)}}, options);
}
Status FakeDb::Delete(std::string_view key, const WriteOptions& options) {
  return Commit({{Change::Kind::kDelete, std::string(key), {}}}, options);
}
Status FakeDb::DeleteRange(std::string_view begin, std::string_view end,
                           const WriteOptions& options) {
  return Commit({{Change::Kind::kDeleteRange, std::string(begin), std::string(end)}}, options);
}
Status FakeDb::Write(const WriteBatch& batch, const WriteOptions& options) {
  return Commit(ChangesOf(batch), options);
}

Status FakeDb::Clear(const WriteOptions& options) {
  return DeleteRange("", std::string(options_.max_key_bytes, '\xff'), options);
}

Status FakeDb::ReadModifyWrite(std::string_view key, const Modifier& modify,
                               const WriteOptions& options) {
  std::lock_guard<std::mutex> lock(mu_);
  const auto it = contents_->find(std::string(key));
  std::optional<std::string_view> current;
  if (it != contents_->end()) current = it->second;
  VARVE_ASSIGN_OR_RETURN(const Modification decision, modify(current));
  if (decision.kind == Modification::Kind::kNothing) return Status::Ok();
  if (decision.kind == Modification::Kind::kKeepValue) return Status::NotSupported("time to live");
  const bool is_put = decision.kind == Modification::Kind::kPut;
  Change change{is_put ? Change::Kind::kPut : Change::Kind::kDelete, std::string(key),
                std::string(decision.value)};
  VARVE_RETURN_IF_ERROR(CheckLimits({change}));
  return CommitLocked({change}, options);
}

Status FakeDb::Commit(const std::vector<Change>& changes, const WriteOptions& options) {
  VARVE_RETURN_IF_ERROR(CheckLimits(changes));
  if (bug_ == FakeBug::kUnfair &&
      std::hash<std::thread::id>()(std::this_thread::get_id()) % 4 == 0) {
    const uint64_t until = turn_ + 100;
    for (int spins = 0; turn_ < until && spins < 10'000; spins++) std::this_thread::yield();
  }
  std::lock_guard<std::mutex> lock(mu_);
  turn_++;
  return CommitLocked(changes, options);
}

Status FakeDb::CommitLocked(const std::vector<Change>& changes, const WriteOptions& options) {
  if (options_.read_only) return Status::InvalidArgument(dir_ + " is open for reading only");
  VARVE_RETURN_IF_ERROR(error_);
  if (log_ != nullptr && !changes.empty()) {
    Status status;
    if (bug_ == FakeBug::kTornBatch) {
      for (const Change& change : changes) {
        if (status.ok()) status = AppendLocked({change});
        // Wide enough for a kill to hit.
        // tidy: a planted bug.
        std::this_thread::sleep_for(std::chrono::microseconds(20));
      }
    } else {
      status = AppendOrUseReserve(changes);
    }
    const Durability durability = options.durability.value_or(options_.durability);
    if (status.ok() && durability == Durability::kSync && bug_ != FakeBug::kNoSync) {
      status = SyncLocked();
    }
    if (!status.ok() && bug_ != FakeBug::kSwallowsErrors) return status;
  }
  Contents* contents = MutableContents();
  for (const Change& change : changes) {
    if (bug_ == FakeBug::kStaleRead) {
      const auto it = contents->find(change.key);
      if (it != contents->end()) previous_[change.key] = it->second;
    }
    ApplyChange(change, contents);
    sequence_++;
  }
  return Status::Ok();
}

Status FakeDb::AppendOrUseReserve(const std::vector<Change>& changes) {
  Status status = AppendLocked(changes);
  const bool only_deletes = std::none_of(changes.begin(), changes.end(), [](const Change& change) {
    return change.kind == Change::Kind::kPut;
  });
  if (status.ok() || !only_deletes || !IsOutOfSpace(status) || !error_.ok()) return status;
  VARVE_RETURN_IF_ERROR(options_.env->RemoveFile(ReservePath()));
  return AppendLocked(changes);
}

Status FakeDb::WriteBuffered() {
  if (buffered_.empty()) return Status::Ok();
  const Status status = log_->Write(log_size_, buffered_);
  log_size_ += buffered_.size();
  buffered_.clear();
  return status;
}

Status FakeDb::AppendLocked(const std::vector<Change>& changes) {
  if (bug_ == FakeBug::kBuffersWrites) {
    buffered_ += Record(log_size_ + buffered_.size(), Encode(changes));
    return buffered_.size() < 4096 ? Status::Ok() : WriteBuffered();
  }
  const std::string record = Record(log_size_, Encode(changes));
  const Status status = log_->Write(log_size_, record);
  if (status.ok()) {
    log_size_ += record.size();
    return status;
  }
  // Take back what may have been written; if even that fails, the end of the log is unknown.
  const Status cut = log_->Truncate(log_size_);
  if (bug_ == FakeBug::kStaysFull || !cut.ok() || !IsOutOfSpace(status)) return FailForGood(status);
  return status;
}

Status FakeDb::SyncLocked() {
  VARVE_RETURN_IF_ERROR(WriteBuffered());
  const Status status = log_->Sync();
  if (status.ok() || bug_ == FakeBug::kForgivesSync) return status;
  return FailForGood(status);
}

Status FakeDb::FailForGood(Status status) {
  if (error_.ok() && bug_ != FakeBug::kSwallowsErrors) error_ = status;
  return status;
}

Contents* FakeDb::MutableContents() {
  if (contents_.use_count() > 1 && bug_ != FakeBug::kLiveSnapshots) {
    contents_ = std::make_shared<Contents>(*contents_);
  }
  return contents_.get();
}

std::shared_ptr<const Contents> FakeDb::View(const Snapshot* snapshot) {
  if (snapshot != nullptr) return static_cast<const FakeSnapshot*>(snapshot)->contents();
  std::lock_guard<std::mutex> lock(mu_);
  return contents_;
}

Result<std::string> FakeDb::Get(std::string_view key, const ReadOptions& options) {
  const std::string name(key);
  const auto find = [&](const Contents& contents) -> Result<std::string> {
    const auto it = contents.find(name);
    if (it == contents.end()) return Status::NotFound();
    return it->second;
  };
  if (options.snapshot != nullptr) return find(*View(options.snapshot));
  std::lock_guard<std::mutex> lock(mu_);
  if (bug_ == FakeBug::kStaleRead && ++read_count_ % 97 == 0) {
    const Result<std::string> stale = find(previous_);
    if (stale.ok()) return stale;
  }
  return find(*contents_);
}

Status FakeDb::Get(std::string_view key, std::string* value, const ReadOptions& options) {
  value->clear();
  VARVE_ASSIGN_OR_RETURN(*value, Get(key, options));
  return Status::Ok();
}

Result<PinnedValue> FakeDb::GetPinned(std::string_view key, const ReadOptions& options) {
  VARVE_ASSIGN_OR_RETURN(std::string value, Get(key, options));
  auto* owned = new std::string(std::move(value));
  return PinnedValue(*owned, owned, [](void* owner) { delete static_cast<std::string*>(owner); });
}

std::vector<Result<std::string>> FakeDb::MultiGet(const std::vector<std::string_view>& keys,
                                                  const ReadOptions& options) {
  const std::shared_ptr<const Contents> view = View(options.snapshot);
  std::vector<Result<std::string>> results;
  for (std::string_view key : keys) {
    const auto it = view->find(std::string(key));
    if (it == view->end()) {
      results.emplace_back(Status::NotFound());
    } else {
      results.emplace_back(it->second);
    }
  }
  return results;
}

std::unique_ptr<Iterator> FakeDb::NewIterator(const IteratorOptions& options) {
  return std::make_unique<MapIterator>(
      View(options.snapshot), options,
      MapIterator::Bugs{.prev_skips = bug_ == FakeBug::kPrevSkips,
                        .seek_for_prev_is_seek = bug_ == FakeBug::kSeekForPrevIsSeek});
}

std::unique_ptr<Snapshot> FakeDb::GetSnapshot() {
  std::lock_guard<std::mutex> lock(mu_);
  return std::make_unique<FakeSnapshot>(contents_, sequence_);
}

Status FakeDb::Compact() {
  std::lock_guard<std::mutex> lock(mu_);
  if (log_ == nullptr) return Status::Ok();
  VARVE_RETURN_IF_ERROR(error_);
  return WriteNewLog();
}

Status FakeDb::WriteNewLog() {
  buffered_.clear();
  std::string text;
  for (const auto& [key, value] : *contents_) {
    text += Record(text.size(), Encode({{Change::Kind::kPut, key, value}}));
  }
  const std::string fresh = JoinPath(dir_, "fake.new");
  VARVE_ASSIGN_OR_RETURN(auto file,
                         options_.env->OpenWritable(fresh, Env::OpenMode::kCreateOrTruncate));
  VARVE_RETURN_IF_ERROR(file->Write(0, text));
  VARVE_RETURN_IF_ERROR(file->Sync());
  // From here on it is unknown which of the two a crash would leave.
  const Status renamed = options_.env->RenameFile(fresh, LogPath());
  if (!renamed.ok()) return FailForGood(renamed);
  log_ = std::move(file);
  log_size_ = text.size();
  const Status synced = options_.env->SyncDir(dir_);
  return synced.ok() ? synced : FailForGood(synced);
}

Status FakeDb::Sync() {
  std::lock_guard<std::mutex> lock(mu_);
  if (log_ == nullptr) return Status::Ok();
  VARVE_RETURN_IF_ERROR(error_);
  return SyncLocked();
}

Result<VerifyReport> FakeDb::Verify() {
  std::lock_guard<std::mutex> lock(mu_);
  VerifyReport report;
  if (log_ == nullptr) return report;
  VARVE_ASSIGN_OR_RETURN(const std::string log, ReadFile(LogPath()));
  Contents contents;
  VARVE_RETURN_IF_ERROR(Replay(log, &contents, &report.problems).status());
  report.file_count = 1;
  report.entry_count = contents.size();
  report.byte_count = log.size();
  return report;
}

Statistics FakeDb::Stats() {
  std::lock_guard<std::mutex> lock(mu_);
  Statistics statistics;
  statistics.last_sequence = sequence_;
  statistics.entry_count = contents_->size();
  statistics.background_error = error_.ok() ? "" : error_.ToString();
  return statistics;
}

Status FakeDb::CloseFiles() {
  Status status = error_;
  if (status.ok()) status = WriteBuffered();
  if (status.ok()) status = log_->Sync();
  const Status closed = log_->Close();
  VARVE_RETURN_IF_ERROR(status);
  VARVE_RETURN_IF_ERROR(closed);
  std::string seal;
  AppendNumber(log_size_, 8, &seal);
  AppendNumber(Hash64(seal), 8, &seal);
  const std::string fresh = JoinPath(dir_, "fake.new");
  VARVE_ASSIGN_OR_RETURN(auto file,
                         options_.env->OpenWritable(fresh, Env::OpenMode::kCreateOrTruncate));
  VARVE_RETURN_IF_ERROR(file->Write(0, seal));
  VARVE_RETURN_IF_ERROR(file->Sync());
  VARVE_RETURN_IF_ERROR(file->Close());
  VARVE_RETURN_IF_ERROR(options_.env->RenameFile(fresh, SealPath()));
  return options_.env->SyncDir(dir_);
}

}  // namespace varve::test
