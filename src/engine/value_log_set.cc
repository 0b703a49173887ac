#include "engine/value_log_set.h"

#include <algorithm>
#include <cstring>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/operation_times.h"
#include "engine/rewrite.h"
#include "format/filename.h"
#include "format/value_log.h"

namespace varve {

namespace {

// What a value-log file keeps ready ahead of its end: a quarter of it, between these.
constexpr uint64_t kMinReserveBytes = uint64_t{256} << 10;
constexpr uint64_t kMaxReserveBytes = uint64_t{16} << 20;

}  // namespace

ValueLogFile::ValueLogFile(ReaderContext* context, uint64_t number, uint64_t max_start_offset)
    : context_(context), number_(number), max_start_offset_(max_start_offset) {}

ValueLogFile::~ValueLogFile() {
  if (slots_ != nullptr) {
    context_->ReleaseIndex(slots_->memory_bytes());
  }
  if (is_obsolete_.load(std::memory_order_relaxed)) {
    context_->remove_file(path());
  } else {
    GiveBackReserve();
  }
}

std::string ValueLogFile::path() const { return JoinPath(context_->dir, ValueLogFileName(number_)); }

Status ValueLogFile::EnsureOpen() {
  if (is_open_.load(std::memory_order_acquire)) return Status::Ok();
  if (BlockWait* wait = BlockWait::Current()) return wait->MustBlock();
  MutexLock lock(&mu_);
  if (is_open_.load(std::memory_order_relaxed)) return Status::Ok();
  auto reader = context_->env->OpenRandomAccess(path());
  if (!reader.ok()) {
    if (!reader.status().IsNotFound()) return reader.status();
    return Status::Corruption("value-log file is missing: " + path());
  }
  reader_ = *std::move(reader);
  slots_ = std::make_unique<BlockSlots>(context_->cache, max_start_offset_ / kValueLogCacheUnit + 1);
  context_->ChargeIndex(slots_->memory_bytes());
  // Release: reader and slots are complete.
  is_open_.store(true, std::memory_order_release);
  return Status::Ok();
}

void ValueLogFile::ReserveAhead(uint64_t end, uint64_t limit) {
  uint64_t reserved = reserved_end_.load(std::memory_order_relaxed);
  while (end > reserved) {
    const uint64_t step = std::clamp(end / 4, kMinReserveBytes, kMaxReserveBytes);
    const uint64_t target = std::max(end, std::min(end + step, limit));
    if (reserved_end_.compare_exchange_weak(reserved, target, std::memory_order_relaxed)) {
      writer_->ReserveBlocks(reserved, target - reserved);
      return;
    }
  }
}

void ValueLogFile::GiveBackReserve() {
  const uint64_t end = end_.load(std::memory_order_relaxed);
  if (reserved_end_.exchange(0, std::memory_order_relaxed) <= end) return;
  // If this fails the file takes more room than it needs, until it is emptied.
  (void)writer_->Truncate(end);
}

Result<PinnedValue> ValueLogFile::Read(const ValuePointer& pointer) {
  VARVE_RETURN_IF_ERROR(EnsureOpen());
  if (pointer.offset > max_start_offset_) {
    return Status::Corruption(path() + ": a pointer leads beyond the file, to offset " +
                              std::to_string(pointer.offset));
  }
  const size_t index = static_cast<size_t>(pointer.offset / kValueLogCacheUnit);
  const size_t value_at = kValueLogRecordHeaderBytes + pointer.key_bytes;
  const size_t bytes = value_at + pointer.value_bytes;
  const auto pin = [value_at, &pointer](Frame* frame) {
    BlockCache::Ref(frame);
    return PinnedValue({frame->data() + value_at, pointer.value_bytes}, frame,
                       [](void* owner) { BlockCache::Unref(static_cast<Frame*>(owner)); });
  };
  EpochGuard guard;
  Frame* frame = BlockCache::Lookup(*slots_, index);
  if (frame != nullptr && frame->size == bytes) return pin(frame);
  CachedBlock loaded;
  if (BlockWait* wait = BlockWait::Current()) {
    VARVE_RETURN_IF_ERROR(wait->Take({this, slots_.get(), index, reader_.get(), pointer.offset, bytes,
                                      BlockKind::kData, pointer, {}},
                                     &loaded));
    return pin(loaded.frame);
  }
  frame = context_->cache->AllocateFrame(bytes);
  NoteDiskRead(context_->env->clock()->MonotonicNanos());
  VARVE_RETURN_IF_ERROR(Adopt(pointer, index, reader_->Read(pointer.offset, bytes, frame->data()), frame,
                              &loaded));
  return pin(loaded.frame);
}

Status ValueLogFile::Adopt(const ValuePointer& pointer, size_t index, const Result<size_t>& got,
                           Frame* frame, CachedBlock* loaded) {
  Status status = got.status();
  if (status.ok() && *got != frame->size) {
    status = Status::Corruption("the file ends inside the value at offset " +
                                std::to_string(pointer.offset));
  }
  if (status.ok()) status = DecodeValueLogRecord({frame->data(), frame->size}, pointer).status();
  if (!status.ok()) {
    BlockCache::Unref(frame);
    return status.WithContext(path());
  }
  loaded->frame = context_->cache->Publish(slots_.get(), index, frame);
  loaded->bytes = {loaded->frame->data(), loaded->frame->size};
  return Status::Ok();
}

Status ValueLogFile::Install(const MissingBlock& block, const Result<size_t>& got, const char* data,
                             CachedBlock* loaded) {
  Frame* frame = context_->cache->AllocateFrame(block.bytes);
  if (got.ok()) std::memcpy(frame->data(), data, *got);
  return Adopt(block.pointer, block.index, got, frame, loaded);
}

Result<std::string_view> ValueLogFile::ReadInto(const ValuePointer& pointer, std::string* buffer) {
  VARVE_RETURN_IF_ERROR(EnsureOpen());
  const size_t bytes = kValueLogRecordHeaderBytes + pointer.key_bytes + pointer.value_bytes;
  // Lengths come from a checksummed pointer, but the file decides what there is to allocate for.
  VARVE_ASSIGN_OR_RETURN(uint64_t size, reader_->Size());
  if (pointer.offset > size || bytes > size - pointer.offset) {
    return Status::Corruption(path() + ": the file ends inside the value at offset " +
                              std::to_string(pointer.offset));
  }
  buffer->resize(bytes);
  VARVE_ASSIGN_OR_RETURN(size_t got, reader_->Read(pointer.offset, bytes, buffer->data()));
  auto record = DecodeValueLogRecord(std::string_view(*buffer).substr(0, got), pointer);
  if (!record.ok()) return record.status().WithContext(path());
  return record->value;
}

Status ValueLogFile::Check(std::string_view key, const ValuePointer& pointer, std::string* buffer,
                           bool reads_device) {
  const uint64_t bytes = ValueLogRecordBytes(pointer);
  if (reads_device) {
    VARVE_RETURN_IF_ERROR(EnsureOpen());
    reader_->DontNeed(pointer.offset, bytes);
  }
  const auto value = ReadInto(pointer, buffer);
  if (reads_device) reader_->DontNeed(pointer.offset, bytes);
  if (!value.ok()) return value.status();
  const std::string_view found =
      std::string_view(*buffer).substr(kValueLogRecordHeaderBytes, pointer.key_bytes);
  if (found == key || VARVE_PLANTED_BUG("check.values_of_other_keys_accepted")) return Status::Ok();
  return Status::Corruption(path() + ": the record at offset " + std::to_string(pointer.offset) +
                            " is of another key than the one that points to it");
}

Result<std::shared_ptr<ValueLogFile>> ValueLogSet::Create() {
  auto file = std::make_shared<ValueLogFile>(context_, next_file_number_(), file_bytes_);
  VARVE_ASSIGN_OR_RETURN(file->writer_,
                         context_->env->OpenWritable(file->path(), Env::OpenMode::kCreateOrTruncate));
  char header[kValueLogFileHeaderBytes];
  EncodeValueLogFileHeader(file->number(), header);
  Status status = file->writer_->Write(0, {header, sizeof(header)});
  if (!status.ok()) {
    file->MarkObsolete();
    return status;
  }
  file->end_.store(kValueLogFileHeaderBytes, std::memory_order_relaxed);
  file->is_dirty_.store(true, std::memory_order_relaxed);
  file->name_is_dirty_.store(true, std::memory_order_relaxed);
  return file;
}

Result<std::shared_ptr<ValueLogFile>> ValueLogSet::ActiveFor(uint64_t record_bytes,
                                                             uint64_t* offset) noexcept {
  MutexLock lock(&mu_);
  std::shared_ptr<ValueLogFile>& active = active_[IdlestLane()];
  if (active == nullptr || active->bytes() >= file_bytes_) {
    VARVE_ASSIGN_OR_RETURN(active, Create());
    files_[active->number()] = active;
  }
  *offset = active->end_.fetch_add(record_bytes, std::memory_order_relaxed);
  active->holds_.fetch_add(1, std::memory_order_relaxed);
  active->writing_.fetch_add(1, std::memory_order_relaxed);
  return active;
}

size_t ValueLogSet::IdlestLane() const {
  size_t idlest = 0;
  uint32_t fewest = ~uint32_t{0};
  for (size_t i = 0; i < kLanes; ++i) {
    const uint32_t writing =
        active_[i] == nullptr ? 0 : active_[i]->writing_.load(std::memory_order_relaxed);
    if (writing < fewest) {
      idlest = i;
      fewest = writing;
    }
  }
  return idlest;
}

bool ValueLogSet::IsActiveLocked(const ValueLogFile* file) const {
  return std::any_of(active_.begin(), active_.end(),
                     [file](const auto& active) { return active.get() == file; });
}

ValueLogHold::~ValueLogHold() {
  // Release: the entry that was waited for is in place.
  if (file_ != nullptr) file_->holds_.fetch_sub(1, std::memory_order_release);
}

Result<AppendedValue> ValueLogSet::Append(std::string_view key, std::string_view value) {
  const uint64_t record_bytes = ValueLogRecordBytes(key.size(), value.size());
  uint64_t offset = 0;
  VARVE_ASSIGN_OR_RETURN(std::shared_ptr<ValueLogFile> file, ActiveFor(record_bytes, &offset));
  ValueLogHold hold(file);

  file->ReserveAhead(offset + record_bytes, file_bytes_);
  // One write, the value straight from the caller's memory; the few bytes of padding stay unwritten,
  // which reads as zeros.
  std::string head(kValueLogRecordHeaderBytes, '\0');
  EncodeValueLogRecordHeader(key, value.size(), ValueLogValueHash(value), file->number(), offset,
                             head.data());
  head.append(key);
  const Status status = file->writer_->WriteTwo(offset, head, value);
  if (!status.ok()) {
    // Give the room back if nobody has appended behind it.
    uint64_t end = offset + record_bytes;
    file->end_.compare_exchange_strong(end, offset, std::memory_order_relaxed);
  }
  // Release: who sees that nobody is writing (ExtentOf) finds all of it written.
  file->writing_.fetch_sub(1, std::memory_order_release);
  if (!status.ok()) return status.WithContext("value log");
  // Release: Sync's exchange, which sees the flag, happens after the write.
  file->is_dirty_.store(true, std::memory_order_release);
  appended_bytes_.fetch_add(record_bytes, std::memory_order_relaxed);
  return AppendedValue{{file->number(), offset, static_cast<uint32_t>(value.size()),
                        static_cast<uint32_t>(key.size())},
                       std::move(hold)};
}

Status ValueLogSet::SyncFile(const ValueLogFile& file) {
  if (file.writer_ != nullptr) return file.writer_->Sync();
  return RewriteAndSync(context_->env, file.path(),
                        file.rewrite_from_.load(std::memory_order_relaxed));
}

Status ValueLogSet::Sync() {
  MutexLock sync_lock(&sync_mu_);
  if (VARVE_PLANTED_BUG("value_log.failed_sync_tried_again")) return SyncDirty();
  if (failure_.ok()) {
    failure_ = SyncDirty();
    if (!failure_.ok()) has_failed_.store(true, std::memory_order_release);
  }
  return failure_;
}

Status ValueLogSet::SyncDirty() {
  bool sync_names = false;
  for (const auto& file : Files()) {
    if (!file->is_dirty_.exchange(false, std::memory_order_acq_rel)) continue;
    VARVE_RETURN_IF_ERROR(SyncFile(*file));
    if (file->name_is_dirty_.exchange(false, std::memory_order_relaxed)) sync_names = true;
  }
  return sync_names ? context_->directory->Sync() : Status::Ok();
}

void ValueLogSet::AddExisting(uint64_t number, uint64_t bytes) {
  auto file = std::make_shared<ValueLogFile>(context_, number, std::max(bytes, file_bytes_));
  file->end_.store(bytes, std::memory_order_relaxed);
  MutexLock lock(&mu_);
  files_[number] = std::move(file);
}

std::shared_ptr<ValueLogFile> ValueLogSet::Find(uint64_t number) {
  MutexLock lock(&mu_);
  if (auto it = files_.find(number); it != files_.end()) return it->second;
  auto it = removed_.find(number);
  return it == removed_.end() ? nullptr : it->second.lock();
}

ValueLogSet::Extent ValueLogSet::ExtentOf(const ValueLogFile& file) {
  MutexLock lock(&mu_);  // no append begins
  Extent extent;
  extent.is_active = IsActiveLocked(&file);
  extent.is_settled = file.writing_.load(std::memory_order_acquire) == 0;
  extent.bytes = file.bytes();
  return extent;
}

std::vector<std::shared_ptr<ValueLogFile>> ValueLogSet::Files() {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<ValueLogFile>> files;
  for (const auto& [number, file] : files_) files.push_back(file);
  return files;
}

std::vector<std::shared_ptr<ValueLogFile>> ValueLogSet::UnusedFiles() {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<ValueLogFile>> files;
  for (const auto& [number, file] : files_) {
    const bool held = file->holds_.load(std::memory_order_acquire) != 0 &&
                      !VARVE_PLANTED_BUG("value_log.removed_before_its_put");
    if (!IsActiveLocked(file.get()) && !held) files.push_back(file);
  }
  return files;
}

std::vector<std::shared_ptr<ValueLogFile>> ValueLogSet::ActiveFiles() {
  MutexLock lock(&mu_);
  std::vector<std::shared_ptr<ValueLogFile>> files;
  for (const auto& file : active_) {
    if (file != nullptr) files.push_back(file);
  }
  return files;
}

bool ValueLogSet::IsActive(uint64_t number) {
  MutexLock lock(&mu_);
  auto it = files_.find(number);
  return it != files_.end() && IsActiveLocked(it->second.get());
}

void ValueLogSet::Seal(uint64_t number) {
  MutexLock lock(&mu_);
  for (auto& file : active_) {
    if (file != nullptr && file->number() == number) file = nullptr;
  }
}

std::shared_ptr<ValueLogFile> ValueLogSet::Take(uint64_t number) {
  auto node = files_.extract(number);
  return node.empty() ? nullptr : std::move(node.mapped());
}

void ValueLogSet::Forget(uint64_t number) {
  std::shared_ptr<ValueLogFile> file;  // goes after the lock
  MutexLock lock(&mu_);
  file = Take(number);
}

void ValueLogSet::Release() {
  std::map<uint64_t, std::shared_ptr<ValueLogFile>> files;
  std::array<std::shared_ptr<ValueLogFile>, kLanes> active;
  MutexLock lock(&mu_);
  files.swap(files_);
  active.swap(active_);
}

void ValueLogSet::Remove(uint64_t number) {
  std::shared_ptr<ValueLogFile> file;  // goes after the lock
  MutexLock lock(&mu_);
  file = Take(number);
  if (file == nullptr) return;
  file->MarkObsolete();
  std::erase_if(removed_, [](const auto& entry) { return entry.second.expired(); });
  removed_[number] = file;
}

}  // namespace varve
