// Backup and Checkpoint: the store at one moment, as a stream or as a directory.
//
// The moment is taken under the commit lock, which is held for a few copies of pointers: a version, and how
// far each log that it does not cover has come. What the version and the logs need is then kept by
// references, as a reader keeps it, while its bytes are copied. Design: docs/design/0013-backup.md.
#include <algorithm>
#include <map>
#include <set>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/store_builder.h"
#include "format/backup_stream.h"
#include "format/filename.h"
#include "varve/version.h"

namespace varve {

namespace {

void AddOnce(const std::shared_ptr<ValueLogFile>& file,
             std::vector<std::shared_ptr<ValueLogFile>>* files) {
  if (std::find(files->begin(), files->end(), file) == files->end()) files->push_back(file);
}

uint64_t OriginOf(const std::vector<FileOrigin>& origins, uint64_t number) {
  uint64_t id = 0;
  for (const FileOrigin& origin : origins) {
    if (origin.first_file_number <= number) id = origin.id;
  }
  return id;
}

// What `earlier` has of the files need not be carried again.
void LeaveOut(const BackupPlan& earlier, BackupPlan* plan) {
  std::map<std::pair<BackupFileType, uint64_t>, const BackupFile*> known;
  for (const BackupFile& file : earlier.files) known[{file.type, file.number}] = &file;
  for (BackupFile& file : plan->files) {
    const auto found = known.find({file.type, file.number});
    if (found == known.end() || file.type == BackupFileType::kWal) continue;
    const bool is_same = file.origin != 0 && found->second->origin == file.origin;
    if (!is_same && !VARVE_PLANTED_BUG("backup.files_known_by_number")) continue;
    const uint64_t settled = VARVE_PLANTED_BUG("backup.increment_trusts_what_is_not_settled")
                                 ? found->second->bytes
                                 : found->second->settled;
    file.from = std::min(settled, file.bytes);
  }
}

// Keeps to a rate, and tells how far it is.
class Pace {
 public:
  Pace(Clock* clock, const BackupOptions& options, uint64_t total)
      : clock_(clock), options_(options), total_(total), due_(clock->MonotonicNanos()) {}

  Status Count(size_t bytes) {
    done_ += bytes;
    if (options_.progress && !options_.progress({done_, total_})) {
      return Status::Aborted("the backup was stopped");
    }
    if (options_.bytes_per_second == 0) return Status::Ok();
    // From the moment at which the last piece was due: a slow sink's delay is not caught up with.
    const uint64_t now = clock_->MonotonicNanos();
    due_ = std::max(due_, now - std::min(now, kMaxLagNanos)) +
           static_cast<uint64_t>(1e9 * static_cast<double>(bytes) /
                                 static_cast<double>(options_.bytes_per_second));
    if (due_ > now) clock_->SleepNanos(due_ - now);
    return Status::Ok();
  }

 private:
  static constexpr uint64_t kMaxLagNanos = 100'000'000;

