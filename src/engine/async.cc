#include "varve/async.h"

#include <vector>

#include "varve/db.h"
#include "varve/namespace.h"

namespace varve {

namespace internal {

namespace {

using Continuations = std::vector<std::function<void()>>;

// Of the continuation that runs in this thread: those that wait for its end.
thread_local Continuations* waiting = nullptr;

}  // namespace

void RunContinuation(std::function<void()> continuation) noexcept {
  if (waiting != nullptr) {
    waiting->push_back(std::move(continuation));
    return;
  }
  Continuations next;
  waiting = &next;
  continuation();
  continuation = nullptr;  // what it holds goes before the next one runs
  Continuations batch;
  while (!next.empty()) {
    batch.swap(next);
    for (std::function<void()>& one : batch) {
      one();
      one = nullptr;
    }
    batch.clear();
  }
  waiting = nullptr;
}

}  // namespace internal

// --- Stores that have no other way complete in the call.

namespace {

Status Stopped() { return Status::Aborted("a stop was requested before the operation began"); }

}  // namespace

Async<Result<std::string>> Namespace::GetAsync(std::string_view key, const ReadOptions& options,
                                               std::stop_token stop) {
  if (stop.stop_requested()) return Async<Result<std::string>>::Ready(Stopped());
  return Async<Result<std::string>>::Ready(Get(key, options));
}

Async<std::vector<Result<std::string>>> Namespace::MultiGetAsync(
    const std::vector<std::string_view>& keys, const ReadOptions& options, std::stop_token stop) {
  using Values = std::vector<Result<std::string>>;
  if (stop.stop_requested()) return Async<Values>::Ready(Values(keys.size(), Stopped()));
  return Async<Values>::Ready(MultiGet(keys, options));
}

Async<Status> Namespace::PutAsync(std::string_view key, std::string_view value,
                                  const WriteOptions& options, std::stop_token stop) {
  return Async<Status>::Ready(stop.stop_requested() ? Stopped() : Put(key, value, options));
}

Async<Status> Namespace::DeleteAsync(std::string_view key, const WriteOptions& options,
                                     std::stop_token stop) {
  return Async<Status>::Ready(stop.stop_requested() ? Stopped() : Delete(key, options));
}

Async<Status> Db::WriteAsync(const WriteBatch& batch, const WriteOptions& options,
                             std::stop_token stop) {
  return Async<Status>::Ready(stop.stop_requested() ? Stopped() : Write(batch, options));
}

}  // namespace varve
