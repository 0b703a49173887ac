// Reads by io_uring. One thread owns the ring: it alone submits, because the kernel ends reads in the thread
// that began them, and gives them up when that thread ends. Others leave their reads in a queue, and wake it
// through an eventfd, of which a read is always under way, when it sleeps.
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "env/async_reader.h"
#include "env/uring.h"

namespace varve {

namespace {

constexpr uint32_t kEntries = 256;

class UringReader final : public AsyncReader {
 public:
  UringReader(std::unique_ptr<Uring> ring, UniqueFd wake) : ring_(std::move(ring)), wake_(std::move(wake)) {
    for (size_t i = 0; i < kDepth; ++i) free_.push_back(i);
  }
  ~UringReader() override {
    if (thread_ == nullptr) return;
    {
      MutexLock lock(&mu_);
      stop_ = true;
      WakeLocked();
    }
    thread_.reset();  // joins
  }

  bool Start(Env* env) {
    thread_ = env->StartThread("varve-uring", [this] { Loop(); });
    return thread_ != nullptr;
  }

  void Submit(std::span<AsyncRead* const> reads) override {
    MutexLock lock(&mu_);
    queue_.insert(queue_.end(), reads.begin(), reads.end());
    WakeLocked();
  }
  std::string_view name() const override { return "io_uring"; }

 private:
  // Under way at once; the rest waits in the queue. One entry is for waking.
  static constexpr size_t kDepth = kEntries - 1;
  static constexpr uint64_t kWakeTag = kDepth;
  static constexpr size_t kMaxEndsInARow = 8;

  struct Running {
    AsyncRead* read = nullptr;
    char* buffer = nullptr;
  };

  void WakeLocked() VARVE_REQUIRES(mu_) {
    if (!is_asleep_) return;
    is_asleep_ = false;
    const uint64_t one = 1;
    ssize_t n;
    do {
      n = ::write(wake_.get(), &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    VARVE_CHECK(n == sizeof(one));
  }

  void Loop() {
    AwaitWake();
    std::vector<AsyncRead*> taken;
    while (TakeQueued(&taken)) {
      for (AsyncRead* read : taken) Begin(read);
      // Some of them may have ended at once. Nobody wakes this thread for what is left in the queue.
      if (has_more_ && !free_.empty()) continue;
      ring_->SubmitAndWait();
      {
        MutexLock lock(&mu_);
        is_asleep_ = false;
      }
      // What continuations begin must not wait for all the others: the device would run dry.
      uint64_t tag;
      int32_t result;
      for (size_t i = 0; i < kMaxEndsInARow && ring_->Next(&tag, &result); ++i) {
        if (tag == kWakeTag) {
          AwaitWake();
        } else {
          End(tag, result);
        }
      }
    }
  }

  // Takes as many as there is room for. From here on this thread counts as asleep, unless some are left, for
  // which it comes back by itself. False: the end.
  bool TakeQueued(std::vector<AsyncRead*>* taken) {
    taken->clear();
    MutexLock lock(&mu_);
    while (!queue_.empty() && taken->size() < free_.size()) {
      taken->push_back(queue_.front());
      queue_.pop_front();
    }
    if (stop_ && taken->empty() && free_.size() == kDepth) return false;
    has_more_ = !queue_.empty();
    is_asleep_ = !has_more_;
    return true;
  }

  void Begin(AsyncRead* read) {
    char* const buffer = read->Begin();
    if (buffer == nullptr) {
      read->Done(Status(StatusCode::kAborted));
      return;
    }
    const int fd = read->file()->descriptor();
    if (fd < 0 || read->size() > kMaxBytes) {
      read->Done(read->file()->Read(read->offset(), read->size(), buffer));
      return;
    }
    const size_t slot = free_.back();
    free_.pop_back();
    running_[slot] = {read, buffer};
    ring_->AddRead(fd, read->offset(), buffer, static_cast<uint32_t>(read->size()), slot);
  }

  void End(size_t slot, int32_t result) {
    const Running running = running_[slot];
    free_.push_back(slot);
    AsyncRead* const read = running.read;
    if (result >= 0 && static_cast<size_t>(result) == read->size()) {
      read->Done(read->size());
      return;
    }
    // Whatever is not a whole read is asked for again in the plain way, which knows about interrupted reads,
    // ends of files, and the words for errors.
    read->Done(read->file()->Read(read->offset(), read->size(), running.buffer));
  }

  void AwaitWake() {
    ring_->AddRead(wake_.get(), 0, reinterpret_cast<char*>(&wake_count_), sizeof(wake_count_), kWakeTag);
  }

  static constexpr size_t kMaxBytes = size_t{1} << 30;  // the kernel cuts reads a little below 2^31

  const std::unique_ptr<Uring> ring_;
  const UniqueFd wake_;
  // Of the ring's thread.
  uint64_t wake_count_ = 0;
  bool has_more_ = false;  // there were more in the queue than could be taken
  std::array<Running, kDepth> running_;
  std::vector<size_t> free_;

  Mutex mu_;
  std::deque<AsyncRead*> queue_ VARVE_GUARDED_BY(mu_);
  bool is_asleep_ VARVE_GUARDED_BY(mu_) = false;  // in the kernel, or about to be, with an empty queue
  bool stop_ VARVE_GUARDED_BY(mu_) = false;
  std::unique_ptr<Thread> thread_;
};

}  // namespace

std::unique_ptr<AsyncReader> NewUringReader(Env* env) {
  std::unique_ptr<Uring> ring = Uring::Open(kEntries);
  if (ring == nullptr) return nullptr;
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake.valid()) return nullptr;
  auto reader = std::make_unique<UringReader>(std::move(ring), std::move(wake));
  if (!reader->Start(env)) return nullptr;
  return reader;
}

}  // namespace varve
