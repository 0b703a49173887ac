#include "engine/version_set.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/newer_files.h"
#include "format/filename.h"
#include "format/manifest.h"
#include "varve/version.h"

namespace varve {

namespace {
constexpr char kNewCurrentFileName[] = "CURRENT.new";
}

std::shared_ptr<const Version> VersionSet::current() {
  MutexLock lock(&mu_);
  return current_;
}

void VersionSet::Release() {
  std::shared_ptr<const Version> last;
  MutexLock lock(&mu_);
  last.swap(current_);
}

void VersionSet::MarkFileNumberUsed(uint64_t number) {
  uint64_t next = next_file_number_.load(std::memory_order_relaxed);
  while (next <= number &&
         !next_file_number_.compare_exchange_weak(next, number + 1, std::memory_order_relaxed)) {
  }
}

Result<std::string> VersionSet::ReadWhole(const std::string& path) {
  VARVE_ASSIGN_OR_RETURN(auto file, context_->env->OpenRandomAccess(path));
  VARVE_ASSIGN_OR_RETURN(uint64_t size, file->Size());
  std::string content(size, '\0');
  VARVE_ASSIGN_OR_RETURN(size_t got, file->Read(0, size, content.data()));
  content.resize(got);
  return content;
}

std::vector<FileOrigin> VersionSet::Origins() {
  MutexLock apply_lock(&apply_mu_);
  std::vector<FileOrigin> origins = origins_;
  if (has_own_origin_ && manifest_ == nullptr) origins.back().id = 0;
  return origins;
}

void VersionSet::WithCurrent(const std::function<void(const std::shared_ptr<const Version>&)>& use) {
  MutexLock apply_lock(&apply_mu_);
  use(current());
}

void VersionSet::BeginOrigin(const std::vector<uint64_t>& numbers) {
  std::vector<FileOrigin> kept;
  for (size_t i = 0; i < origins_.size(); ++i) {
    const uint64_t first = origins_[i].first_file_number;
    const uint64_t end = i + 1 < origins_.size() ? origins_[i + 1].first_file_number : ~uint64_t{0};
    const bool is_used = std::any_of(numbers.begin(), numbers.end(), [&](uint64_t number) {
      return number >= first && number < end;
    });
    if (is_used) kept.push_back(origins_[i]);
  }
  origins_ = std::move(kept);
  origins_.push_back({std::max<uint64_t>(1, context_->env->RandomSeed()), next_file_number()});
  has_own_origin_ = true;
}

Status VersionSet::Create(uint64_t hash_salt) {
  context_->hash_salt = hash_salt;
  BeginOrigin({});
  MutexLock apply_lock(&apply_mu_);
  auto version = std::make_shared<const Version>();
  VARVE_RETURN_IF_ERROR(NewManifest(*version));
  MutexLock lock(&mu_);
  current_ = std::move(version);
  return Status::Ok();
}

Status VersionSet::ReadManifest(uint64_t number) {
  const std::string path = JoinPath(context_->dir, ManifestFileName(number));
  auto image = ReadWhole(path);
  if (!image.ok()) {
    if (!image.status().IsNotFound()) return image.status();
    return Status::Corruption("CURRENT names " + path + ", which does not exist");
  }
  VARVE_RETURN_IF_ERROR(CheckManifestFileHeader(*image, number).WithContext(path));
  manifest_number_ = number;
  ManifestReader reader(*image, number);
  auto version = std::make_shared<const Version>();
  bool is_first = true;
  while (true) {
    VersionEdit edit;
    const ManifestReadResult result = reader.Next(&edit);
    if (result == ManifestReadResult::kError) return reader.status().WithContext(path);
    if (result == ManifestReadResult::kTorn) {
      recovered_problem_ = Status::Corruption(
          path + " at offset " + std::to_string(reader.offset()) +
          ": the last record is not whole; it was ignored when the store was opened");
    }
    if (result != ManifestReadResult::kEdit) break;
    is_first = false;
    if (edit.hash_salt) context_->hash_salt = *edit.hash_salt;
    if (edit.next_file_number) MarkFileNumberUsed(*edit.next_file_number - 1);
    // Stores of earlier releases: of two edits on their way at once the later one may bear the smaller number.
    if (edit.last_sequence) {
      last_sequence_ = VARVE_PLANTED_BUG("manifest.last_sequence_goes_back") ? *edit.last_sequence
                                                                             : std::max(last_sequence_, *edit.last_sequence);
    }
    if (edit.oldest_log_number) oldest_log_number_ = *edit.oldest_log_number;
    if (edit.durable_log) durable_log_ = *edit.durable_log;
    if (!edit.origins.empty()) origins_ = edit.origins;
    for (const ValueLogFileMeta& meta : edit.added_value_logs) {
      recovered_value_logs_[meta.file_number] = meta.file_bytes;
    }
    for (uint64_t removed : edit.removed_value_logs) recovered_value_logs_.erase(removed);
    auto next = version->Apply(edit, ReadersFor(*version, edit), {});
    if (!next.ok()) return next.status().WithContext(path);
    version = *std::move(next);
  }
  // The first record is durable before CURRENT names the manifest.
  if (is_first) return Status::Corruption(path + ": holds no record");
  for (const auto& [file_number, bytes] : recovered_value_logs_) {
    const std::string name = JoinPath(context_->dir, ValueLogFileName(file_number));
    auto size = context_->env->FileSize(name);
    if (!size.ok() && !size.status().IsNotFound()) return size.status();
    // A missing file shows when a value in it is read.
    values_->AddExisting(file_number, size.ok() ? *size : bytes);
  }
  auto with_values = version->Apply({}, {}, ValueLogMap());
  if (!with_values.ok()) return with_values.status();
  MutexLock lock(&mu_);
  current_ = *std::move(with_values);
  return Status::Ok();
}

Status VersionSet::Recover(bool writable) {
  const std::string path = JoinPath(context_->dir, kCurrentFileName);
  VARVE_ASSIGN_OR_RETURN(std::string content, ReadWhole(path));
  const std::optional<uint64_t> number = ParseCurrentFile(content);
  if (!number) return Status::Corruption(path + ": does not name a manifest");
  VARVE_RETURN_IF_ERROR(ReadManifest(*number));
  VARVE_ASSIGN_OR_RETURN(auto names, context_->env->ListDir(context_->dir));
  VARVE_RETURN_IF_ERROR(RefuseNewerFiles(context_->env, context_->dir, names));
  if (!writable) return Status::Ok();
  // Numbers of files that a crash left behind are not used again.
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    const auto parsed = ParseFileName(name);
    if (!parsed) continue;
    MarkFileNumberUsed(parsed->number);
    numbers.push_back(parsed->number);
  }
  BeginOrigin(numbers);
  MutexLock apply_lock(&apply_mu_);
  Status status = NewManifest(*current());
  // On a full disk the store opens all the same; the first edit tries again.
  return IsNoSpace(status) && !is_broken() ? Status::Ok() : status;
}

