// Ordinary files of the operating system. See env.h for the contracts.
#ifndef VARVE_ENV_POSIX_FILE_H_
#define VARVE_ENV_POSIX_FILE_H_

#include <string>
#include <utility>

#include "env/env.h"
#include "env/posix_fd.h"

namespace varve {

class PosixRandomAccessFile final : public RandomAccessFile {
 public:
  PosixRandomAccessFile(UniqueFd fd, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    return ReadAt(fd_.get(), path_, offset, size, buffer);
  }
  Result<uint64_t> Size() const override { return SizeOf(fd_.get(), path_); }
  void WillNeed(uint64_t offset, uint64_t size) const override;
  void DontNeed(uint64_t offset, uint64_t size) const override;
  int descriptor() const override { return fd_.get(); }

 private:
  const UniqueFd fd_;
  const std::string path_;
};

class PosixWritableFile final : public WritableFile {
 public:
  PosixWritableFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Status Write(uint64_t offset, std::string_view data) override {
    return WriteAt(fd_.get(), path_, offset, data);
  }
  Status WriteTwo(uint64_t offset, std::string_view head, std::string_view body) override {
    return WriteTwoAt(fd_.get(), path_, offset, head, body);
  }
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    return ReadAt(fd_.get(), path_, offset, size, buffer);
  }
  Result<uint64_t> Size() const override { return SizeOf(fd_.get(), path_); }
  Status Allocate(uint64_t offset, uint64_t size) override {
    return AllocateAt(fd_.get(), path_, offset, size);
  }
  void ReserveBlocks(uint64_t offset, uint64_t size) override;
  Status Truncate(uint64_t size) override { return TruncateTo(fd_.get(), path_, size); }
  Status Sync() override { return SyncData(fd_.get(), path_); }
  void StartWriteback(uint64_t offset, uint64_t size) override;
  Status Close() override;

 private:
  UniqueFd fd_;
  const std::string path_;
};

}  // namespace varve

#endif  // VARVE_ENV_POSIX_FILE_H_
