// The outside world of programs under the scheduler: their clock, their heap, and files that only know what has
// been written and what has been synced.
#ifndef VARVE_TESTS_SCHED_SCHED_ENV_H_
#define VARVE_TESTS_SCHED_SCHED_ENV_H_

#include <cstring>
#include <memory>
#include <string>

#include "env/env.h"
#include "tests/sched/heap.h"
#include "tests/sched/scheduler.h"
#include "tests/support/forwarding_env.h"

namespace varve::sched {

class SchedClock final : public Clock {
 public:
  uint64_t MonotonicNanos() const override { return NowNanos(); }
  uint64_t WallMillis() const override { return NowNanos() / 1'000'000; }
  void SleepNanos(uint64_t) override { Point(); }
};

// What a file holds, and what of it would survive a loss of power. Belongs to the test.
struct FileContent {
  std::string written;
  std::string synced;
  int syncs_until_failure = -1;  // the next but so many fails; negative: none
  bool has_failed = false;
};

class SchedFile final : public WritableFile {
 public:
  explicit SchedFile(FileContent* content) : content_(content) {}
  Status Write(uint64_t offset, std::string_view data) override {
    Point();
    if (content_->written.size() < offset + data.size()) content_->written.resize(offset + data.size());
    std::memcpy(content_->written.data() + offset, data.data(), data.size());
    Point();
    return Status::Ok();
  }
  // What is written while it runs may or may not be covered: it is not.
  Status Sync() override {
    Point();
    std::string covered = content_->written;
    Point();
    if (content_->has_failed || content_->syncs_until_failure-- == 0) {
      content_->has_failed = true;
      return Status::IoError("the device is gone");
    }
    content_->synced = std::move(covered);
    Point();
    return Status::Ok();
  }
  Result<size_t> Read(uint64_t, size_t, char*) const override { return size_t{0}; }
  Result<uint64_t> Size() const override { return uint64_t{content_->written.size()}; }
  Status Allocate(uint64_t, uint64_t) override { return Status::Ok(); }
  Status Truncate(uint64_t) override { return Status::Ok(); }
  void StartWriteback(uint64_t, uint64_t) override {}
  Status Close() override { return Status::Ok(); }

 private:
  FileContent* const content_;
};

class SchedEnv final : public test::ForwardingEnv {
 public:
  SchedEnv() : ForwardingEnv(nullptr) {}
  Result<std::unique_ptr<WritableFile>> OpenWritable(const std::string&, OpenMode) override {
    return std::unique_ptr<WritableFile>(std::make_unique<SchedFile>(&file));
  }
  bool FileExists(const std::string&) override { return false; }
  Status SyncDir(const std::string&) override { return Status::Ok(); }
  Clock* clock() override { return &clock_; }
  // Not zeroed: what pools hand out a second time is not either.
  void* AllocateHuge(size_t bytes) override { return Allocate(bytes, 4096); }
  void FreeHuge(void* memory, size_t) override { Free(memory); }

  FileContent file;

 private:
  SchedClock clock_;
};

}  // namespace varve::sched

#endif  // VARVE_TESTS_SCHED_SCHED_ENV_H_