Status VersionSet::NewManifest(const Version& version) {
  const uint64_t number = NextFileNumber();
  const std::string path = JoinPath(context_->dir, ManifestFileName(number));
  VARVE_ASSIGN_OR_RETURN(auto file,
                         context_->env->OpenWritable(path, Env::OpenMode::kCreateOrTruncate));
  VersionEdit edit = version.Describe();
  edit.format_version = kFormatVersion;
  edit.hash_salt = context_->hash_salt;
  edit.next_file_number = next_file_number_.load(std::memory_order_relaxed);
  edit.last_sequence = last_sequence_;
  edit.oldest_log_number = oldest_log_number_;
  edit.origins = origins_;
  if (durable_log_.number >= oldest_log_number_) edit.durable_log = durable_log_;
  std::string content(kManifestFileHeaderBytes, '\0');
  EncodeManifestFileHeader(number, content.data());
  AppendManifestRecord(edit, number, content.size(), &content);
  Status status = file->Write(0, content);
  if (status.ok()) status = file->Sync();
  if (status.ok()) status = context_->directory->Sync();
  if (status.ok()) status = PointCurrentTo(number);
  if (!status.ok()) {
    if (!is_broken()) (void)context_->env->RemoveFile(path);
    return status;
  }
  const uint64_t old_number = manifest_number_;
  manifest_ = std::move(file);
  manifest_number_ = number;
  manifest_bytes_ = manifest_first_bytes_ = content.size();
  if (old_number != 0) {
    (void)context_->env->RemoveFile(JoinPath(context_->dir, ManifestFileName(old_number)));
  }
  return Status::Ok();
}

