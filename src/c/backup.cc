// Copies of a store.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "c/handles.h"
#include "varve/backup.h"

using namespace varve;     // NOLINT: the file is about nothing else
using namespace varve::c;  // NOLINT

namespace {

class CallbackSink final : public BackupSink {
 public:
  CallbackSink(varve_backup_writer write, void* context) : write_(write), context_(context) {}
  Status Append(std::string_view bytes) override {
    code_ = write_(context_, bytes.data(), bytes.size());
    return code_ == 0 ? Status::Ok() : Status::Aborted("the caller's writer has ended it");
  }
  int code() const { return code_; }

 private:
  const varve_backup_writer write_;
  void* const context_;
  int code_ = 0;
};

class CallbackSource final : public BackupSource {
 public:
  CallbackSource(varve_backup_reader read, void* context) : read_(read), context_(context) {}
  Result<size_t> Read(char* buffer, size_t size) override {
    const int64_t got = read_(context_, buffer, size);
    if (got < 0) {
      code_ = static_cast<int>(got);
      return Status::Aborted("the caller's reader has ended it");
    }
    if (static_cast<uint64_t>(got) > size) {
      return Status::InvalidArgument("the caller's reader says that it gave more than it was asked for");
    }
    return static_cast<size_t>(got);
  }
  int code() const { return code_; }

 private:
  const varve_backup_reader read_;
  void* const context_;
  int code_ = 0;
};

// `since` keeps what options->since points to.
Status ReadBackupOptions(const varve_backup_options* given, BackupSummary* since, BackupOptions* options) {
  varve_backup_options known;
  if (Status status = ReadOptionsStruct(given, &known); !status.ok()) return status;
  options->bytes_per_second = known.bytes_per_second;
  if (known.since == nullptr) return Status::Ok();
  Result<BackupSummary> earlier = ReadBackupSummary(known.since);
  if (!earlier.ok()) return earlier.status();
  *since = *std::move(earlier);
  options->since = since;
  return Status::Ok();
}

Status BackupTo(varve_db* db, BackupSink& sink, const varve_backup_options* given, uint64_t* sequence) {
  BackupSummary since;
  BackupOptions options;
  if (Status status = ReadBackupOptions(given, &since, &options); !status.ok()) return status;
  const Result<BackupSummary> summary = db->db->Backup(sink, options);
  if (!summary.ok()) return summary.status();
  if (sequence != nullptr) *sequence = summary->sequence;
  return Status::Ok();
}

}  // namespace

int varve_backup(varve_db* db, const char* path, const varve_backup_options* options,
                 uint64_t* sequence) {
  if (sequence != nullptr) *sequence = 0;
  VARVE_C_REQUIRE(db != nullptr && path != nullptr);
  return Guarded([&]() -> Status {
    const Result<std::unique_ptr<BackupSink>> sink = NewFileBackupSink(path);
    return sink.ok() ? BackupTo(db, **sink, options, sequence) : sink.status();
  });
}

int varve_backup_stream(varve_db* db, varve_backup_writer write, void* context,
                        const varve_backup_options* options, uint64_t* sequence) {
  if (sequence != nullptr) *sequence = 0;
  VARVE_C_REQUIRE(db != nullptr && write != nullptr);
  return Guarded([&]() -> int {
    CallbackSink sink(write, context);
    const Status status = BackupTo(db, sink, options, sequence);
    return sink.code() != 0 ? sink.code() : ToCode(status);
  });
}

int varve_verify_backup(const char* path, uint64_t* sequence) {
  if (sequence != nullptr) *sequence = 0;
  VARVE_C_REQUIRE(path != nullptr);
  return Guarded([&]() -> Status {
    const Result<std::unique_ptr<BackupSource>> source = NewFileBackupSource(path);
    if (!source.ok()) return source.status();
    const Result<BackupSummary> summary = VerifyBackup(**source);
    if (!summary.ok()) return summary.status();
    if (sequence != nullptr) *sequence = summary->sequence;
    return Status::Ok();
  });
}

int varve_restore(const char* const* paths, size_t count, const char* dir) {
  VARVE_C_REQUIRE(paths != nullptr && count != 0 && dir != nullptr);
  return Guarded([&]() -> Status {
    std::vector<std::unique_ptr<BackupSource>> sources;
    std::vector<BackupSource*> chain;
    for (size_t i = 0; i < count; ++i) {
      if (paths[i] == nullptr) return Status::InvalidArgument("a path is NULL");
      Result<std::unique_ptr<BackupSource>> source = NewFileBackupSource(paths[i]);
      if (!source.ok()) return source.status();
      sources.push_back(*std::move(source));
      chain.push_back(sources.back().get());
    }
    return Db::Restore(chain, dir).status();
  });
}

int varve_restore_stream(varve_backup_reader read, void* context, const char* dir) {
  VARVE_C_REQUIRE(read != nullptr && dir != nullptr);
  return Guarded([&]() -> int {
    CallbackSource source(read, context);
    const Status status = Db::Restore({&source}, dir).status();
    return source.code() != 0 ? source.code() : ToCode(status);
  });
}

int varve_checkpoint(varve_db* db, const char* dir) {
  VARVE_C_REQUIRE(db != nullptr && dir != nullptr);
  return Guarded([&] { return db->db->Checkpoint(dir); });
}
