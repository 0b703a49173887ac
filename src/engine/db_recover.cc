// What DbImpl does with the logs and files that it finds when it is opened.
#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/db_impl.h"
#include "engine/recovery.h"
#include "engine/rewrite.h"
#include "engine/wal_names.h"
#include "format/filename.h"
#include "format/point_index.h"
#include "format/value_log.h"

namespace varve {

namespace {

// A log that is continued keeps the memory of its changes; beyond this share of a memtable it is
// flushed instead.
constexpr uint64_t kContinueShare = 2;

}  // namespace

Status DbImpl::FindValueLogs() {
  VARVE_ASSIGN_OR_RETURN(auto names, env_->ListDir(dir_));
  for (const std::string& name : names) {
    const auto parsed = ParseFileName(name);
    if (!parsed || parsed->type != FileType::kValueLog || values_.Find(parsed->number) != nullptr) {
      continue;
    }
    // Not in the manifest: only changes in the log can point here.
    VARVE_ASSIGN_OR_RETURN(uint64_t bytes, env_->FileSize(JoinPath(dir_, name)));
    values_.AddExisting(parsed->number, bytes);
  }
  return Status::Ok();
}

Result<bool> DbImpl::ValuesAreWhole(const WalRecord& record) {
  WalOpReader ops(record.payload, record.count);
  std::string buffer;
  for (WalOp op; ops.Next(&op);) {
    const EntryKind kind = static_cast<EntryKind>(op.kind);
    if (!HasPointer(kind)) continue;
    ValuePointer pointer;
    if (!DecodePointerOf(kind, op.value, &pointer)) return false;
    const auto file = values_.Find(pointer.file_number);
    if (file == nullptr) return false;
    auto value = file->ReadInto(pointer, &buffer);
    if (value.ok()) continue;
    if (value.status().IsCorruption()) return false;
    return value.status();
  }
  return true;
}

Status DbImpl::RecoverLogs() {
  VARVE_RETURN_IF_ERROR(FindValueLogs());
  std::vector<std::shared_ptr<MemTableSlot>> slots;
  LogReplay replay(env_, dir_);
  VARVE_RETURN_IF_ERROR(replay.Run(
      versions_.oldest_log_number(), versions_.durable_log(),
      [&](uint64_t number) {
        slots.push_back(std::make_shared<MemTableSlot>(
            MemTable::Create(&pool_, static_cast<size_t>(tuning_.memtable_bytes)), number));
        return Status::Ok();
      },
      [&](const WalRecord& record) { return ValuesAreWhole(record); },
      [&](SequenceNumber sequence, const WalOp& op) { return ReplayOp(sequence, op, slots.back().get()); }));

  CommitLockHolder lock(&commit_lock_);
  inserted_sequence_ = std::max(versions_.recovered_sequence(), replay.last_sequence());
  // Earlier releases told the manifest of too small a number at times.
  if (!VARVE_PLANTED_BUG("recovery.number_of_an_unseen_change_used_again") &&
      !VARVE_PLANTED_BUG("manifest.last_sequence_goes_back")) {
    inserted_sequence_ = std::max(inserted_sequence_, versions_.current()->largest_sequence());
  }
  if (VARVE_PLANTED_BUG("recovery.sequence_used_again")) {
    inserted_sequence_ = replay.last_sequence();
  }
  visible_sequence_.store(inserted_sequence_, std::memory_order_release);
  {
    RangeTombstoneSet tombstones = TombstonesOf(*versions_.current());
    MutexLock mu_lock(&mu_);
    version_tombstones_ = std::move(tombstones);
    for (const auto& slot : slots) {
      slot->tombstones = RangeTombstoneSet(slot->range_tombstones, BoundariesLocked());
    }
  }
  for (size_t i = 0; i < slots.size(); ++i) slots[i]->recovered_end = replay.replayed()[i].end;
  if (!replay.replayed().empty()) {
    recovered_log_number_ = replay.replayed().back().number;
    recovered_log_end_ = replay.replayed().back().end;
  }
  if (options_.read_only) return AdoptReadOnly(std::move(slots));
  const bool continues = replay.replayed().size() == 1 && replay.replayed()[0].ended_clean &&
                         slots[0]->memtable->memory_bytes() < tuning_.memtable_bytes / kContinueShare;
  if (continues) {
    VARVE_RETURN_IF_ERROR(ContinueLog(replay.replayed()[0], slots[0]));
    return RemoveForeignLogs(replay);
  }
  {
    MutexLock mu_lock(&mu_);
    for (auto& slot : slots) {
      // Whoever wrote it may have died before syncing it.
      VARVE_RETURN_IF_ERROR(RenewNames(*slot));
      unsynced_recovered_logs_.push_back(JoinPath(dir_, WalFileName(slot->log_number)));
      immutables_.push_back(std::move(slot));
    }
    immutable_count_.store(static_cast<uint32_t>(immutables_.size()), std::memory_order_relaxed);
  }
  Status status = Rotate(0);
  if (IsNoSpace(status) && !replay.replayed().empty()) {
    events_.Add("the disk is full: the last log is continued");
    status = ContinueLastLog(replay.replayed().back());
  }
  VARVE_RETURN_IF_ERROR(status);
  if (replay.replayed().empty()) {
    // The oldest log that the manifest names is not part of history: a new one takes its place before
    // it may go.
    VersionEdit edit;
    edit.oldest_log_number = log_->number();
    VARVE_RETURN_IF_ERROR(ApplyEdit(std::move(edit), nullptr));
  }
  return RemoveForeignLogs(replay);
}

Status DbImpl::RenewNames(const MemTableSlot& slot) {
  if (VARVE_PLANTED_BUG("recovery.names_taken_for_durable")) return Status::Ok();
  VARVE_RETURN_IF_ERROR(RenewName(env_, JoinPath(dir_, WalFileName(slot.log_number))));
  for (const auto& file : slot.value_logs) VARVE_RETURN_IF_ERROR(RenewName(env_, file->path()));
  return Status::Ok();
}

Status DbImpl::SyncRecoveredLogs() {
  std::vector<std::string> paths;
  {
    MutexLock lock(&mu_);
    paths = unsynced_recovered_logs_;
  }
  if (paths.empty() || VARVE_PLANTED_BUG("recovery.logs_taken_for_durable")) return Status::Ok();
  for (const std::string& path : paths) {
    Status status = RewriteAndSync(env_, path, 0);
    if (!status.ok() && !status.IsNotFound()) return status;  // gone: flushed meanwhile
  }
  VARVE_RETURN_IF_ERROR(directory_.Sync());
  MutexLock lock(&mu_);
  unsynced_recovered_logs_.clear();
  return Status::Ok();
}

Status DbImpl::ReplayOp(SequenceNumber sequence, const WalOp& op, MemTableSlot* slot) {
  if (op.key.size() > MemTable::kMaxKeyBytes || op.value.size() > MemTable::kMaxValueBytes ||
      sequence > kMaxSequence) {
    return Status::Corruption("a log record exceeds the limits of keys and values");
  }
  if (op.kind == kDeleteRangeOp) {
    if (op.key < op.value) {
      slot->range_tombstones.push_back({std::string(op.key), std::string(op.value), sequence});
    }
    return Status::Ok();
  }
  const EntryKind kind = static_cast<EntryKind>(op.kind);
  if (!IsWellFormed(kind, op.value)) return Status::Corruption("a malformed deadline");
  if (HasPointer(kind)) {
    ValuePointer pointer;
    if (!DecodePointerOf(kind, op.value, &pointer)) return Status::Corruption("a malformed value pointer");
    auto file = values_.Find(pointer.file_number);
    if (file != nullptr) {
      if (!VARVE_PLANTED_BUG("recovery.values_taken_for_durable")) {
        file->MarkDirtyFrom(pointer.offset);
      }
      auto& files = slot->value_logs;
      if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(std::move(file));
    }
  }
  slot->memtable->Add(sequence, kind, op.key, op.value, PointIndexHash(op.key, context_.hash_salt));
  return Status::Ok();
}

Status DbImpl::AdoptReadOnly(std::vector<std::shared_ptr<MemTableSlot>> slots) {
  active_ = std::make_shared<MemTableSlot>(
      MemTable::Create(&pool_, static_cast<size_t>(tuning_.memtable_bytes)), 0);
  MutexLock lock(&mu_);
  active_shared_ = active_;
  for (auto& slot : slots) immutables_.push_back(std::move(slot));
  InstallSuperVersion();
  return Status::Ok();
}

// Logs that history does not go through must be gone before it continues: their numbers are in its way.
Status DbImpl::RemoveForeignLogs(const LogReplay& replay) {
  VARVE_ASSIGN_OR_RETURN(auto names, env_->ListDir(dir_));
  bool removed = false;
  for (const std::string& name : names) {
    const auto parsed = ParseFileName(name);
    if (!parsed || parsed->type != FileType::kWal) continue;
    const bool is_replayed = parsed->number == log_->number() || std::any_of(
        replay.replayed().begin(), replay.replayed().end(),
        [&](const ReplayedLog& log) { return log.number == parsed->number; });
    if (is_replayed || VARVE_PLANTED_BUG("recovery.foreign_logs_stay")) continue;
    VARVE_RETURN_IF_ERROR(env_->RemoveFile(JoinPath(dir_, name)));
    removed = true;
  }
  return removed ? directory_.Sync() : Status::Ok();
}

Status DbImpl::ContinueLog(const ReplayedLog& replayed, std::shared_ptr<MemTableSlot> slot) {
  LogFileOptions options = LogOptions(0);
  const std::string path = JoinPath(dir_, WalFileName(replayed.number));
  const DurableLog& durable = versions_.durable_log();
  if ((durable.number != replayed.number || durable.end < replayed.end) &&
      !VARVE_PLANTED_BUG("recovery.continued_log_taken_for_durable")) {
    VARVE_RETURN_IF_ERROR(RenewNames(*slot));
    VARVE_RETURN_IF_ERROR(RewriteAndSync(env_, path, 0));
    VARVE_RETURN_IF_ERROR(directory_.Sync());
  }
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<LogFile> log,
                         LogFile::Continue(env_, path, replayed.number, options, replayed.end));
  slot->log = log;
  log_seed_ = replayed.header.seed();
  unsynced_logs_.push_back(log);
  log_ = std::move(log);
  active_ = slot;
  MutexLock lock(&mu_);
  active_shared_ = std::move(slot);
  InstallSuperVersion();
  return Status::Ok();
}

