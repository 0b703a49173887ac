// The operating system's files, clock, threads and randomness (Linux). Env::Default() is one.
#ifndef VARVE_ENV_POSIX_ENV_H_
#define VARVE_ENV_POSIX_ENV_H_

#include "env/env.h"
#include "env/posix_system.h"

namespace varve {

// Thread-safe.
class PosixEnv final : public Env {
 public:
  Result<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> OpenWritable(const std::string& path,
                                                     OpenMode mode) override;
  Result<std::unique_ptr<MappedFile>> OpenMapped(const std::string& path,
                                                 uint64_t capacity) override;
  Status RemoveFile(const std::string& path) override;
  Status RenameFile(const std::string& from, const std::string& to) override;
  Status LinkFile(const std::string& from, const std::string& to) override;
  bool FileExists(const std::string& path) override;
  Result<uint64_t> FileSize(const std::string& path) override;

  Result<std::vector<std::string>> ListDir(const std::string& dir) override;
  Status CreateDir(const std::string& dir) override;
  Status RemoveDir(const std::string& dir) override;
  Status SyncDir(const std::string& dir) override;
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override;
  Result<uint64_t> FreeSpace(const std::string& path) override;

  Clock* clock() override { return &clock_; }
  std::unique_ptr<Thread> StartThread(const std::string& name,
                                      std::function<void()> body) override {
    return StartPosixThread(name, std::move(body));
  }
  void LowerPriorityOfThisThread() override { LowerPosixThreadPriority(); }
  std::unique_ptr<AsyncReader> NewAsyncReader() override;
  uint64_t RandomSeed() override { return PosixRandomSeed(); }
  void* AllocateHuge(size_t bytes) override { return AllocateHugePages(bytes); }
  void FreeHuge(void* memory, size_t bytes) override { FreeHugePages(memory, bytes); }

 private:
  PosixClock clock_;
};

}  // namespace varve

#endif  // VARVE_ENV_POSIX_ENV_H_
