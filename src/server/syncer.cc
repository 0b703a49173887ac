#include "server/syncer.h"

#include <utility>

#include "base/planted_bug.h"

namespace varve::server {

Syncer::~Syncer() {
  std::unique_ptr<Thread> thread;
  {
    MutexLock lock(&mu_);
    is_stopping_ = true;
    changed_.NotifyAll();
    thread = std::move(thread_);
  }
}

void Syncer::Request(Done done) {
  {
    MutexLock lock(&mu_);
    if (thread_ == nullptr) thread_ = env_->StartThread("syncer", [this] { Run(); });
    if (thread_ != nullptr) {
      waiting_.push_back(std::move(done));
      changed_.NotifyAll();
      return;
    }
  }
  done(db_->Sync().ok());  // the system has no thread for it
}

void Syncer::Run() {
  while (true) {
    std::vector<Done> served;
    {
      MutexLock lock(&mu_);
      while (waiting_.empty() && !is_stopping_) changed_.Wait(&mu_);
      if (waiting_.empty()) return;
      served.swap(waiting_);
    }
    const bool is_synced = VARVE_PLANTED_BUG("server.replies_before_the_flush") || db_->Sync().ok();
    for (const Done& done : served) done(is_synced);
  }
}

}  // namespace varve::server
