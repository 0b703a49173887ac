// Backups: a consistent copy of a store as a stream of bytes, and what comes with it. docs/backup.md.
//
//   auto sink = varve::NewFileBackupSink("monday.backup");
//   auto summary = db->Backup(**sink);
//   ...
//   auto source = varve::NewFileBackupSource("monday.backup");
//   varve::Db::Restore({source->get()}, "restored");
#ifndef VARVE_BACKUP_H_
#define VARVE_BACKUP_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "varve/status.h"

namespace varve {

class Env;

// Where a backup goes. One thread at a time.
class BackupSink {
 public:
  virtual ~BackupSink() = default;
  // Takes all of `bytes` (up to about a MiB, in the order of the stream), or fails. What it returns, Backup
  // returns.
  virtual Status Append(std::string_view bytes) = 0;
  // The backup is whole. Called once, last; not after a failure.
  virtual Status Finish() { return Status::Ok(); }
};

// Where a backup comes from. One thread at a time.
class BackupSource {
 public:
  virtual ~BackupSource() = default;
  // Reads up to `size` bytes, at least one, and returns how many; 0 only at the end. REQUIRES: size > 0.
  virtual Result<size_t> Read(char* buffer, size_t size) = 0;
};

// What a backup is, and what the next increment needs to know of it.
struct BackupSummary {
  uint64_t id = 0;              // random
  uint64_t since = 0;           // the id of the backup that it is an increment of; 0: a full backup
  uint64_t sequence = 0;        // the changes up to this one are in it
  uint64_t created_millis = 0;  // since 1970-01-01 UTC
  uint64_t file_count = 0;      // files of the store
  uint64_t store_bytes = 0;     // bytes of these files
  uint64_t carried_bytes = 0;   // those of them that this stream holds itself
  std::string state;            // opaque: for BackupOptions::since
};

struct BackupProgress {
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;  // 0: not known yet
};
// Hears of progress after every piece (at most a MiB), in the thread of the call. False ends the call with
// kAborted.
using BackupProgressCallback = std::function<bool(const BackupProgress&)>;

struct BackupOptions {
  // Carries only what this earlier backup of the same store has not. Borrowed for the call. nullptr: a full
  // backup. kInvalidArgument when the summary is of another store.
  const BackupSummary* since = nullptr;
  // At most this many bytes a second. 0: as fast as it goes.
  uint64_t bytes_per_second = 0;
  BackupProgressCallback progress = nullptr;
};

struct RestoreOptions {
  BackupProgressCallback progress = nullptr;  // of each backup in the chain by itself
  // The world that the store is made in. nullptr: the operating system's. Borrowed.
  Env* env = nullptr;
};

// Reads a whole backup and checks every byte of it. kCorruption says what is wrong. Whether the backup that
// an increment builds on is there is not asked.
Result<BackupSummary> VerifyBackup(BackupSource& source, const BackupProgressCallback& progress = nullptr);

// Reads the summary of a backup in a file from its beginning and end. A file that is cut off is
// kCorruption; what lies between is not looked at.
Result<BackupSummary> ReadBackupSummary(const std::string& path, Env* env = nullptr);

// A file. Until Finish it is called `path`.partial; Finish makes it durable and gives it its name, in the place
// of a file that may have it. A sink that was not finished takes its file with it.
Result<std::unique_ptr<BackupSink>> NewFileBackupSink(const std::string& path, Env* env = nullptr);
Result<std::unique_ptr<BackupSource>> NewFileBackupSource(const std::string& path, Env* env = nullptr);

// An open descriptor of a pipe, a socket or a file, which stays the caller's and must block. Whether what
// was written arrived is for the other end to say (VerifyBackup). A pipe without a reader raises SIGPIPE,
// as ever; a socket does not.
std::unique_ptr<BackupSink> NewDescriptorBackupSink(int descriptor);
std::unique_ptr<BackupSource> NewDescriptorBackupSource(int descriptor);

}  // namespace varve

#endif  // VARVE_BACKUP_H_