// On a full disk there is no new log. The last one is continued, whatever is behind its end, so that the
// store opens and deletes find the room that it still has.
Status DbImpl::ContinueLastLog(const ReplayedLog& replayed) {
  std::shared_ptr<MemTableSlot> slot;
  {
    MutexLock lock(&mu_);
    slot = std::move(immutables_.back());
    immutables_.pop_back();
    immutable_count_.store(static_cast<uint32_t>(immutables_.size()), std::memory_order_relaxed);
    unsynced_recovered_logs_.pop_back();
  }
  if (!replayed.ended_clean) {
    VARVE_RETURN_IF_ERROR(
        ZeroTail(env_, JoinPath(dir_, WalFileName(replayed.number)), replayed.end));
  }
  return ContinueLog(replayed, std::move(slot));
}

// A manifest whose last record rotted names files that a later change has removed: then nothing may be
// cleaned up in its name.
Status DbImpl::CheckSegmentsExist() {
  VARVE_ASSIGN_OR_RETURN(const auto names, env_->ListDir(dir_));
  const std::set<std::string> present(names.begin(), names.end());
  const auto version = versions_.current();
  for (const auto& run : version->runs()) {
    for (const SegmentSlice& slice : run->slices()) {
      const std::string name = SegmentFileName(slice.meta().file_number);
      if (!present.contains(name)) {
        return Status::Corruption(JoinPath(dir_, name) + ": the manifest names it, and it is missing");
      }
    }
  }
  for (const auto& [number, bytes] : versions_.recovered_value_logs()) {
    auto refs = version->value_refs().find(number);
    if (refs == version->value_refs().end() || present.contains(ValueLogFileName(number))) continue;
    return Status::Corruption(JoinPath(dir_, ValueLogFileName(number)) +
                              ": the manifest names it, and it is missing");
  }
  return Status::Ok();
}