Status VersionSet::PointCurrentTo(uint64_t number) {
  const std::string fresh = JoinPath(context_->dir, kNewCurrentFileName);
  {
    VARVE_ASSIGN_OR_RETURN(auto file,
                           context_->env->OpenWritable(fresh, Env::OpenMode::kCreateOrTruncate));
    VARVE_RETURN_IF_ERROR(file->Write(0, EncodeCurrentFile(number)));
    if (!VARVE_PLANTED_BUG("current.not_synced")) VARVE_RETURN_IF_ERROR(file->Sync());
    VARVE_RETURN_IF_ERROR(file->Close());
  }
  VARVE_RETURN_IF_ERROR(
      context_->env->RenameFile(fresh, JoinPath(context_->dir, kCurrentFileName)));
  Status status = context_->directory->Sync();
  // From the rename on, either manifest may be the one that a crash leaves in force.
  if (!status.ok()) is_broken_.store(true, std::memory_order_relaxed);
  return status;
}

Status VersionSet::AppendRecord(const Version& base, const VersionEdit& edit) {
  if (manifest_ == nullptr) VARVE_RETURN_IF_ERROR(NewManifest(base));
  std::string record;
  AppendManifestRecord(edit, manifest_number_, manifest_bytes_, &record);
  // A failed write may be tried again at the same offset: no later record exists.
  Status written = manifest_->Write(manifest_bytes_, record);
  if (!written.ok()) {
    (void)manifest_->Truncate(manifest_bytes_);  // no half record for a reader to wonder about
    return written;
  }
  Status status = VARVE_PLANTED_BUG("manifest.edit_not_synced") ? Status::Ok() : manifest_->Sync();
  if (!status.ok()) {
    is_broken_.store(true, std::memory_order_relaxed);
    return status;
  }
  manifest_bytes_ += record.size();
  return Status::Ok();
}

std::vector<std::shared_ptr<SegmentReader>> VersionSet::ReadersFor(const Version& base,
                                                                   const VersionEdit& edit) {
  std::vector<std::shared_ptr<SegmentReader>> readers;
  for (const SegmentMeta& meta : edit.added_segments) {
    std::shared_ptr<SegmentReader> reader;
    for (const SegmentRef& ref : edit.removed_segments) {
      if (ref.file_number != meta.file_number) continue;
      if (const Run* run = base.FindRun(ref.run_id)) {
        for (const SegmentSlice& slice : run->slices()) {
          if (slice.meta().file_number == meta.file_number) reader = slice.segment;
        }
      }
    }
    if (reader == nullptr) reader = std::make_shared<SegmentReader>(context_, meta);
    readers.push_back(std::move(reader));
  }
  return readers;
}

std::map<uint64_t, std::shared_ptr<ValueLogFile>> VersionSet::ValueLogMap() {
  std::map<uint64_t, std::shared_ptr<ValueLogFile>> map;
  for (const auto& file : values_->Files()) map[file->number()] = file;
  return map;
}

void VersionSet::DropFresh(const Version& base,
                           const std::vector<std::shared_ptr<SegmentReader>>& readers) {
  for (const auto& reader : readers) {
    bool in_base = false;
    for (const auto& run : base.runs()) {
      for (const SegmentSlice& slice : run->slices()) in_base |= slice.segment == reader;
    }
    if (!in_base) reader->MarkObsolete();
  }
}

