#include "node/etcd_watch.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "node/json_splitter.h"

namespace varve::node {

namespace {
constexpr size_t kMaxMessageBytes = size_t{16} << 20;
}  // namespace

EtcdWatch::EtcdWatch(Source source, TopologySnapshot known, TopologyWatcher* watcher, uint64_t seed)
    : source_(std::move(source)), mirror_(std::move(known)), watcher_(watcher), random_(seed) {}

std::unique_ptr<EtcdWatch> EtcdWatch::Start(Env* env, Source source, TopologySnapshot known, TopologyWatcher* watcher,
                                            uint64_t seed) {
  std::unique_ptr<EtcdWatch> watch(new EtcdWatch(std::move(source), std::move(known), watcher, seed));
  watch->thread_ = env->StartThread("varve-watch", [raw = watch.get()] { raw->Run(); });
  return watch->thread_ == nullptr ? nullptr : std::move(watch);
}

EtcdWatch::~EtcdWatch() {
  {
    MutexLock lock(&mu_);
    is_ending_ = true;
    ends_.NotifyAll();
  }
  client_.Cancel();
  thread_.reset();  // joins
}

bool EtcdWatch::is_ending() {
  MutexLock lock(&mu_);
  return is_ending_;
}

void EtcdWatch::Pause(uint64_t nanos) {
  MutexLock lock(&mu_);
  if (!is_ending_) ends_.WaitFor(&mu_, nanos / 1000);
}

void EtcdWatch::Run() {
  while (!is_ending()) {
    if (ReadAnew() && Follow()) {
      source_.backoff.Reset();
    } else {
      Pause(source_.backoff.Next(&random_));
    }
  }
}

void EtcdWatch::Trouble(const std::string& reason) {
  must_tell_ = true;
  if (!std::exchange(has_trouble_, true) && !is_ending()) watcher_->OnTrouble(reason);
}

bool EtcdWatch::ReadAnew() {
  Result<TopologySnapshot> now = source_.read(&client_);
  if (!now.ok()) {
    Trouble(now.status().ToString());
    return false;
  }
  const uint64_t revision = now->revision;
  const auto changes = mirror_.Advance(*std::move(now));
  if (!changes) {
    Trouble("the store is at revision " + std::to_string(revision) + ", which is before what it has told");
    return false;
  }
  if (!must_tell_ && changes->empty()) return true;
  must_tell_ = has_trouble_ = false;
  watcher_->OnChanges(revision, *changes);
  return true;
}

bool EtcdWatch::Follow() {
  HttpRequest request;
  const size_t endpoint = source_.stream(mirror_.revision() + 1, &request);
  JsonSplitter splitter(kMaxMessageBytes);
  bool goes_on = true;
  request.on_data = [&](std::string_view bytes) {
    const bool is_json = splitter.Add(bytes, [&](std::string_view object) {
      if (goes_on) goes_on = Take(ParseEtcdWatch(object));
    });
    return goes_on && is_json;
  };
  const HttpAnswer answer = client_.Perform(request);
  // The time is over, and the stream has been there until then.
  if (answer.is_timeout && answer.status == 200) return true;
  source_.give_up(endpoint);
  return false;
}

bool EtcdWatch::Take(const EtcdWatchMessage& message) {
  if (!message.end.empty()) return false;
  std::map<std::string, std::optional<Record>> changed;
  uint64_t revision = mirror_.revision();
  for (const EtcdWatchMessage::Event& event : message.events) {
    if (event.revision <= mirror_.revision()) continue;
    revision = std::max(revision, event.revision);
    changed[event.key] = event.value ? std::optional<Record>({*event.value, event.revision}) : std::nullopt;
  }
  const TopologyWatcher::Changes changes = mirror_.Apply(revision, std::move(changed));
  if (!changes.empty()) {
    source_.backoff.Reset();
    watcher_->OnChanges(revision, changes);
  }
  return true;
}

}  // namespace varve::node