  Clock* const clock_;
  const BackupOptions& options_;
  const uint64_t total_;
  uint64_t done_ = 0;
  uint64_t due_;
};

// Reads [from, end) of `file` in pieces of at most `piece` bytes into `buffer` and hands them to `take`. Past the
// block cache; the system's own keeps what is read twice before what is read once, so nothing is dropped there,
// which might be what the store reads.
template <typename Take>
Status ReadPieces(const RandomAccessFile& file, const std::string& path, uint64_t from, uint64_t end,
                  char* buffer, size_t piece, const Take& take) {
  while (from < end) {
    const size_t size = static_cast<size_t>(std::min<uint64_t>(piece, end - from));
    VARVE_ASSIGN_OR_RETURN(const size_t got, file.Read(from, size, buffer));
    if (got != size) {
      return Status::Corruption(path + ": the file ends at offset " + std::to_string(from + got) +
                                ", and not at " + std::to_string(end));
    }
    VARVE_RETURN_IF_ERROR(take(std::string_view(buffer, size)));
    from += size;
  }
  return Status::Ok();
}

// The open log of the point, or the file of a name.
Result<std::shared_ptr<RandomAccessFile>> OpenFor(Env* env, const std::string& path,
                                                  const BackupFile& file, const BackupPoint& point) {
  if (file.type == BackupFileType::kWal) {
    for (const BackupLog& log : point.logs) {
      if (log.number == file.number) return log.file;
    }
  }
  VARVE_ASSIGN_OR_RETURN(auto opened, env->OpenRandomAccess(path));
  return std::shared_ptr<RandomAccessFile>(std::move(opened));
}

}  // namespace

// --- The point.

uint64_t DbImpl::CollectBackupPoint(const std::shared_ptr<const Version>& version, BackupPoint* point) {
  point->version = version;
  CommitLockHolder lock(&commit_lock_);
  MutexLock mu_lock(&mu_);
  const auto add = [&](const MemTableSlot& slot) {
    if (slot.log_number == 0) return;  // of a read-only store, which writes no log
    const uint64_t end = slot.log != nullptr ? slot.log->end() : slot.recovered_end;
    point->logs.push_back({slot.log_number, end, slot.first_sequence, slot.log, nullptr});
    for (const auto& file : slot.value_logs) AddOnce(file, &point->values_of_logs);
  };
  for (const auto& slot : immutables_) add(*slot);
  add(*active_shared_);
  point->sequence = inserted_sequence_;
  return position_;
}

Status DbImpl::OpenBackupLogs(BackupPoint* point) {
  for (BackupLog& log : point->logs) {
    VARVE_ASSIGN_OR_RETURN(auto file,
                           env_->OpenRandomAccess(JoinPath(dir_, WalFileName(log.number))));
    log.file = std::move(file);
  }
  return Status::Ok();
}

Result<BackupPoint> DbImpl::TakeBackupPoint() {
  BackupPoint point;
  uint64_t position = 0;
  {
    MutexLock lock(&doomed_mu_);
    ++doomed_holds_;
  }
  // Between edits: a version belongs to the memtables that were left when it took effect.
  versions_.WithCurrent([&](const std::shared_ptr<const Version>& version) {
    position = CollectBackupPoint(version, &point);
  });
  const Status opened = OpenBackupLogs(&point);
  {
    MutexLock lock(&doomed_mu_);
    --doomed_holds_;
  }
  VARVE_RETURN_IF_ERROR(opened);
  // What is in buffers yet is written, and what waits for a sync gets it: the point then has all that had
  // come. A store that cannot write any more has what its readers see.
  if (!options_.read_only) (void)sync_group_.WaitFor(position, /*sync=*/false);
  const SequenceNumber seen = visible_sequence_.load(std::memory_order_acquire);
  point.sequence = std::min(point.sequence, std::max(seen, point.version->largest_sequence()));
  VARVE_RETURN_IF_ERROR(MeasureBackupLogs(&point));
  return point;
}

Status DbImpl::MeasureBackupLogs(BackupPoint* point) {
  SequenceNumber last = 0;
  for (size_t i = 0; i < point->logs.size(); ++i) {
    BackupLog& log = point->logs[i];
    VARVE_ASSIGN_OR_RETURN(const MeasuredLog measured, MeasureLog(log, point->sequence));
    last = std::max(last, measured.last_sequence);
    log.end = measured.end;
    if (measured.is_whole) continue;
    const bool begins_later = measured.last_sequence == 0 && log.first_sequence > point->sequence;
    if (!measured.goes_on && last < point->sequence && !begins_later) {
      VARVE_RETURN_IF_ERROR(options_.read_only ? Status::Ok() : CheckWritable());
      return Status::Corruption(JoinPath(dir_, WalFileName(log.number)) + " at offset " +
                                std::to_string(measured.end) + ": the log's record there is damaged");
    }
    const size_t kept = measured.end > 0 ? i + 1 : i;
    point->logs.erase(point->logs.begin() + static_cast<ptrdiff_t>(kept), point->logs.end());
    break;
  }
  return Status::Ok();
}

// --- What is copied.

Status DbImpl::PlanBackupValues(const BackupPoint& point, BackupPlan* plan) {
  // Files that nothing points into are garbage, which is left behind.
  std::vector<std::shared_ptr<ValueLogFile>> needed = point.values_of_logs;
  for (const auto& [number, bytes] : point.version->value_refs()) {
    if (bytes == 0) continue;
    const auto found = point.version->value_logs().find(number);
    if (found == point.version->value_logs().end()) {
      return Status::Corruption(JoinPath(dir_, ValueLogFileName(number)) +
                                ": the store points into it, and it is missing");
    }
    AddOnce(found->second, &needed);
  }
  for (const auto& file : needed) {
    const ValueLogSet::Extent extent = values_.ExtentOf(*file);
    // What is being appended is reserved before it is written.
    VARVE_ASSIGN_OR_RETURN(const uint64_t size, env_->FileSize(file->path()));
    const uint64_t bytes = std::min(extent.bytes, size);
    plan->files.push_back({BackupFileType::kValueLog, file->number(), 0, bytes,
                           extent.is_settled ? bytes : 0, 0});
    plan->edit.added_value_logs.push_back({file->number(), bytes});
  }
  return Status::Ok();
}

Result<BackupPlan> DbImpl::PlanBackup(const BackupPoint& point) {
  BackupPlan plan;
  for (const BackupLog& log : point.logs) {
    plan.files.push_back({BackupFileType::kWal, log.number, 0, log.end, 0, 0});
  }
  plan.edit = point.version->Describe();
  plan.edit.added_value_logs.clear();
  VARVE_RETURN_IF_ERROR(PlanBackupValues(point, &plan));
  for (const SegmentMeta& meta : plan.edit.added_segments) {
    plan.files.push_back({BackupFileType::kSegment, meta.file_number, 0, meta.file_bytes,
                          meta.file_bytes, 0});
  }
  plan.edit.format_version = kFormatVersion;
  plan.edit.hash_salt = context_.hash_salt;
  plan.edit.last_sequence = point.sequence;
  uint64_t next = versions_.next_file_number();
  // A store opened read-only has given out no numbers; its logs may have newer ones than its manifest says.
  for (const BackupFile& file : plan.files) next = std::max(next, file.number + 1);
  plan.edit.next_file_number = next;
  plan.edit.origins = versions_.Origins();
  if (!point.logs.empty()) {
    plan.edit.oldest_log_number = point.logs.front().number;
    plan.edit.durable_log = DurableLog{point.logs.back().number, point.logs.back().end};
  }
  for (BackupFile& file : plan.files) file.origin = OriginOf(plan.edit.origins, file.number);
  return plan;
}

// --- Backup.

Result<BackupSummary> DbImpl::Backup(BackupSink& sink, const BackupOptions& options) {
  BackupPlan earlier;
  if (options.since != nullptr) {
    VARVE_ASSIGN_OR_RETURN(earlier, PlanOf(*options.since));
    if (options.since->id == 0 || earlier.edit.hash_salt != context_.hash_salt) {
      return Status::InvalidArgument("the earlier backup is of another store");
    }
  }
  VARVE_ASSIGN_OR_RETURN(BackupPoint point, TakeBackupPoint());
  VARVE_ASSIGN_OR_RETURN(BackupPlan plan, PlanBackup(point));
  LeaveOut(earlier, &plan);
  const std::string encoded = EncodeBackupPlan(plan);
  if (encoded.size() > kMaxBackupPlanBytes) {
    return Status::NotSupported("the store has too many files for a backup");
  }
  const BackupHeader header{std::max<uint64_t>(1, env_->RandomSeed()),
                            options.since != nullptr ? options.since->id : 0, clock_->WallMillis()};
  const BackupSummary summary = SummaryOf(header, plan, encoded);
  Pace pace(clock_, options, summary.carried_bytes);
  BackupWriter writer(&sink, header);
  VARVE_RETURN_IF_ERROR(writer.Begin(encoded));
  for (size_t i = 0; i < plan.files.size(); ++i) {
    const BackupFile& file = plan.files[i];
    if (file.from == file.bytes) continue;
    if (file.type != BackupFileType::kWal) point.logs.clear();  // they can be used again
    const std::string path = JoinPath(dir_, BackupFileName(file));
    VARVE_ASSIGN_OR_RETURN(const auto opened, OpenFor(env_, path, file, point));
    VARVE_RETURN_IF_ERROR(writer.BeginFile(i));
    VARVE_RETURN_IF_ERROR(ReadPieces(*opened, path, file.from, file.bytes, writer.data(),
                                     kMaxBackupDataBytes, [&](std::string_view piece) {
      Status status = writer.AppendData(piece.size());
      return status.ok() ? pace.Count(piece.size()) : status;
    }));
  }
  VARVE_RETURN_IF_ERROR(writer.End());
  VARVE_RETURN_IF_ERROR(sink.Finish());
  return summary;
}

// --- Checkpoint.

bool DbImpl::MayLinkValues(uint64_t number, bool is_synced) {
  const auto file = values_.Find(number);
  if (file == nullptr) return false;
  const ValueLogSet::Extent extent = values_.ExtentOf(*file);
  if (extent.is_active || !extent.is_settled) return false;
  return is_synced || (options_.read_only && !file->is_dirty());
}

Status DbImpl::PlaceFiles(const BackupPlan& plan, const BackupPoint& point, const std::string& dir) {
  // What this process has written must be durable to be linked to. If that fails it is copied.
  const bool is_synced = !options_.read_only && Sync().ok();
  std::string buffer;
  for (const BackupFile& file : plan.files) {
    const std::string name = BackupFileName(file);
    const std::string from = JoinPath(dir_, name), to = JoinPath(dir, name);
    if (file.type == BackupFileType::kSegment ||
        (file.type == BackupFileType::kValueLog && MayLinkValues(file.number, is_synced))) {
      Status linked = env_->LinkFile(from, to);
      if (linked.code() == StatusCode::kNotSupported) {
        return Status::NotSupported(std::string(linked.message()) +
                                    "; a checkpoint must be on the file system of the store: take a "
                                    "backup instead");
      }
      VARVE_RETURN_IF_ERROR(linked);
      continue;
    }
    VARVE_ASSIGN_OR_RETURN(const auto opened, OpenFor(env_, from, file, point));
    VARVE_ASSIGN_OR_RETURN(const auto copy, env_->OpenWritable(to, Env::OpenMode::kCreateNew));
    buffer.resize(kMaxBackupDataBytes);
    uint64_t written = 0;
    VARVE_RETURN_IF_ERROR(ReadPieces(*opened, from, 0, file.bytes, buffer.data(), buffer.size(),
                                     [&](std::string_view piece) {
      Status status = copy->Write(written, piece);
      written += piece.size();
      return status;
    }));
    if (!VARVE_PLANTED_BUG("checkpoint.copy_not_synced")) VARVE_RETURN_IF_ERROR(copy->Sync());
    VARVE_RETURN_IF_ERROR(copy->Close());
  }
  return Status::Ok();
}

Status DbImpl::Checkpoint(const std::string& dir) {
  StoreBuilder builder(env_, dir);
  VARVE_RETURN_IF_ERROR(builder.Begin());
  VARVE_ASSIGN_OR_RETURN(const BackupPoint point, TakeBackupPoint());
  VARVE_ASSIGN_OR_RETURN(const BackupPlan plan, PlanBackup(point));
  VARVE_RETURN_IF_ERROR(PlaceFiles(plan, point, dir));
  return builder.Commit(plan.edit);
}

}  // namespace varve
