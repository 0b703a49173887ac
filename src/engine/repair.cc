#include "engine/repair.h"

#include <algorithm>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/event_log.h"
#include "format/filename.h"
#include "format/namespace_record.h"
#include "format/point_index.h"
#include "format/value_log.h"

namespace varve {

namespace {

constexpr size_t kMemTableBytes = size_t{1} << 20;
constexpr uint64_t kKeysPerProgress = 1024;
constexpr std::string_view kRecoveredName = "recovered-";

}  // namespace

Result<RepairReport> Db::Repair(const std::string& dir, const RepairOptions& options) {
  Env* env = options.env != nullptr ? options.env : Env::Default();
  return Repairer(env, dir, options).Run();
}

Repairer::Repairer(Env* env, std::string dir, const RepairOptions& options)
    : env_(env), dir_(std::move(dir)), options_(options), pool_(env, 0) {
  std::string base = dir_;
  while (base.size() > 1 && base.back() == '/') base.pop_back();
  report_.to = options.to.empty() ? base + ".repaired" : options.to;
}

Repairer::~Repairer() {
  merge_.reset();
  if (memtable_ != nullptr) memtable_->Unref();
}

Status Repairer::LockDirectory() {
  auto lock = env_->LockFile(JoinPath(dir_, kLockFileName));
  if (lock.ok()) lock_ = *std::move(lock);
  // Where it cannot be taken for another reason, on a read-only medium say, there is no writer either.
  return lock.status().code() == StatusCode::kBusy ? lock.status() : Status::Ok();
}

Result<RepairReport> Repairer::Run() {
  if (report_.to == dir_) return Status::InvalidArgument("a store is not repaired in its place");
  auto names = env_->ListDir(dir_);
  if (names.status().IsNotFound()) return Status::NotFound("no store in " + dir_);
  if (!names.ok()) return names.status();
  const bool is_store = std::any_of(names->begin(), names->end(), [](const std::string& name) {
    const auto parsed = ParseFileName(name);
    return parsed && parsed->type != FileType::kLock && parsed->type != FileType::kEvents;
  });
  if (!is_store) return Status::NotFound("nothing of a store in " + dir_);
  VARVE_RETURN_IF_ERROR(LockDirectory());
  VARVE_ASSIGN_OR_RETURN(inventory_, TakeInventory(env_, dir_));
  last_sequence_ = inventory_.last_sequence;
  VARVE_RETURN_IF_ERROR(ReadLogs());
  if (inventory_.hash_salt == 0) inventory_.hash_salt = env_->RandomSeed();
  writer_ = std::make_unique<RepairWriter>(env_, report_.to, inventory_.hash_salt,
                                           MostUsedCompression());
  VARVE_RETURN_IF_ERROR(writer_->Begin());
  VARVE_RETURN_IF_ERROR(WriteKeys());
  VARVE_RETURN_IF_ERROR(CompleteNamespaces());
  VARVE_RETURN_IF_ERROR(writer_->Finish(last_sequence_));
  FillReport();
  EventLog events;
  events.Open(env_, JoinPath(report_.to, kEventsFileName));
  events.Add("repaired from " + dir_ + ": " + std::to_string(report_.key_count) + " keys, " +
             std::to_string(report_.losses.size()) + " losses, " +
             std::to_string(report_.undecided.size()) + " undecided");
  return std::move(report_);
}

Compression Repairer::MostUsedCompression() const {
  std::map<Compression, uint64_t> bytes;
  for (const auto& run : inventory_.runs) {
    for (const SegmentPlan& plan : run) bytes[plan.compression] += plan.file_bytes;
  }
  Compression most = Compression::kNone;
  for (const auto& [compression, count] : bytes) {
    if (count > bytes[most]) most = compression;
  }
  return most;
}

// --- Logs.

void Repairer::ResetLogs() {
  if (memtable_ != nullptr) memtable_->Unref();
  memtable_ = MemTable::Create(&pool_, kMemTableBytes);
  log_tombstones_.clear();
  last_applied_ = 0;
}

void Repairer::Apply(SequenceNumber sequence, const WalOp& op) {
  // Numbers rise, but where a log does not belong to this history; and what has been flushed is in segments,
  // perhaps under a smaller number.
  if (sequence <= last_applied_ || sequence > kMaxSequence ||
      sequence <= inventory_.flushed_sequence) {
    return;
  }
  if (op.key.size() > MemTable::kMaxKeyBytes || op.value.size() > MemTable::kMaxValueBytes) return;
  last_applied_ = sequence;
  if (op.kind == kDeleteRangeOp) {
    if (op.key < op.value) {
      log_tombstones_.push_back({std::string(op.key), std::string(op.value), sequence});
    }
    return;
  }
  const EntryKind kind = static_cast<EntryKind>(op.kind);
  ValuePointer pointer;
  if (!IsWellFormed(kind, op.value)) return;
  if (HasPointer(kind) && !DecodePointerOf(kind, op.value, &pointer)) return;
  memtable_->Add(sequence, kind, op.key, op.value, PointIndexHash(op.key, inventory_.hash_salt));
}

void Repairer::LoseEverything(std::string file, uint64_t offset, std::string what, uint64_t changes) {
  losses_.push_back({{std::move(file), offset, std::move(what), DamagedKeys{}}, changes});
}

Status Repairer::ReadLogs() {
  report_.log_count = inventory_.logs.size();
  ResetLogs();
  const bool is_known = inventory_.has_manifest && !inventory_.manifest_is_torn;
  Status replayed = is_known ? ReplayLogs() : Status::Corruption("the manifest does not say it");
  if (replayed.code() == StatusCode::kNotSupported) return replayed;
  if (!replayed.ok()) {
    ResetLogs();
    VARVE_RETURN_IF_ERROR(SalvageLogs(replayed));
  }
  last_sequence_ = std::max(last_sequence_, last_applied_);
  std::vector<RangeTombstone> all = inventory_.range_tombstones;
  all.insert(all.end(), log_tombstones_.begin(), log_tombstones_.end());
  tombstones_ = RangeTombstones(all, {kMaxSequence});
  return Status::Ok();
}

// What opening the store would do, but for values that do not check: there it would end, here their keys
// are named as lost.
Status Repairer::ReplayLogs() {
  LogReplay replay(env_, dir_);
  return replay.Run(
      inventory_.oldest_log, inventory_.durable_log, [](uint64_t) { return Status::Ok(); },
      [](const WalRecord&) -> Result<bool> { return true; },
      [this](SequenceNumber sequence, const WalOp& op) {
        Apply(sequence, op);
        return Status::Ok();
      });
}

Status Repairer::SalvageLogs(const Status& why) {
  const auto path_of = [this](uint64_t number) { return JoinPath(dir_, WalFileName(number)); };
  const auto& logs = inventory_.logs;
  const DurableLog& durable = inventory_.durable_log;
  bool is_explained = !inventory_.undecided_file.empty();
  const auto lose = [&](const LogDamage& damage) {
    is_explained = true;
    if (damage.is_harmless) {
      inventory_.problems.push_back(damage.file + " at offset " + std::to_string(damage.offset) + ": " +
                                    damage.what);
    } else {
      LoseEverything(damage.file, damage.offset, damage.what, damage.lost_changes);
    }
  };
  if (inventory_.oldest_log != 0 && !std::binary_search(logs.begin(), logs.end(), inventory_.oldest_log)) {
    lose({path_of(inventory_.oldest_log), 0, "the log is missing", 0, false});
  }
  LogSalvage salvage(env_, dir_);
  if (!logs.empty()) {
    VARVE_RETURN_IF_ERROR(salvage.Run(
        logs, durable, inventory_.has_manifest ? inventory_.last_sequence : 0, [](uint64_t) {},
        [this](SequenceNumber sequence, const WalOp& op) { Apply(sequence, op); }, lose));
  }
  if (durable.number > inventory_.oldest_log && durable.end > 0 &&
      !std::binary_search(logs.begin(), logs.end(), durable.number)) {
    lose({path_of(durable.number), 0, "the log is missing", 0, false});
  }
  if (!is_explained) LoseEverything(dir_, 0, std::string(why.message()), 0);
  return Status::Ok();
}

// --- Keys.

Status Repairer::WriteKeys() {
  merge_ = std::make_unique<RepairMerge>(env_, [this](const Damage& damage, uint64_t changes) {
    losses_.push_back({damage, changes});
    last_key_is_lost_ = false;
  });
  for (auto& run : inventory_.runs) {
    report_.segment_count += run.size();
    merge_->AddRun(std::move(run));
  }
  merge_->AddMemTable(memtable_);
  merge_->Start();
  while (merge_->Valid()) VARVE_RETURN_IF_ERROR(WriteKey());
  ReportProgress();
  return Status::Ok();
}

Status Repairer::WriteKey() {
  key_.assign(merge_->entry().key);
  bool is_decided = false;
  for (; merge_->Valid() && merge_->entry().key == key_; merge_->Next()) {
    if (is_decided) continue;
    const Entry& entry = merge_->entry();
    last_sequence_ = std::max(last_sequence_, entry.sequence);
    const bool is_deleted =
        entry.kind == EntryKind::kDelete ||
        (tombstones_.MaxCovering(entry.key, kMaxSequence) > entry.sequence &&
         !VARVE_PLANTED_BUG("repair.forgets_range_deletes"));
    if (is_deleted) {
      is_decided = true;
      continue;
    }
    VARVE_ASSIGN_OR_RETURN(const bool is_whole, WriteVersion(entry));
    // Where it is not known which segments count, the one that lost its value may be one that does not.
    is_decided = is_whole || inventory_.has_manifest;
  }
  return Status::Ok();
}

Result<bool> Repairer::WriteVersion(const Entry& entry) {
  uint64_t value_bytes = PlainValueOf(entry.kind, entry.value).size();
  std::string_view value = PlainValueOf(entry.kind, entry.value);
  if (HasPointer(entry.kind)) {
    std::string file;
    uint64_t offset = 0;
    auto read = ReadValue(entry, &file, &offset);
    if (!read.ok()) {
      LoseValue(entry, std::move(file), offset, std::string(read.status().message()));
      return false;
    }
    value = *read;
    value_bytes = value.size();
  }
  NoteNamespace(entry, value);
  VARVE_RETURN_IF_ERROR(writer_->Add(entry, HasPointer(entry.kind) ? &value : nullptr));
  last_key_is_lost_ = false;
  // The table of namespaces is not the user's.
  if (NamespaceIdOf(entry.key) != kStoreNamespaceId) {
    ++report_.key_count;
    report_.byte_count += entry.key.size() - StoredKeyOverhead(entry.key) + value_bytes;
  }
  if (report_.key_count % kKeysPerProgress == 0) ReportProgress();
  return true;
}

Result<const RandomAccessFile*> Repairer::OpenValueFile(uint64_t number, const std::string& path) {
  auto found = value_files_.find(number);
  if (found == value_files_.end()) {
    auto file = env_->OpenRandomAccess(path);
    if (file.ok()) {
      char header[kValueLogFileHeaderBytes];
      auto got = (*file)->Read(0, sizeof(header), header);
      const Status status = got.ok() ? CheckValueLogFileHeader({header, *got}, number) : got.status();
      // The records check by themselves.
      if (!status.ok()) inventory_.problems.push_back(status.WithContext(path).ToString());
    } else {
      inventory_.problems.push_back(path + ": cannot be opened, and keys point into it");
    }
    found = value_files_.emplace(number, file.ok() ? *std::move(file) : nullptr).first;
  }
  if (found->second == nullptr) return Status::Corruption("the file is missing");
  return static_cast<const RandomAccessFile*>(found->second.get());
}

Result<std::string_view> Repairer::ReadValue(const Entry& entry, std::string* file, uint64_t* offset) {
  ValuePointer pointer;
  if (!DecodePointerOf(entry.kind, entry.value, &pointer)) {
    return Status::Corruption("a malformed value pointer");
  }
  *file = JoinPath(dir_, ValueLogFileName(pointer.file_number));
  *offset = pointer.offset;
  VARVE_ASSIGN_OR_RETURN(const RandomAccessFile* opened, OpenValueFile(pointer.file_number, *file));
  const uint64_t bytes =
      uint64_t{kValueLogRecordHeaderBytes} + pointer.key_bytes + pointer.value_bytes;
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, opened->Size());
  if (pointer.offset > size || bytes > size - pointer.offset) {
    return Status::Corruption("the file ends inside the value");
  }
  value_.resize(bytes);
  VARVE_ASSIGN_OR_RETURN(const size_t got, opened->Read(pointer.offset, bytes, value_.data()));
  VARVE_ASSIGN_OR_RETURN(const ValueLogRecord record,
                         DecodeValueLogRecord(std::string_view(value_).substr(0, got), pointer));
  if (record.key != entry.key) return Status::Corruption("the value is of another key");
  return record.value;
}

