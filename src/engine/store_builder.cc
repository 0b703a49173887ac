#include "engine/store_builder.h"

#include <algorithm>

#include "base/planted_bug.h"
#include "base/status_macros.h"
#include "format/filename.h"
#include "format/manifest.h"

namespace varve {

namespace {

constexpr char kNewCurrentFileName[] = "CURRENT.new";
constexpr std::string_view kUnfinishedText =
    "This directory is to become a store. A restore or checkpoint into it is at work, or was not\n"
    "finished: then run it again.\n";

bool IsPartOfStore(const std::string& name) {
  return name == kNewCurrentFileName || ParseFileName(name).has_value();
}

}  // namespace

std::string ParentOf(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status StoreBuilder::CheckMayBegin(const std::vector<std::string>& names) const {
  const bool is_ours = std::find(names.begin(), names.end(), kUnfinishedFileName) != names.end() &&
                       std::find(names.begin(), names.end(), kCurrentFileName) == names.end();
  for (const std::string& name : names) {
    if (name == kLockFileName || (is_ours && (name == kUnfinishedFileName || IsPartOfStore(name)))) {
      continue;
    }
    return Status::InvalidArgument(dir_ + " is not empty: it holds " + name +
                                   "; name a new directory");
  }
  return Status::Ok();
}

Status StoreBuilder::Begin() {
  auto names = env_->ListDir(dir_);
  if (!names.ok() && !names.status().IsNotFound()) return names.status();
  if (names.ok()) {
    VARVE_RETURN_IF_ERROR(CheckMayBegin(*names));
  } else {
    VARVE_RETURN_IF_ERROR(env_->CreateDir(dir_));
    made_dir_ = true;
  }
  // If it fails, what was made goes again: a name that a sync gave up on is lost.
  VARVE_RETURN_IF_ERROR(env_->SyncDir(ParentOf(dir_)));
  VARVE_ASSIGN_OR_RETURN(lock_, env_->LockFile(JoinPath(dir_, kLockFileName)));
  // Somebody may have come in between.
  VARVE_ASSIGN_OR_RETURN(const auto locked_names, env_->ListDir(dir_));
  VARVE_RETURN_IF_ERROR(CheckMayBegin(locked_names));
  has_begun_ = true;
  VARVE_RETURN_IF_ERROR(RemoveRemains());
  VARVE_RETURN_IF_ERROR(WriteFile(kUnfinishedFileName, kUnfinishedText));
  if (VARVE_PLANTED_BUG("store_builder.mark_not_synced")) return Status::Ok();
  return env_->SyncDir(dir_);
}

// The mark goes last: it says whose the others are.
Status StoreBuilder::RemoveRemains() {
  VARVE_ASSIGN_OR_RETURN(const auto names, env_->ListDir(dir_));
  bool has_mark = false;
  for (const std::string& name : names) {
    has_mark |= name == kUnfinishedFileName;
    if (name == kLockFileName || !IsPartOfStore(name)) continue;
    VARVE_RETURN_IF_ERROR(env_->RemoveFile(JoinPath(dir_, name)));
  }
  if (!has_mark) return Status::Ok();
  VARVE_RETURN_IF_ERROR(env_->SyncDir(dir_));
  return env_->RemoveFile(JoinPath(dir_, kUnfinishedFileName));
}

Status StoreBuilder::WriteFile(const std::string& name, std::string_view content) {
  VARVE_ASSIGN_OR_RETURN(
      auto file, env_->OpenWritable(JoinPath(dir_, name), Env::OpenMode::kCreateOrTruncate));
  VARVE_RETURN_IF_ERROR(file->Write(0, content));
  VARVE_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

Status StoreBuilder::Commit(VersionEdit edit) {
  const uint64_t number = *edit.next_file_number;
  edit.next_file_number = number + 1;
  std::string manifest(kManifestFileHeaderBytes, '\0');
  EncodeManifestFileHeader(number, manifest.data());
  AppendManifestRecord(edit, number, manifest.size(), &manifest);
  VARVE_RETURN_IF_ERROR(WriteFile(ManifestFileName(number), manifest));
  VARVE_RETURN_IF_ERROR(WriteFile(kNewCurrentFileName, EncodeCurrentFile(number)));
  if (!VARVE_PLANTED_BUG("store_builder.names_not_synced")) {
    VARVE_RETURN_IF_ERROR(env_->SyncDir(dir_));
  }
  const std::string mark = JoinPath(dir_, kUnfinishedFileName);
  VARVE_RETURN_IF_ERROR(env_->RenameFile(JoinPath(dir_, kNewCurrentFileName), mark));
  // From here on a crash may leave the store: nothing of it may be taken away any more.
  is_done_ = true;
  VARVE_RETURN_IF_ERROR(env_->RenameFile(mark, JoinPath(dir_, kCurrentFileName)));
  return env_->SyncDir(dir_).WithContext("the store is made, but may not survive loss of power");
}

StoreBuilder::~StoreBuilder() {
  if (is_done_) return;
  // As far as it goes: what is left is marked as unfinished.
  if (has_begun_ && !RemoveRemains().ok()) return;
  if (!made_dir_) return;
  if (lock_ != nullptr) (void)env_->RemoveFile(JoinPath(dir_, kLockFileName));
  lock_.reset();
  (void)env_->RemoveDir(dir_);
}

}  // namespace varve
