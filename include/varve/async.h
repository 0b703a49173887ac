// Operations that do not make their caller wait: what GetAsync, MultiGetAsync, PutAsync, DeleteAsync
// (namespace.h) and WriteAsync (db.h) return.
//
//   std::future<varve::Status> written = db->PutAsync("key", "value");             // a future
//   db->GetAsync("key").Then([](varve::Result<std::string> value) {...});          // a callback
//   varve::Result<std::string> value = co_await db->GetAsync("key");               // any coroutine type
//
// Beginning. An operation begins in the call; what is done with the handle changes nothing of it. A read
// whose blocks are in memory, and a write that needs no flush, are complete when the call returns, at the
// price of the plain call. Others go on by themselves. Keys, values, batches and snapshots need to live for
// the call only.
//
// Meaning. As that of the plain calls, at a moment between the call and the completion. A read sees the
// state of the call's moment. Writes take their place among all others within the call: those that one thread
// begins one after another, with plain calls between, are applied in this order. Others see a write at the
// latest when it is complete; it is complete when it is as durable as was asked for.
//
// Where continuations run. In the thread that attaches them if the operation is complete by then, else in a
// thread of the store; those of different operations may run at the same time. In a continuation that is run
// by another one's, the inner waits until the outer has returned, so chains need no stack. A continuation may
// begin operations, and use the store otherwise. It must not throw, wait for another asynchronous operation,
// or destroy the store; while it runs it holds up others.
//
// Cancelling. With a std::stop_token: a read ends with kAborted at its next step after a stop was requested,
// a write only if that was before the call; once it is applied it ends by itself.
//
// Closing. ~Db returns when all operations are complete and their continuations have returned. What has been
// written is finished. Reads that still have to wait for the disk, and what is begun from then on, end with
// kAborted.
//
// Back-pressure. A write that is held back because background work falls behind completes later. When the
// memory for changes is full all the same, the call itself waits, as the plain one does: keep the number
// of writes that are not complete bounded.
#ifndef VARVE_ASYNC_H_
#define VARVE_ASYNC_H_

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <utility>

namespace varve {

namespace internal {

// Runs it now, or after the continuation that this thread is in.
void RunContinuation(std::function<void()> continuation) noexcept;

// What an operation and its handle share. One side finishes, the other awaits; whoever comes second goes on.
template <typename T>
class AsyncState {
 public:
  // For the operation; once.
  void Finish(T value) {
    value_.emplace(std::move(value));
    // Acquire: the continuation was stored before. Release: so was the value.
    if (phase_.exchange(Phase::kDone, std::memory_order_acq_rel) == Phase::kAwaited) {
      RunContinuation(std::move(continuation_));
    }
  }
  // For the handle; once. False: done already, `continuation` is not needed. Otherwise it will run, and may
  // do so before this returns.
  bool Await(std::function<void()> continuation) {
    continuation_ = std::move(continuation);
    Phase expected = Phase::kRunning;
    return phase_.compare_exchange_strong(expected, Phase::kAwaited, std::memory_order_acq_rel,
                                          std::memory_order_acquire);
  }
  bool is_done() const { return phase_.load(std::memory_order_acquire) == Phase::kDone; }
  // REQUIRES: done.
  T Take() { return *std::move(value_); }

 private:
  enum class Phase : uint8_t { kRunning, kAwaited, kDone };

  std::atomic<Phase> phase_{Phase::kRunning};
  std::optional<T> value_;
  std::function<void()> continuation_;
};

}  // namespace internal

// A handle on one operation, complete or under way, whose result is a T. Movable, not copyable. One of Get,
// Then, Future and co_await may be called, once. Destroying it lets the operation go on, and its result go.
// Thread-compatible.
template <typename T>
class [[nodiscard]] Async {
 public:
  using State = internal::AsyncState<T>;

  // A complete one.
  static Async Ready(T value) { return Async(std::move(value)); }
  // One that ends when state->Finish is called.
  explicit Async(std::shared_ptr<State> state) : state_(std::move(state)) {}

  Async(Async&&) = default;
  Async& operator=(Async&&) = default;
  ~Async() = default;

  bool IsDone() const { return value_.has_value() || state_->is_done(); }

  // Waits for the result. Not in a continuation, unless IsDone().
  T Get() && {
    if (IsDone()) return Take();
    return std::move(*this).Future().get();
  }

  // Calls `callback` with the result, once.
  void Then(std::function<void(T)> callback) && {
    if (state_ == nullptr) {
      internal::RunContinuation([callback = std::move(callback),
                                 value = std::make_shared<T>(*std::move(value_))] {
        callback(std::move(*value));
      });
      return;
    }
    auto run = [state = state_, callback = std::move(callback)] { callback(state->Take()); };
    const std::shared_ptr<State> state = std::move(state_);
    if (!state->Await(run)) internal::RunContinuation(std::move(run));
  }

  std::future<T> Future() && {
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> future = promise->get_future();
    if (IsDone()) {
      promise->set_value(Take());
    } else {
      std::move(*this).Then([promise](T value) { promise->set_value(std::move(value)); });
    }
    return future;
  }
  operator std::future<T>() && { return std::move(*this).Future(); }  // NOLINT: implicit on purpose

  // --- For co_await.
  bool await_ready() const { return IsDone(); }
  bool await_suspend(std::coroutine_handle<> coroutine) {
    // The coroutine may go on elsewhere, and end, and this handle with it, while Await is at work.
    const std::shared_ptr<State> state = state_;
    return state->Await([coroutine] { coroutine.resume(); });
  }
  T await_resume() { return Take(); }

 private:
  explicit Async(T value) : value_(std::move(value)) {}

  T Take() { return value_.has_value() ? *std::move(value_) : state_->Take(); }

  std::optional<T> value_;        // of an operation that was complete from the beginning
  std::shared_ptr<State> state_;  // of every other
};

}  // namespace varve

#endif  // VARVE_ASYNC_H_
