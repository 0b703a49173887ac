// The open files of a CrashEnv.
#ifndef VARVE_ENV_CRASH_HANDLES_H_
#define VARVE_ENV_CRASH_HANDLES_H_

#include <memory>
#include <string>
#include <utility>

#include "env/crash_env.h"
#include "env/crash_file_system.h"

namespace varve {

// The error of a call of this kind and path that meets `fault`.
Status FaultStatus(Fault fault, const CallInfo& call);

// One open file: its node, and how calls on it are counted and failed.
class CrashFile {
 public:
  CrashFile(CrashEnv* env, crash::NodePtr node, std::string path)
      : env_(env), node_(std::move(node)), path_(std::move(path)) {}
  CrashFile(const CrashFile&) = delete;
  CrashFile& operator=(const CrashFile&) = delete;
  ~CrashFile() { Release(); }

  bool open() const { return open_; }
  // Gives the node back. Idempotent.
  void Release();

  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const;
  Result<uint64_t> Size() const;
  Status Write(uint64_t offset, std::string_view data);
  Status Allocate(uint64_t offset, uint64_t size);
  Status Populate(uint64_t offset, uint64_t size);
  Status Truncate(uint64_t size);
  Status Sync();
  // Both release the node whatever they return, and are idempotent. A file whose Unmap fails is not
  // cut.
  Status Close();
  Status Unmap(uint64_t final_size);

 private:
  CallInfo Call(CallKind kind, uint64_t offset = 0, uint64_t size = 0) const {
    return {.kind = kind, .path = path_, .offset = offset, .size = size};
  }
  // As CrashEnv::Enter, but fails on a closed file too.
  Status Enter(const CallInfo& call) const;

  CrashEnv* const env_;
  const crash::NodePtr node_;
  const std::string path_;
  bool open_ = true;
};

class CrashRandomAccessFile final : public RandomAccessFile {
 public:
  CrashRandomAccessFile(CrashEnv* env, crash::NodePtr node, std::string path)
      : file_(env, std::move(node), std::move(path)) {}
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    return file_.Read(offset, size, buffer);
  }
  Result<uint64_t> Size() const override { return file_.Size(); }
  void WillNeed(uint64_t, uint64_t) const override {}
  void DontNeed(uint64_t, uint64_t) const override {}

 private:
  const CrashFile file_;
};

class CrashWritableFile final : public WritableFile {
 public:
  CrashWritableFile(CrashEnv* env, crash::NodePtr node, std::string path)
      : file_(env, std::move(node), std::move(path)) {}
  ~CrashWritableFile() override { (void)Close(); }
  Status Write(uint64_t offset, std::string_view data) override {
    return file_.Write(offset, data);
  }
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    return file_.Read(offset, size, buffer);
  }
  Result<uint64_t> Size() const override { return file_.Size(); }
  Status Allocate(uint64_t offset, uint64_t size) override { return file_.Allocate(offset, size); }
  Status Truncate(uint64_t size) override { return file_.Truncate(size); }
  Status Sync() override { return file_.Sync(); }
  // What is not synced may reach the device at any time: a hint changes nothing.
  void StartWriteback(uint64_t, uint64_t) override {}
  Status Close() override { return file_.Close(); }

 private:
  CrashFile file_;
};

class CrashMappedFile final : public MappedFile {
 public:
  CrashMappedFile(CrashEnv* env, crash::NodePtr node, std::string path, crash::Region* region)
      : file_(env, std::move(node), std::move(path)),
        data_(region->data()),
        capacity_(region->capacity()) {}
  ~CrashMappedFile() override { (void)Close(kKeepSize); }
  char* data() override { return data_; }
  uint64_t capacity() const override { return capacity_; }
  Status Populate(uint64_t offset, uint64_t size) override;
  Status Sync() override { return file_.Sync(); }
  Status Close(uint64_t final_size) override { return file_.Unmap(final_size); }

 private:
  CrashFile file_;
  char* const data_;
  const uint64_t capacity_;
};

class CrashFileLock final : public FileLock {
 public:
  CrashFileLock(CrashEnv* env, crash::NodePtr node) : env_(env), node_(std::move(node)) {}
  ~CrashFileLock() override;

 private:
  CrashEnv* const env_;
  const crash::NodePtr node_;
};

}  // namespace varve

#endif  // VARVE_ENV_CRASH_HANDLES_H_