// Neighbours that lost their values in one file are one loss.
void Repairer::LoseValue(const Entry& entry, std::string file, uint64_t offset, std::string what) {
  if (last_key_is_lost_ && losses_.back().damage.file == file) {
    losses_.back().damage.keys->end = AfterKey(entry.key);
    ++losses_.back().changes;
    return;
  }
  losses_.push_back({{std::move(file), offset, std::move(what),
                      DamagedKeys{std::string(entry.key), AfterKey(entry.key)}},
                     1});
  last_key_is_lost_ = true;
}

// --- Namespaces.

void Repairer::NoteNamespace(const Entry& entry, std::string_view value) {
  const std::optional<uint32_t> id = NamespaceIdOf(entry.key);
  if (!id) return;
  if (*id != kStoreNamespaceId) {
    names_[*id];
    return;
  }
  const std::string_view key = entry.key.substr(kNamespacePrefixBytes);
  if (!key.empty() && key[0] == kNamespaceNameTag) {
    const auto record = DecodeNamespaceRecord(value);
    namespaces_are_known_ &= record.ok();
    if (!record.ok()) return;
    names_[record->id] = key.substr(1);
    used_names_.emplace(key.substr(1));
  } else if (key.size() == 1 && key[0] == kNextNamespaceIdTag) {
    const auto next = DecodeNextNamespaceId(value);
    if (next.ok()) next_namespace_id_ = *next;
  }
}

