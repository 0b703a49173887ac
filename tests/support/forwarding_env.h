// ForwardingEnv and ForwardingFile: pass every call on. Tests override what they want to see or hold up.
#ifndef VARVE_TESTS_SUPPORT_FORWARDING_ENV_H_
#define VARVE_TESTS_SUPPORT_FORWARDING_ENV_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "env/async_reader.h"
#include "env/env.h"

namespace varve::test {

class ForwardingFile : public WritableFile {
 public:
  explicit ForwardingFile(std::unique_ptr<WritableFile> base) : base_(std::move(base)) {}
  Status Write(uint64_t offset, std::string_view data) override { return base_->Write(offset, data); }
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    return base_->Read(offset, size, buffer);
  }
  Result<uint64_t> Size() const override { return base_->Size(); }
  Status Allocate(uint64_t offset, uint64_t size) override { return base_->Allocate(offset, size); }
  void ReserveBlocks(uint64_t offset, uint64_t size) override { base_->ReserveBlocks(offset, size); }
  Status Truncate(uint64_t size) override { return base_->Truncate(size); }
  Status Sync() override { return base_->Sync(); }
  void StartWriteback(uint64_t offset, uint64_t size) override {
    base_->StartWriteback(offset, size);
  }
  Status Close() override { return base_->Close(); }

 private:
  const std::unique_ptr<WritableFile> base_;
};

// `base` must outlive it.
class ForwardingEnv : public Env {
 public:
  explicit ForwardingEnv(Env* base) : base_(base) {}
  Result<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(const std::string& path) override {
    return base_->OpenRandomAccess(path);
  }
  Result<std::unique_ptr<WritableFile>> OpenWritable(const std::string& path,
                                                     OpenMode mode) override {
    return base_->OpenWritable(path, mode);
  }
  Result<std::unique_ptr<MappedFile>> OpenMapped(const std::string& path,
                                                 uint64_t capacity) override {
    return base_->OpenMapped(path, capacity);
  }
  Status RemoveFile(const std::string& path) override { return base_->RemoveFile(path); }
  Status RenameFile(const std::string& from, const std::string& to) override {
    return base_->RenameFile(from, to);
  }
  Status LinkFile(const std::string& from, const std::string& to) override {
    return base_->LinkFile(from, to);
  }
  bool FileExists(const std::string& path) override { return base_->FileExists(path); }
  Result<uint64_t> FileSize(const std::string& path) override { return base_->FileSize(path); }
  Result<std::vector<std::string>> ListDir(const std::string& dir) override {
    return base_->ListDir(dir);
  }
  Status CreateDir(const std::string& dir) override { return base_->CreateDir(dir); }
  Status RemoveDir(const std::string& dir) override { return base_->RemoveDir(dir); }
  Status SyncDir(const std::string& dir) override { return base_->SyncDir(dir); }
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override {
    return base_->LockFile(path);
  }
  Result<uint64_t> FreeSpace(const std::string& path) override { return base_->FreeSpace(path); }
  Clock* clock() override { return base_->clock(); }
  std::unique_ptr<Thread> StartThread(const std::string& name,
                                      std::function<void()> body) override {
    return base_->StartThread(name, std::move(body));
  }
  void LowerPriorityOfThisThread() override { base_->LowerPriorityOfThisThread(); }
  std::unique_ptr<AsyncReader> NewAsyncReader() override { return base_->NewAsyncReader(); }
  uint64_t RandomSeed() override { return base_->RandomSeed(); }
  void* AllocateHuge(size_t bytes) override { return base_->AllocateHuge(bytes); }
  void FreeHuge(void* memory, size_t bytes) override { base_->FreeHuge(memory, bytes); }

 private:
  Env* const base_;
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_FORWARDING_ENV_H_