Status DbImpl::RemoveLeftovers() {
  std::set<uint64_t> segments;
  const auto version = versions_.current();
  for (const auto& run : version->runs()) {
    for (const SegmentSlice& slice : run->slices()) segments.insert(slice.meta().file_number);
  }
  VARVE_ASSIGN_OR_RETURN(auto names, env_->ListDir(dir_));
  MutexLock lock(&mu_);
  std::set<uint64_t> pointed_to;
  const auto note = [&](const MemTableSlot& slot) {
    for (const auto& file : slot.value_logs) pointed_to.insert(file->number());
  };
  for (const auto& slot : immutables_) note(*slot);
  note(*active_shared_);
  for (const std::string& name : names) {
    const auto parsed = ParseFileName(name);
    if (!parsed) continue;
    bool is_leftover = false;
    switch (parsed->type) {
      case FileType::kSegment:
        is_leftover = !segments.contains(parsed->number);
        break;
      case FileType::kValueLog:
        is_leftover = !versions_.recovered_value_logs().contains(parsed->number) &&
                      (!pointed_to.contains(parsed->number) ||
                       VARVE_PLANTED_BUG("recovery.removes_values_of_the_log"));
        if (is_leftover) values_.Forget(parsed->number);
        break;
      case FileType::kManifest:
        is_leftover = parsed->number != versions_.manifest_number();
        break;
      case FileType::kSpareWal:
        is_leftover = true;
        break;
      default:
        break;
    }
    if (is_leftover) DoomFile(JoinPath(dir_, name));
  }
  return Status::Ok();
}