Status Repairer::CompleteNamespaces() {
  if (names_.empty() || !namespaces_are_known_) return Status::Ok();
  const Keyspace table = Keyspace::Named(kStoreNamespaceId);
  std::map<std::string, std::string> added;  // stored key and value, in order
  const uint32_t beyond = names_.rbegin()->first + 1;
  if (next_namespace_id_.value_or(0) < beyond) {
    added[table.ToStored(std::string(1, kNextNamespaceIdTag))] = EncodeNextNamespaceId(beyond);
  }
  for (auto& [id, name] : names_) {
    if (!name.empty()) continue;
    name = std::string(kRecoveredName) + std::to_string(id);
    while (used_names_.contains(name)) name.push_back('\'');
    inventory_.problems.push_back("namespace number " + std::to_string(id) +
                                  " has keys and no name; it is called " + name + " now");
    NamespaceRecord record;
    record.id = id;
    added[table.ToStored(std::string(1, kNamespaceNameTag) + name)] = EncodeNamespaceRecord(record);
  }
  if (added.empty()) return Status::Ok();
  VARVE_RETURN_IF_ERROR(writer_->NextRun());
  for (const auto& [key, value] : added) {
    if (last_sequence_ == kMaxSequence) return Status::Corruption("no sequence number is left");
    VARVE_RETURN_IF_ERROR(writer_->Add({key, value, ++last_sequence_, EntryKind::kValue}, nullptr));
  }
  return Status::Ok();
}

// --- The report.

void Repairer::ReportProgress() {
  if (!options_.progress) return;
  options_.progress({report_.key_count, merge_->bytes_read(), inventory_.total_bytes});
}

void Repairer::FillReport() {
  const auto add = [this](const Loss& loss, std::vector<RepairLoss>* to) {
    const Damage& damage = loss.damage;
    for (KeyRange& range : ToKeyRanges(*damage.keys, names_)) {
      to->push_back({std::move(range), damage.file, damage.offset, damage.what, loss.changes});
    }
  };
  report_.problems = std::move(inventory_.problems);
  for (const Loss& loss : losses_) {
    report_.problems.push_back(loss.damage.ToString());
    if (!VARVE_PLANTED_BUG("repair.keeps_losses_to_itself")) add(loss, &report_.losses);
  }
  if (!inventory_.undecided_file.empty()) {
    add({{inventory_.undecided_file, 0, inventory_.undecided_reason, DamagedKeys{}}, 0},
        &report_.undecided);
  }
}

}  // namespace varve
