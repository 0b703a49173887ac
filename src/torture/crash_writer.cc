#include "torture/crash_writer.h"

#include <atomic>
#include <cstring>
#include <memory>
#include <utility>

#include "base/check.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "env/env.h"
#include "torture/store_options.h"

namespace varve::torture {
namespace {

constexpr uint64_t kKeys = 40;  // of a thread
constexpr uint64_t kPageBytes = 4096;

// Shared with whoever reads the file, also after the end of this process.
struct Slot {
  std::atomic<uint64_t> started;
  std::atomic<uint64_t> acknowledged;
};
static_assert(std::atomic<uint64_t>::is_always_lock_free);
static_assert(sizeof(Slot) == sizeof(WriterProgress));

class Writer {
 public:
  Writer(Db* db, Slot* slots, uint64_t seed) : db_(db), slots_(slots), seed_(seed) {}

  Status Run() {
    std::vector<std::unique_ptr<Thread>> threads;
    for (size_t writer = 0; writer < kWriters; ++writer) {
      threads.push_back(Env::Default()->StartThread("writer", [this, writer] { Write(writer); }));
    }
    Maintain();
    threads.clear();  // which waits for them
    const MutexLock lock(&mu_);
    return status_;
  }

 private:
  void Write(size_t writer) {
    Slot& slot = slots_[writer];
    for (uint64_t index = slot.acknowledged; !has_failed_; ++index) {
      const Command command = CommandOf(seed_, writer, index);
      slot.started = index + 1;
      const Status status = Execute(command, db_);
      if (!status.ok()) return Fail("write", status);
      slot.acknowledged = index + 1;
    }
  }
  void Maintain() {
    Random random(seed_);
    while (!has_failed_) {
      const Status status = random.OneIn(3) ? db_->Compact() : db_->Flush();
      if (!status.ok()) return Fail("maintenance", status);
      Env::Default()->clock()->SleepNanos(random.Uniform(8'000'000));
    }
  }
  void Fail(const char* what, const Status& status) {
    const MutexLock lock(&mu_);
    if (status_.ok()) status_ = Status(status.code(), std::string(what) + ": " + status.ToString());
    has_failed_ = true;
  }

  Db* const db_;
  Slot* const slots_;
  const uint64_t seed_;
  std::atomic<bool> has_failed_{false};
  Mutex mu_;
  Status status_ VARVE_GUARDED_BY(mu_);
};

}  // namespace

std::string WriterPrefix(size_t writer) { return "w" + std::to_string(writer) + "/"; }

Command CommandOf(uint64_t seed, size_t writer, uint64_t index) {
  Random random((seed * kWriters + writer) * 1'000'000'007 + index);
  const auto key = [&] { return WriterPrefix(writer) + std::to_string(100 + random.Uniform(kKeys)); };
  std::string line = random.OneIn(8) ? "transact " : "write ";
  line += random.OneIn(20) ? "sync" : "process";
  const uint64_t changes = random.OneIn(5) ? 2 + random.Uniform(8) : 1;
  for (uint64_t i = 0; i < changes; ++i) {
    const uint64_t choice = random.Uniform(24);
    if (choice < 5) {
      line += " delete " + key();
    } else if (choice == 5) {
      const uint64_t begin = 100 + random.Uniform(kKeys);
      line += " range " + WriterPrefix(writer) + std::to_string(begin) + " " + WriterPrefix(writer) +
              std::to_string(begin + 1 + random.Uniform(5));
    } else {
      const uint64_t size = random.OneIn(12) ? 5000 + random.Uniform(5000) : random.Uniform(400);
      line += " put " + key() + " " + std::to_string(size) + ":" + std::to_string(index * 16 + i);
    }
  }
  const Result<std::optional<Command>> command = ParseCommand(line);
  VARVE_CHECK(command.ok() && command->has_value());
  return **command;
}

Status WriteProgress(const std::string& path, const WritersProgress& progress) {
  std::string bytes(kPageBytes, '\0');
  std::memcpy(bytes.data(), progress.data(), sizeof(progress));
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<WritableFile> file,
                         Env::Default()->OpenWritable(path, Env::OpenMode::kCreateOrTruncate));
  VARVE_RETURN_IF_ERROR(file->Write(0, bytes));
  return file->Close();
}

Result<WritersProgress> ReadProgress(const std::string& path) {
  WritersProgress progress;
  VARVE_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file, Env::Default()->OpenRandomAccess(path));
  VARVE_ASSIGN_OR_RETURN(const size_t got, file->Read(0, sizeof(progress), reinterpret_cast<char*>(progress.data())));
  if (got != sizeof(progress)) return Status::IoError(path + ": too short");
  return progress;
}

Status RunCrashWriter(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4 || !NumberOf(arguments[2]) || !NumberOf(arguments[3])) {
    return Status::InvalidArgument("progress: four arguments");
  }
  const Result<std::unique_ptr<MappedFile>> progress = Env::Default()->OpenMapped(arguments[1], kPageBytes);
  if (!progress.ok()) return Status(progress.status().code(), "progress: " + std::string(progress.status().message()));
  const Status populated = (*progress)->Populate(0, kPageBytes);
  if (!populated.ok()) return Status(populated.code(), "progress: " + std::string(populated.message()));
  const StoreConfig config = RandomStoreConfig(*NumberOf(arguments[3]));
  const Result<std::unique_ptr<Db>> db = OpenerFor(config)(arguments[0], Env::Default());
  if (!db.ok()) return Status(db.status().code(), "open: " + db.status().ToString());
  return Writer(db->get(), reinterpret_cast<Slot*>((*progress)->data()), *NumberOf(arguments[2])).Run();
}

}  // namespace varve::torture
