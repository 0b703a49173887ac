// WorkerPool: a few threads for work that waits. They are started when there is something to do.
#ifndef VARVE_ENV_WORKER_POOL_H_
#define VARVE_ENV_WORKER_POOL_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"

namespace varve {

// Thread-safe.
class WorkerPool {
 public:
  // At most `max_threads`, at least 1, called `name`.
  WorkerPool(Env* env, std::string name, size_t max_threads)
      : env_(env), name_(std::move(name)), max_threads_(max_threads) {}
  // Runs what waits, and what that adds, and joins. REQUIRES: not called by a task.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `task` in one of the threads; tasks begin in the order of their calls. Where no thread can be started
  // at all it runs in the caller.
  void Run(std::function<void()> task) VARVE_EXCLUDES(mu_);

 private:
  void Loop() VARVE_EXCLUDES(mu_);

  Env* const env_;
  const std::string name_;
  const size_t max_threads_;
  Mutex mu_;
  CondVar work_;
  std::deque<std::function<void()>> tasks_ VARVE_GUARDED_BY(mu_);
  size_t idle_ VARVE_GUARDED_BY(mu_) = 0;
  bool stop_ VARVE_GUARDED_BY(mu_) = false;
  std::vector<std::unique_ptr<Thread>> threads_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve

#endif  // VARVE_ENV_WORKER_POOL_H_
