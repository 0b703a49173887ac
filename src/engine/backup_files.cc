// Sinks and sources of backups, and what reads a backup without a store.
#include <algorithm>

#include "base/status_macros.h"
#include "engine/store_builder.h"
#include "env/descriptor.h"
#include "env/env.h"
#include "format/backup_stream.h"
#include "varve/backup.h"

namespace varve {

namespace {

// What has been written is handed to the device in such steps, so that no sync waits for all of it.
constexpr uint64_t kWritebackBytes = uint64_t{8} << 20;

class FileSink : public BackupSink {
 public:
  FileSink(Env* env, std::string path) : env_(env), path_(std::move(path)), partial_(path_ + ".partial") {}
  ~FileSink() override {
    if (file_ == nullptr) return;
    file_.reset();
    (void)env_->RemoveFile(partial_);
  }

  Status Open() {
    VARVE_ASSIGN_OR_RETURN(file_, env_->OpenWritable(partial_, Env::OpenMode::kCreateOrTruncate));
    return Status::Ok();
  }

  Status Append(std::string_view bytes) override {
    if (file_ == nullptr) return Status::InvalidArgument(path_ + ": the backup is finished");
    VARVE_RETURN_IF_ERROR(file_->Write(size_, bytes));
    size_ += bytes.size();
    if (size_ - started_ >= kWritebackBytes) {
      file_->StartWriteback(started_, size_ - started_);
      started_ = size_;
    }
    return Status::Ok();
  }

  Status Finish() override {
    VARVE_RETURN_IF_ERROR(file_->Sync());
    VARVE_RETURN_IF_ERROR(file_->Close());
    VARVE_RETURN_IF_ERROR(env_->RenameFile(partial_, path_));
    file_.reset();
    return env_->SyncDir(ParentOf(path_));
  }

 private:
  Env* const env_;
  const std::string path_;
  const std::string partial_;
  std::unique_ptr<WritableFile> file_;  // null once it has its name
  uint64_t size_ = 0;
  uint64_t started_ = 0;  // writing back has begun up to here
};

class FileSource : public BackupSource {
 public:
  explicit FileSource(std::unique_ptr<RandomAccessFile> file) : file_(std::move(file)) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    VARVE_ASSIGN_OR_RETURN(const size_t got, file_->Read(offset_, size, buffer));
    offset_ += got;
    return got;
  }

 private:
  const std::unique_ptr<RandomAccessFile> file_;
  uint64_t offset_ = 0;
};

class DescriptorSink : public BackupSink {
 public:
  explicit DescriptorSink(int descriptor) : descriptor_(descriptor) {}
  Status Append(std::string_view bytes) override { return WriteDescriptor(descriptor_, bytes); }

 private:
  const int descriptor_;
};

class DescriptorSource : public BackupSource {
 public:
  explicit DescriptorSource(int descriptor) : descriptor_(descriptor) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    return ReadDescriptor(descriptor_, buffer, size);
  }

 private:
  const int descriptor_;
};

// The end of the backup in `file` is where the file ends, and counts as many bytes.
Status CheckEnd(const RandomAccessFile& file, uint64_t id) {
  constexpr size_t kEndBytes = kBackupFrameHeaderBytes + kBackupEndPayloadBytes;
  VARVE_ASSIGN_OR_RETURN(const uint64_t size, file.Size());
  const Status cut_off = Status::Corruption("backup: it is cut off");
  if (size < kBackupHeaderBytes + kEndBytes) return cut_off;
  char bytes[kEndBytes];
  const uint64_t offset = size - kEndBytes;
  VARVE_ASSIGN_OR_RETURN(const size_t got, file.Read(offset, kEndBytes, bytes));
  const auto header = DecodeBackupFrameHeader({bytes, got});
  const std::string_view payload(bytes + kBackupFrameHeaderBytes, kBackupEndPayloadBytes);
  if (got < kEndBytes || !header.ok() || header->type != BackupFrameType::kEnd ||
      !CheckBackupFrame(*header, payload, id, offset)) {
    return cut_off;
  }
  VARVE_ASSIGN_OR_RETURN(const BackupEnd end, DecodeBackupEnd(payload));
  return end.stream_bytes == offset ? Status::Ok() : cut_off;
}

Result<BackupSummary> ReadSummary(const std::string& path, Env* env) {
  VARVE_ASSIGN_OR_RETURN(const auto file, env->OpenRandomAccess(path));
  VARVE_ASSIGN_OR_RETURN(const auto source, NewFileBackupSource(path, env));
  BackupReader reader(source.get());
  VARVE_RETURN_IF_ERROR(reader.Begin());
  VARVE_RETURN_IF_ERROR(CheckEnd(*file, reader.header().id));
  return SummaryOf(reader.header(), reader.plan(), reader.encoded_plan());
}

}  // namespace

Result<std::unique_ptr<BackupSink>> NewFileBackupSink(const std::string& path, Env* env) {
  auto sink = std::make_unique<FileSink>(env != nullptr ? env : Env::Default(), path);
  VARVE_RETURN_IF_ERROR(sink->Open());
  return std::unique_ptr<BackupSink>(std::move(sink));
}

Result<std::unique_ptr<BackupSource>> NewFileBackupSource(const std::string& path, Env* env) {
  if (env == nullptr) env = Env::Default();
  VARVE_ASSIGN_OR_RETURN(auto file, env->OpenRandomAccess(path));
  return std::unique_ptr<BackupSource>(std::make_unique<FileSource>(std::move(file)));
}

std::unique_ptr<BackupSink> NewDescriptorBackupSink(int descriptor) {
  return std::make_unique<DescriptorSink>(descriptor);
}

std::unique_ptr<BackupSource> NewDescriptorBackupSource(int descriptor) {
  return std::make_unique<DescriptorSource>(descriptor);
}

Result<BackupSummary> ReadBackupSummary(const std::string& path, Env* env) {
  auto summary = ReadSummary(path, env != nullptr ? env : Env::Default());
  if (!summary.ok()) return summary.status().WithContext(path);
  return summary;
}

Result<BackupSummary> VerifyBackup(BackupSource& source, const BackupProgressCallback& progress) {
  BackupReader reader(&source);
  VARVE_RETURN_IF_ERROR(reader.Begin());
  const BackupSummary summary = SummaryOf(reader.header(), reader.plan(), reader.encoded_plan());
  while (true) {
    VARVE_ASSIGN_OR_RETURN(const BackupReader::Event event, reader.Next());
    if (event == BackupReader::Event::kEnd) return summary;
    if (progress && !progress({reader.carried_bytes(), summary.carried_bytes})) {
      return Status::Aborted("the check was stopped");
    }
  }
}

}  // namespace varve