// --- Reading the log of a closed store.

Status ReadWal(const std::string& dir, const Options& options, const WalVisitor& visit) {
  Env* env = options.env != nullptr ? options.env : Env::Default();
  if (!env->FileExists(JoinPath(dir, kCurrentFileName))) return Status::NotFound("no store in " + dir);
  ReaderContext context;
  DirectorySync directory(env, dir);
  ChunkPool pool(env, 0);
  BlockCache cache(&pool, 0);
  context.env = env;
  context.dir = dir;
  context.cache = &cache;
  context.directory = &directory;
  context.remove_file = [](std::string) {};
  VersionSet* versions_of_set = nullptr;
  ValueLogSet values(&context, 0, [&] { return versions_of_set->NextFileNumber(); });
  VersionSet versions(&context, &values);
  versions_of_set = &versions;
  VARVE_RETURN_IF_ERROR(versions.Recover(/*writable=*/false));
  VARVE_ASSIGN_OR_RETURN(auto files, env->ListDir(dir));
  for (const std::string& name : files) {
    const auto parsed = ParseFileName(name);
    if (parsed && parsed->type == FileType::kValueLog && values.Find(parsed->number) == nullptr) {
      values.AddExisting(parsed->number, env->FileSize(JoinPath(dir, name)).value_or(0));
    }
  }
  std::string buffer;
  StoreClock clock(env->clock());
  WalNames names;
  // Damage to a segment must not hide the log: namespaces then go by their numbers.
  (void)names.Load(versions.current(), &clock);
  LogReplay replay(env, dir);
  Status status = replay.Run(
      versions.oldest_log_number(), versions.durable_log(), [](uint64_t) { return Status::Ok(); },
      [](const WalRecord&) -> Result<bool> { return true; },
      [&](SequenceNumber sequence, const WalOp& op) -> Status {
        const EntryKind kind = static_cast<EntryKind>(op.kind);
        if (op.kind == kDeleteRangeOp || kind == EntryKind::kDelete) {
          return names.Visit(sequence, op, 0, visit);
        }
        if (!IsWellFormed(kind, op.value)) return Status::Corruption("a malformed deadline");
        const uint64_t deadline = IsExpiring(kind) ? DeadlineOf(op.value) : 0;
        WalOp plain{static_cast<uint8_t>(EntryKind::kValue), op.key, PlainValueOf(kind, op.value)};
        if (!HasPointer(kind)) return names.Visit(sequence, plain, deadline, visit);
        ValuePointer pointer;
        if (!DecodePointerOf(kind, op.value, &pointer)) return Status::Corruption("a bad value pointer");
        auto file = values.Find(pointer.file_number);
        if (file == nullptr) return Status::Corruption("a value-log file is missing");
        VARVE_ASSIGN_OR_RETURN(std::string_view value, file->ReadInto(pointer, &buffer));
        plain.value = value;
        return names.Visit(sequence, plain, deadline, visit);
      });
  versions.Release();
  values.Release();
  EpochDrain();
  return status;
}

}  // namespace varve
