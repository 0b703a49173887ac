#include "env/worker_pool.h"

#include <utility>

namespace varve {

WorkerPool::~WorkerPool() {
  std::vector<std::unique_ptr<Thread>> threads;
  {
    MutexLock lock(&mu_);
    stop_ = true;
    work_.NotifyAll();
    threads.swap(threads_);
  }
  threads.clear();  // joins
}

void WorkerPool::Run(std::function<void()> task) {
  {
    MutexLock lock(&mu_);
    tasks_.push_back(std::move(task));
    if (idle_ < tasks_.size() && threads_.size() < max_threads_ && !stop_) {
      auto thread = env_->StartThread(name_, [this] { Loop(); });
      if (thread != nullptr) threads_.push_back(std::move(thread));
    }
    if (!threads_.empty() || stop_) {
      work_.NotifyOne();
      return;
    }
    task = std::move(tasks_.back());
    tasks_.pop_back();
  }
  task();
}

void WorkerPool::Loop() {
  mu_.Lock();
  while (true) {
    if (!tasks_.empty()) {
      std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      mu_.Unlock();
      task();
      task = nullptr;
      mu_.Lock();
      continue;
    }
    if (stop_) break;
    ++idle_;
    work_.Wait(&mu_);
    --idle_;
  }
  mu_.Unlock();
}

}  // namespace varve
