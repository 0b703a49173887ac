// A file in memory that counts its writes and can refuse one.
#ifndef VARVE_TESTS_FORMAT_MEMORY_FILE_H_
#define VARVE_TESTS_FORMAT_MEMORY_FILE_H_

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "env/env.h"

namespace varve::test {

class MemoryFile : public WritableFile, public RandomAccessFile {
 public:
  MemoryFile() = default;
  explicit MemoryFile(std::string bytes) : bytes_(std::move(bytes)) {}

  std::string& bytes() { return bytes_; }
  const std::string& bytes() const { return bytes_; }
  // Where each write began and what it held.
  struct WriteCall {
    uint64_t offset;
    size_t size;
  };
  const std::vector<WriteCall>& writes() const { return writes_; }
  // Write number `index`, counted from 0, and all after it fail.
  void FailFromWrite(size_t index) { first_failing_write_ = index; }

  Status Write(uint64_t offset, std::string_view data) override {
    if (writes_.size() >= first_failing_write_) return Status::IoError("no space");
    writes_.push_back({offset, data.size()});
    if (bytes_.size() < offset + data.size()) bytes_.resize(offset + data.size());
    std::memcpy(bytes_.data() + offset, data.data(), data.size());
    return Status::Ok();
  }
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    if (offset >= bytes_.size()) return size_t{0};
    const size_t got = std::min<uint64_t>(size, bytes_.size() - offset);
    std::memcpy(buffer, bytes_.data() + offset, got);
    return got;
  }
  Result<uint64_t> Size() const override { return uint64_t{bytes_.size()}; }
  Status Allocate(uint64_t, uint64_t) override { return Status::Ok(); }
  Status Truncate(uint64_t size) override {
    bytes_.resize(size);
    return Status::Ok();
  }
  Status Sync() override { return Status::Ok(); }
  void StartWriteback(uint64_t, uint64_t) override {}
  Status Close() override { return Status::Ok(); }
  void WillNeed(uint64_t, uint64_t) const override {}
  void DontNeed(uint64_t, uint64_t) const override {}

 private:
  std::string bytes_;
  std::vector<WriteCall> writes_;
  size_t first_failing_write_ = ~size_t{0};
};

}  // namespace varve::test

#endif  // VARVE_TESTS_FORMAT_MEMORY_FILE_H_
