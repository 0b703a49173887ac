// SlowFilesEnv: reads of files wait while its valve is shut, so that a test has operations under way for as
// long as it wants to. Only of files that are opened after MakeSlow: others are the operating system's.
#ifndef VARVE_TESTS_SUPPORT_SLOW_FILES_H_
#define VARVE_TESTS_SUPPORT_SLOW_FILES_H_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "tests/support/forwarding_env.h"

namespace varve::test {

// Thread-safe. Open at first.
class Valve {
 public:
  void Shut() { Set(false); }
  void Open() { Set(true); }
  void Pass() {
    std::unique_lock<std::mutex> lock(mu_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
    --waiting_;
  }
  // Returns when somebody waits.
  void AwaitArrival() {
    std::unique_lock<std::mutex> lock(mu_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }

 private:
  void Set(bool is_open) {
    const std::lock_guard<std::mutex> lock(mu_);
    is_open_ = is_open;
    changed_.notify_all();
  }

  std::mutex mu_;
  std::condition_variable changed_;
  bool is_open_ = true;
  int waiting_ = 0;
};

class SlowFile final : public RandomAccessFile {
 public:
  SlowFile(std::unique_ptr<RandomAccessFile> base, Valve* valve) : base_(std::move(base)), valve_(valve) {}
  Result<size_t> Read(uint64_t offset, size_t size, char* buffer) const override {
    valve_->Pass();
    return base_->Read(offset, size, buffer);
  }
  Result<uint64_t> Size() const override { return base_->Size(); }
  void WillNeed(uint64_t offset, uint64_t size) const override { base_->WillNeed(offset, size); }
  void DontNeed(uint64_t offset, uint64_t size) const override { base_->DontNeed(offset, size); }

 private:
  const std::unique_ptr<RandomAccessFile> base_;
  Valve* const valve_;
};

// `base` must outlive it.
class SlowFilesEnv final : public ForwardingEnv {
 public:
  explicit SlowFilesEnv(Env* base) : ForwardingEnv(base) {}
  Result<std::unique_ptr<RandomAccessFile>> OpenRandomAccess(const std::string& path) override {
    auto file = ForwardingEnv::OpenRandomAccess(path);
    if (!file.ok() || !is_slow_) return file;
    return std::unique_ptr<RandomAccessFile>(std::make_unique<SlowFile>(*std::move(file), &valve_));
  }
  Valve& valve() { return valve_; }
  void MakeSlow() { is_slow_ = true; }

 private:
  Valve valve_;
  std::atomic<bool> is_slow_{false};
};

}  // namespace varve::test

#endif  // VARVE_TESTS_SUPPORT_SLOW_FILES_H_
