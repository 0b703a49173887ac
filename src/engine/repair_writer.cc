#include "engine/repair_writer.h"

#include <algorithm>

#include "base/status_macros.h"
#include "format/filename.h"
#include "format/manifest.h"
#include "varve/version.h"

namespace varve {

namespace {

constexpr char kNewCurrentFileName[] = "CURRENT.new";

std::string ParentOf(std::string dir) {
  while (dir.size() > 1 && dir.back() == '/') dir.pop_back();
  const size_t slash = dir.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : dir.substr(0, slash);
}

Status WriteFile(Env* env, const std::string& path, std::string_view content) {
  VARVE_ASSIGN_OR_RETURN(auto file, env->OpenWritable(path, Env::OpenMode::kCreateNew));
  VARVE_RETURN_IF_ERROR(file->Write(0, content));
  VARVE_RETURN_IF_ERROR(file->Sync());
  return file->Close();
}

}  // namespace

RepairWriter::RepairWriter(Env* env, std::string dir, uint64_t hash_salt, Compression compression)
    : env_(env),
      dir_(std::move(dir)),
      hash_salt_(hash_salt),
      compression_(compression),
      directory_(env, dir_),
      pool_(env, 0),
      cache_(&pool_, 0),
      values_(&context_, kValueFileBytes, [this] { return next_file_number_++; }) {
  context_.env = env;
  context_.dir = dir_;
  context_.cache = &cache_;
  context_.directory = &directory_;
  context_.hash_salt = hash_salt;
  context_.remove_file = [](std::string) {};
}

RepairWriter::~RepairWriter() {
  output_.reset();
  values_.Release();
  if (has_begun_ && !is_finished_) RemoveAll();
}

void RepairWriter::RemoveAll() {
  const auto names = env_->ListDir(dir_);
  if (!names.ok()) return;
  // CURRENT first: without it the rest is no store.
  (void)env_->RemoveFile(JoinPath(dir_, kCurrentFileName));
  for (const std::string& name : *names) (void)env_->RemoveFile(JoinPath(dir_, name));
  (void)env_->RemoveDir(dir_);
}

Status RepairWriter::Begin() {
  const auto names = env_->ListDir(dir_);
  if (names.ok() && !names->empty()) {
    return Status::InvalidArgument(dir_ + " is in use: it holds " + names->front());
  }
  if (!names.ok() && !names.status().IsNotFound()) return names.status();
  VARVE_RETURN_IF_ERROR(env_->CreateDir(dir_));
  has_begun_ = true;
  VARVE_RETURN_IF_ERROR(env_->SyncDir(ParentOf(dir_)));
  BeginRun();
  return Status::Ok();
}

void RepairWriter::BeginRun() {
  SegmentOutputOptions options;
  options.env = env_;
  options.dir = dir_;
  options.run_id = ++run_id_;
  options.compression = compression_;
  options.hash_salt = hash_salt_;
  options.target_bytes = kSegmentBytes;
  options.now_millis = env_->clock()->WallMillis();
  options.next_file_number = [this] { return next_file_number_++; };
  output_ = std::make_unique<SegmentOutput>(std::move(options));
}

Status RepairWriter::Add(const Entry& entry, const std::string_view* large) {
  if (large == nullptr) return output_->Add(entry);
  VARVE_ASSIGN_OR_RETURN(const AppendedValue appended, values_.Append(entry.key, *large));
  stored_.assign(entry.value.substr(0, entry.value.size() - kValuePointerBytes));
  stored_.resize(stored_.size() + kValuePointerBytes);
  EncodeValuePointer(appended.where, stored_.data() + stored_.size() - kValuePointerBytes);
  return output_->Add({entry.key, stored_, entry.sequence, entry.kind});
}

Status RepairWriter::NextRun() {
  VARVE_RETURN_IF_ERROR(output_->Finish());
  for (SegmentMeta& meta : output_->Release()) segments_.push_back(std::move(meta));
  BeginRun();
  return Status::Ok();
}

Status RepairWriter::Finish(SequenceNumber last_sequence) {
  VARVE_RETURN_IF_ERROR(NextRun());
  VARVE_RETURN_IF_ERROR(values_.Sync());
  VARVE_RETURN_IF_ERROR(directory_.Sync());
  VARVE_RETURN_IF_ERROR(WriteManifest(last_sequence));
  is_finished_ = true;
  return Status::Ok();
}

Status RepairWriter::WriteManifest(SequenceNumber last_sequence) {
  const uint64_t number = next_file_number_++;
  VersionEdit edit;
  edit.format_version = kFormatVersion;
  edit.hash_salt = hash_salt_;
  edit.next_file_number = next_file_number_;
  edit.last_sequence = last_sequence;
  edit.oldest_log_number = 0;
  for (SegmentMeta& meta : segments_) {
    meta.filtered_sequence = last_sequence;  // there are no range deletes
    if (edit.added_runs.empty() || edit.added_runs.back() != meta.run_id) {
      edit.added_runs.push_back(meta.run_id);
    }
  }
  edit.added_segments = segments_;
  for (const auto& file : values_.Files()) {
    edit.added_value_logs.push_back({file->number(), file->bytes()});
  }
  std::string content(kManifestFileHeaderBytes, '\0');
  EncodeManifestFileHeader(number, content.data());
  AppendManifestRecord(edit, number, content.size(), &content);
  VARVE_RETURN_IF_ERROR(WriteFile(env_, JoinPath(dir_, ManifestFileName(number)), content));
  VARVE_RETURN_IF_ERROR(directory_.Sync());
  const std::string fresh = JoinPath(dir_, kNewCurrentFileName);
  VARVE_RETURN_IF_ERROR(WriteFile(env_, fresh, EncodeCurrentFile(number)));
  VARVE_RETURN_IF_ERROR(env_->RenameFile(fresh, JoinPath(dir_, kCurrentFileName)));
  return directory_.Sync();
}

}  // namespace varve
