// Db::Restore: a store out of a full backup and its increments.
#include <cstdio>
#include <map>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "engine/store_builder.h"
#include "format/backup_stream.h"
#include "varve/db.h"

namespace varve {

namespace {

constexpr uint64_t kWritebackBytes = uint64_t{8} << 20;

using FileKey = std::pair<BackupFileType, uint64_t>;

std::map<FileKey, BackupFile> FilesOf(const BackupPlan& plan) {
  std::map<FileKey, BackupFile> files;
  for (const BackupFile& file : plan.files) files[{file.type, file.number}] = file;
  return files;
}

std::string Hex(uint64_t id) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(id));
  return text;
}

// One backup after the other becomes files in the builder's directory.
class Restorer {
 public:
  Restorer(Env* env, const std::string& dir, const BackupProgressCallback& progress)
      : env_(env), builder_(env, dir), progress_(progress) {}

  Status Begin() { return builder_.Begin(); }
  Status Take(BackupSource* source);
  // REQUIRES: Take was OK at least once.
  Result<BackupSummary> Commit();

 private:
  Status CheckFollows(const BackupReader& reader) const;
  Status OpenFile(const BackupFile& file);
  Status Append(std::string_view data);
  Status CloseFile();
  // What the last backup does not have goes, and what it shortened is cut.
  Status Tidy(const BackupPlan& plan);
  std::string PathOf(const BackupFile& file) const {
    return JoinPath(builder_.dir(), BackupFileName(file));
  }

  Env* const env_;
  StoreBuilder builder_;
  const BackupProgressCallback& progress_;
  BackupHeader last_;  // id 0: none was taken yet
  BackupPlan plan_;    // of that one
  BackupSummary summary_;
  std::unique_ptr<WritableFile> file_;
  uint64_t written_ = 0;  // the end of file_
  uint64_t started_ = 0;  // writing back has begun up to here
};

Status Restorer::CheckFollows(const BackupReader& reader) const {
  const uint64_t since = reader.header().since;
  if (since != last_.id) {
    if (last_.id == 0) {
      return Status::InvalidArgument("this backup is an increment of backup " + Hex(since) +
                                     ": give the full backup, and all increments between, before it");
    }
    return Status::InvalidArgument(
        since == 0 ? "a full backup follows another backup: give each chain by itself"
                   : "this backup is an increment of backup " + Hex(since) +
                         ", and not of the one before it, " + Hex(last_.id));
  }
  const auto before = FilesOf(plan_);
  for (const BackupFile& file : reader.plan().files) {
    if (file.from == 0) continue;
    const auto found = before.find({file.type, file.number});
    if (found != before.end() && file.origin != 0 && found->second.origin == file.origin &&
        file.from <= found->second.settled) {
      continue;
    }
    return Status::Corruption("backup: it builds on " + BackupFileName(file) +
                              ", which the one before it does not have");
  }
  return Status::Ok();
}

Status Restorer::OpenFile(const BackupFile& file) {
  VARVE_RETURN_IF_ERROR(CloseFile());
  const auto mode =
      file.from == 0 ? Env::OpenMode::kCreateOrTruncate : Env::OpenMode::kOpenExisting;
  VARVE_ASSIGN_OR_RETURN(file_, env_->OpenWritable(PathOf(file), mode));
  // What an earlier backup had beyond may have been half of something.
  if (file.from != 0) VARVE_RETURN_IF_ERROR(file_->Truncate(file.from));
  written_ = started_ = file.from;
  return Status::Ok();
}

Status Restorer::Append(std::string_view data) {
  VARVE_RETURN_IF_ERROR(file_->Write(written_, data));
  written_ += data.size();
  if (written_ - started_ >= kWritebackBytes) {
    file_->StartWriteback(started_, written_ - started_);
    started_ = written_;
  }
  return Status::Ok();
}

Status Restorer::CloseFile() {
  if (file_ == nullptr) return Status::Ok();
  const std::unique_ptr<WritableFile> file = std::move(file_);
  if (!VARVE_PLANTED_BUG("restore.file_not_synced")) VARVE_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

Status Restorer::Tidy(const BackupPlan& plan) {
  const auto now = FilesOf(plan);
  for (const auto& [key, file] : FilesOf(plan_)) {
    const auto kept = now.find(key);
    if (kept == now.end()) {
      VARVE_RETURN_IF_ERROR(env_->RemoveFile(PathOf(file)));
    } else if (kept->second.from == kept->second.bytes && kept->second.bytes < file.bytes) {
      VARVE_RETURN_IF_ERROR(OpenFile(kept->second));  // cuts it
      VARVE_RETURN_IF_ERROR(CloseFile());
    }
  }
  return Status::Ok();
}

Status Restorer::Take(BackupSource* source) {
  BackupReader reader(source);
  VARVE_RETURN_IF_ERROR(reader.Begin());
  VARVE_RETURN_IF_ERROR(CheckFollows(reader));
  const BackupSummary summary = SummaryOf(reader.header(), reader.plan(), reader.encoded_plan());
  while (true) {
    VARVE_ASSIGN_OR_RETURN(const BackupReader::Event event, reader.Next());
    if (event == BackupReader::Event::kEnd) break;
    if (event == BackupReader::Event::kFile) {
      VARVE_RETURN_IF_ERROR(OpenFile(reader.plan().files[reader.file()]));
      continue;
    }
    VARVE_RETURN_IF_ERROR(Append(reader.data()));
    if (progress_ && !progress_({reader.carried_bytes(), summary.carried_bytes})) {
      return Status::Aborted("the restore was stopped");
    }
  }
  VARVE_RETURN_IF_ERROR(CloseFile());
  VARVE_RETURN_IF_ERROR(Tidy(reader.plan()));
  last_ = reader.header();
  plan_ = reader.plan();
  summary_ = summary;
  return Status::Ok();
}

Result<BackupSummary> Restorer::Commit() {
  for (const BackupFile& file : plan_.files) {
    VARVE_ASSIGN_OR_RETURN(const uint64_t size, env_->FileSize(PathOf(file)));
    if (size == file.bytes) continue;
    return Status::Corruption(PathOf(file) + ": it has " + std::to_string(size) + " bytes, not the " +
                              std::to_string(file.bytes) + " of the backup");
  }
  VARVE_RETURN_IF_ERROR(builder_.Commit(plan_.edit));
  return summary_;
}

}  // namespace

Result<BackupSummary> Db::Backup(BackupSink&, const BackupOptions&) {
  return Status::NotSupported("this store has no files to back up");
}

Status Db::Checkpoint(const std::string&) {
  return Status::NotSupported("this store has no files to link to");
}

Result<BackupSummary> Db::Restore(const std::vector<BackupSource*>& chain, const std::string& dir,
                                  const RestoreOptions& options) {
  if (chain.empty()) return Status::InvalidArgument("no backup to restore");
  Restorer restorer(options.env != nullptr ? options.env : Env::Default(), dir, options.progress);
  VARVE_RETURN_IF_ERROR(restorer.Begin());
  for (size_t i = 0; i < chain.size(); ++i) {
    Status status = restorer.Take(chain[i]);
    if (!status.ok() && chain.size() > 1) {
      return status.WithContext("backup " + std::to_string(i + 1) + " of " +
                                std::to_string(chain.size()));
    }
    VARVE_RETURN_IF_ERROR(status);
  }
  return restorer.Commit();
}

}  // namespace varve
