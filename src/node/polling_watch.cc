#include "node/polling_watch.h"

#include <utility>

namespace varve::node {

PollingWatch::PollingWatch(TopologyStore* store, std::string prefix, TopologySnapshot known, TopologyWatcher* watcher,
                           uint64_t interval_micros)
    : store_(store),
      prefix_(std::move(prefix)),
      mirror_(std::move(known)),
      watcher_(watcher),
      interval_micros_(interval_micros) {}

std::unique_ptr<PollingWatch> PollingWatch::Start(Env* env, TopologyStore* store, std::string prefix,
                                                  TopologySnapshot known, TopologyWatcher* watcher,
                                                  uint64_t interval_micros) {
  std::unique_ptr<PollingWatch> watch(
      new PollingWatch(store, std::move(prefix), std::move(known), watcher, interval_micros));
  watch->thread_ = env->StartThread("varve-watch", [raw = watch.get()] { raw->Run(); });
  return watch->thread_ == nullptr ? nullptr : std::move(watch);
}

PollingWatch::~PollingWatch() {
  {
    MutexLock lock(&mu_);
    is_ending_ = true;
    ends_.NotifyAll();
  }
  thread_.reset();  // joins
}

bool PollingWatch::AwaitNext() {
  MutexLock lock(&mu_);
  if (!is_ending_) ends_.WaitFor(&mu_, interval_micros_);
  return !is_ending_;
}

void PollingWatch::Run() {
  bool must_tell = true;
  bool has_trouble = false;
  do {
    Result<TopologySnapshot> now = store_->Read(prefix_);
    if (!now.ok()) {
      if (!std::exchange(has_trouble, true)) watcher_->OnTrouble(now.status().ToString());
      must_tell = true;
      continue;
    }
    const uint64_t revision = now->revision;
    const auto changes = mirror_.Advance(*std::move(now));
    if (!changes || (!must_tell && changes->empty())) continue;
    must_tell = has_trouble = false;
    watcher_->OnChanges(revision, *changes);
  } while (AwaitNext());
}

}  // namespace varve::node
