// TaskThread: carries out tasks one after the other, in a thread of its own.
#ifndef VARVE_NODE_TASK_THREAD_H_
#define VARVE_NODE_TASK_THREAD_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"

namespace varve::node {

// Post is thread-safe, the rest for one thread.
class TaskThread {
 public:
  ~TaskThread() { Stop(); }

  // kUnavailable: the system starts no thread.
  Status Start(Env* env, const std::string& name) {
    thread_ = env->StartThread(name, [this] { Run(); });
    return thread_ == nullptr ? Status::Unavailable("no thread can be started") : Status::Ok();
  }
  // After Stop tasks are dropped.
  void Post(std::function<void()> task) VARVE_EXCLUDES(mu_) {
    MutexLock lock(&mu_);
    if (is_stopping_) return;
    tasks_.push_back(std::move(task));
    wakes_.NotifyOne();
  }
  // Lets the task that runs end, and drops the others. Idempotent.
  void Stop() VARVE_EXCLUDES(mu_) {
    {
      MutexLock lock(&mu_);
      is_stopping_ = true;
      tasks_.clear();
      wakes_.NotifyOne();
    }
    thread_.reset();  // joins
  }

 private:
  void Run() VARVE_EXCLUDES(mu_) {
    for (;;) {
      std::vector<std::function<void()>> tasks;
      {
        MutexLock lock(&mu_);
        while (tasks_.empty() && !is_stopping_) wakes_.Wait(&mu_);
        if (is_stopping_) return;
        tasks.swap(tasks_);
      }
      for (const auto& task : tasks) {
        task();
        MutexLock lock(&mu_);
        if (is_stopping_) return;
      }
    }
  }

  Mutex mu_;
  CondVar wakes_;
  bool is_stopping_ VARVE_GUARDED_BY(mu_) = false;
  std::vector<std::function<void()>> tasks_ VARVE_GUARDED_BY(mu_);
  std::unique_ptr<Thread> thread_;
};

}  // namespace varve::node

#endif  // VARVE_NODE_TASK_THREAD_H_