Status VersionSet::Apply(VersionEdit edit, SequenceNumber last_sequence,
                         const std::function<void(const Version&, VersionEdit*)>& prepare,
                         const std::function<void(const std::shared_ptr<const Version>&)>& install) {
  MutexLock apply_lock(&apply_mu_);
  if (is_broken()) return Status::IoError("the manifest could not be synced; reopen the store");
  const std::shared_ptr<const Version> base = current();
  if (prepare) prepare(*base, &edit);
  // Who was here first may have asked for its number last.
  last_sequence_ = VARVE_PLANTED_BUG("manifest.last_sequence_goes_back") ? last_sequence
                                                                         : std::max(last_sequence_, last_sequence);
  edit.last_sequence = last_sequence_;
  edit.next_file_number = next_file_number_.load(std::memory_order_relaxed);
  auto values = ValueLogMap();
  for (const auto& [number, file] : values) {
    if (!recovered_value_logs_.contains(number)) {
      edit.added_value_logs.push_back({number, file->bytes()});
    }
  }
  for (uint64_t number : edit.removed_value_logs) values.erase(number);

  const auto readers = ReadersFor(*base, edit);
  auto applied = base->Apply(edit, readers, std::move(values));
  if (!applied.ok()) {
    DropFresh(*base, readers);
    return applied.status();
  }
  const std::shared_ptr<const Version> next = *std::move(applied);
  // The name of a new file must survive before the manifest names it.
  if (!edit.added_segments.empty() || !edit.added_value_logs.empty() || edit.oldest_log_number) {
    Status status = context_->directory->Sync();
    if (!status.ok()) {
      is_broken_.store(true, std::memory_order_relaxed);
      return status;
    }
  }
  Status appended = AppendRecord(*base, edit);
  if (!appended.ok()) {
    // After a failed sync the record may have become durable: then the files must stay.
    if (!is_broken()) DropFresh(*base, readers);
    return appended;
  }
  if (edit.oldest_log_number) oldest_log_number_ = *edit.oldest_log_number;
  if (edit.durable_log) durable_log_ = *edit.durable_log;
  for (const auto& meta : edit.added_value_logs) recovered_value_logs_[meta.file_number] = 0;
  for (uint64_t number : edit.removed_value_logs) recovered_value_logs_.erase(number);
  {
    MutexLock lock(&mu_);
    current_ = next;
  }
  // Files that left the store go with their last reader.
  for (const SegmentRef& ref : edit.removed_segments) {
    const bool moved = std::any_of(
        edit.added_segments.begin(), edit.added_segments.end(),
        [&](const SegmentMeta& meta) { return meta.file_number == ref.file_number; });
    if (moved) continue;
    for (const SegmentSlice& slice : base->FindRun(ref.run_id)->slices()) {
      if (slice.meta().file_number == ref.file_number) slice.segment->MarkObsolete();
    }
  }
  for (uint64_t number : edit.removed_value_logs) values_->Remove(number);
  install(next);
  if (manifest_bytes_ > std::max(kMinManifestBytes, 4 * manifest_first_bytes_)) {
    (void)NewManifest(*next);  // a failure leaves the old one in force
  }
  return Status::Ok();
}

Status VersionSet::CheckManifest(uint64_t* bytes) {
  VARVE_RETURN_IF_ERROR(recovered_problem_);
  MutexLock apply_lock(&apply_mu_);
  const std::string path = JoinPath(context_->dir, ManifestFileName(manifest_number_));
  VARVE_ASSIGN_OR_RETURN(std::string image, ReadWhole(path));
  *bytes = image.size();
  VARVE_RETURN_IF_ERROR(CheckManifestFileHeader(image, manifest_number_));
  ManifestReader reader(image, manifest_number_);
  VersionEdit edit;
  ManifestReadResult result;
  do {
    result = reader.Next(&edit);
  } while (result == ManifestReadResult::kEdit);
  if (result == ManifestReadResult::kTorn) {
    return Status::Corruption(path + " at offset " + std::to_string(reader.offset()) +
                              ": a torn record in a manifest that is in use");
  }
  return reader.status();
}

}  // namespace varve
