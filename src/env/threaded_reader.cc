#include "env/async_reader.h"
#include "env/worker_pool.h"

namespace varve {

namespace {

class ThreadedReader final : public AsyncReader {
 public:
  explicit ThreadedReader(WorkerPool* pool) : pool_(pool) {}

  void Submit(std::span<AsyncRead* const> reads) override {
    for (AsyncRead* read : reads) {
      pool_->Run([read] {
        char* const buffer = read->Begin();
        read->Done(buffer != nullptr ? read->file()->Read(read->offset(), read->size(), buffer)
                                     : Status(StatusCode::kAborted));
      });
    }
  }
  std::string_view name() const override { return "threads"; }

 private:
  WorkerPool* const pool_;
};

}  // namespace

std::unique_ptr<AsyncReader> NewThreadedReader(WorkerPool* pool) {
  return std::make_unique<ThreadedReader>(pool);
}

}  // namespace varve
