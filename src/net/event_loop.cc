#include "net/event_loop.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/planted_bug.h"

namespace varve::net {

namespace {
constexpr int kMaxEvents = 256;
constexpr uint64_t kLingerMillis = 1000;
// So much work is sent before more is begun: pipelines of a few connections, but requests of many that pipeline nothing.
constexpr size_t kPartBytes = 8 * 1024;
// A connection whose last turn was so large is not served before those with less to do.
constexpr size_t kLargeTurnBytes = 16 * 1024;
// So much of what waits in the queue is done before the loop looks again who is ready. At least one turn is.
constexpr size_t kPassBytes = 64 * 1024;
}  // namespace

Status EventLoop::Open(std::unique_ptr<LoopHandler> handler) {
  handler_ = std::move(handler);
  scratch_ = std::make_unique_for_overwrite<char[]>(kScratchBytes);
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return SocketError("epoll_create1");
  wake_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_.is_open()) return SocketError("eventfd");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeKey}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    return SocketError("epoll_ctl");
  }
  return Status::Ok();
}

Status EventLoop::AddListener(const Listener* listener, OnAccept on_accept) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kListenerKey | listeners_.size()}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener->descriptor.get(), &event) != 0) {
    return SocketError("epoll_ctl");
  }
  listeners_.push_back({listener, std::move(on_accept)});
  return Status::Ok();
}

// --- From other threads.

void EventLoop::WakeLoop() {
  const uint64_t one = 1;
  // Full means that it is awake already.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

void EventLoop::Stop() {
  is_stopping_.store(true, std::memory_order_release);
  WakeLoop();
}

void EventLoop::End() {
  connections_.clear();
  handler_.reset();
}

void EventLoop::Post(std::function<void()> task) {
  MutexLock lock(&mu_);
  posted_.push_back(std::move(task));
  // Who came first wakes it for all: it clears the descriptor before it takes the tasks. Under the lock, because a
  // loop that was awake already may take the task, end and be destroyed as soon as the lock is free.
  if (posted_.size() == 1) WakeLoop();
}

void EventLoop::ClearWake() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t size = ::read(wake_.get(), &count, sizeof(count));
}

void EventLoop::RunPosted() {
  ClearWake();
  std::vector<std::function<void()>> tasks;
  {
    MutexLock lock(&mu_);
    tasks.swap(posted_);
  }
  for (const auto& task : tasks) task();
}

// --- The loop.

int EventLoop::TimeoutMillis() const {
  if (!queue_.empty()) return 0;
  uint64_t next = accept_again_at_ == 0 ? ~uint64_t{0} : accept_again_at_;
  if (!deadlines_.empty()) next = std::min(next, deadlines_.begin()->first);
  if (next == ~uint64_t{0}) return -1;
  const uint64_t now = NowMillis();
  return next <= now ? 0 : static_cast<int>(std::min<uint64_t>(next - now, 60'000));
}

void EventLoop::Run() {
  std::array<epoll_event, kMaxEvents> events;
  while (!is_stopping_.load(std::memory_order_acquire)) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), kMaxEvents, TimeoutMillis());
    for (int i = 0; i < count; ++i) HandleEvent(events[i].data.u64, events[i].events);
    RunQueue();
    RunDue();
    SendAll();
    part_bytes_ = 0;
    KeepWithinBudget();
  }
  Drain();
}

void EventLoop::HandleEvent(uint64_t key, uint32_t events) {
  if (key == kWakeKey) return RunPosted();
  if ((key & kListenerKey) != 0) return AcceptAll(&listeners_[key & ~kListenerKey]);
  const auto found = connections_.find(key);
  if (found == connections_.end()) return;
  Connection* const connection = found->second.get();
  const bool is_broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (connection->wants_read() && (events & EPOLLIN) != 0) {
    if (IsLarge(*connection)) return Queue(connection);
    return ReadFrom(connection);
  }
  if (is_broken) connection->Drop();
  if ((events & EPOLLIN) != 0) connection->has_unread = true;
  connection->Flush();
  Settle(connection);
}

void EventLoop::ReadFrom(Connection* connection) {
  // Until somebody has been cut for it: or all that are ready would add a turn each.
  if (IsOverBudget()) return;
  const bool has_read = connection->ReadAndTurn({scratch_.get(), kScratchBytes});
  NoteTurn(connection);
  CountPart(has_read ? connection->turn_bytes() : 0);
}

// Nobody knows yet how much a new one asks for.
bool EventLoop::IsLarge(const Connection& connection) const {
  return (connection.is_new() || connection.turn_bytes() >= kLargeTurnBytes) &&
         !VARVE_PLANTED_BUG("net.large_turns_first");
}

void EventLoop::Queue(Connection* connection) {
  if (!std::exchange(connection->is_queued, true)) queue_.push_back(connection->id());
}

// Those who are in it now take one turn at most, for whoever still has something to do is at its end again.
void EventLoop::RunQueue() {
  size_t done = 0;
  for (size_t left = queue_.size(); left > 0 && !IsOverBudget(); --left) {
    if (done >= kPassBytes && !VARVE_PLANTED_BUG("net.large_turns_first")) return;
    const auto found = connections_.find(queue_.front());
    queue_.pop_front();
    if (found == connections_.end()) continue;
    Connection* const connection = found->second.get();
    connection->is_queued = false;
    const bool is_again = connection->wants_turn();
    if (!is_again && !connection->wants_read()) continue;
    if (is_again) {
      connection->TurnAgain();
    } else {
      connection->ReadAndTurn({scratch_.get(), kScratchBytes});
    }
    NoteTurn(connection);
    done += connection->turn_bytes();
    CountPart(connection->turn_bytes());  // may end the connection
  }
}

void EventLoop::CountPart(size_t turn_bytes) {
  part_bytes_ += turn_bytes;
  if (part_bytes_ < kPartBytes) return;
  if (handler_->SendsInParts()) SendAll();
  part_bytes_ = 0;
}

void EventLoop::NoteTurn(Connection* connection) {
  if (!connection->is_turned) {
    connection->is_turned = true;
    turned_.push_back(connection->id());
  }
  if (connection->state() != Connection::State::kOpen) return;
  if (connection->wants_turn()) Queue(connection);
  if (connection->next() == Turn::Next::kWait) {
    SetDeadline(connection, NowMillis() + connection->wait_millis());
  }
}

void EventLoop::SetDeadline(Connection* connection, uint64_t deadline) {
  connection->deadline = deadline;
  // Most waits end long before: who stands there already is looked at then, and moved.
  if (connection->listed_at != 0 && connection->listed_at <= deadline) return;
  connection->listed_at = deadline;
  deadlines_.emplace(deadline, connection->id());
}

// Connections whose time has come, and the listeners.
void EventLoop::RunDue() {
  if (deadlines_.empty() && accept_again_at_ == 0) return;
  const uint64_t now = NowMillis();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto [listed_at, id] = *deadlines_.begin();
    deadlines_.erase(deadlines_.begin());
    const auto found = connections_.find(id);
    // An earlier place may have replaced this one.
    if (found == connections_.end() || found->second->listed_at != listed_at) continue;
    Connection* const connection = found->second.get();
    connection->listed_at = 0;
    const uint64_t deadline = std::exchange(connection->deadline, 0);
    if (deadline == 0) continue;
    if (deadline > now) {
      SetDeadline(connection, deadline);
      continue;
    }
    if (connection->state() == Connection::State::kOpen && connection->limit_millis() == 0) {
      // Or a handshake of TLS that was done in time.
      if (connection->next() != Turn::Next::kWait) continue;
      connection->TurnAgain();
    } else {
      connection->Drop();
    }
    NoteTurn(connection);
  }
  if (accept_again_at_ != 0 && accept_again_at_ <= now) ResumeAccepting();
}

void EventLoop::SendAll() {
  if (turned_.empty() || is_flushing_) return;
  std::vector<uint64_t> ids;
  ids.swap(turned_);
  for (const uint64_t id : ids) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;
    found->second->is_turned = false;
    found->second->MarkOutput();
  }
  is_flushing_ = handler_->BeginBeforeSend(
      [this](bool may_send) { Post([this, may_send] { OnFlushed(may_send); }); });
  if (!is_flushing_) return Send(ids, handler_->BeforeSend());
  flushing_.swap(ids);
}

void EventLoop::OnFlushed(bool may_send) {
  is_flushing_ = false;
  std::vector<uint64_t> ids;
  ids.swap(flushing_);
  Send(ids, may_send);
}

void EventLoop::Send(const std::vector<uint64_t>& ids, bool may_send) {
  for (const uint64_t id : ids) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;
    if (may_send) {
      found->second->AllowMarked();
    } else {
      found->second->Drop();
    }
    found->second->Flush();
    Settle(found->second.get());
  }
}

// Tells epoll what the connection waits for now, or removes it.
void EventLoop::Settle(Connection* connection) {
  if (connection->state() == Connection::State::kGone) {
    connections_.erase(connection->id());
    connection_count_.fetch_sub(1, std::memory_order_relaxed);
    counters_->open.fetch_sub(1, std::memory_order_relaxed);
    if (accept_again_at_ != 0) ResumeAccepting();
    return;
  }
  if (connection->state() == Connection::State::kLingers) {
    const uint64_t until = NowMillis() + kLingerMillis;
    if (connection->deadline == 0 || connection->deadline > until) SetDeadline(connection, until);
  }
  if (connection->wants_turn()) Queue(connection);  // it was paused before it has sent
  if (connection->wants_read()) connection->has_unread = false;
  // Who waits is not read. But mostly nothing comes meanwhile, and then it costs nothing to be told.
  const bool waits = connection->state() == Connection::State::kOpen && connection->next() == Turn::Next::kWait;
  const bool stays_told = waits && !connection->has_unread && (connection->events & EPOLLIN) != 0;
  const uint32_t wanted = (connection->wants_read() || stays_told ? uint32_t{EPOLLIN} : 0) |
                          (connection->wants_write() ? uint32_t{EPOLLOUT} : 0);
  if (wanted == connection->events) return;
  connection->events = wanted;
  epoll_event event{.events = wanted, .data = {.u64 = connection->id()}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection->descriptor(), &event);
}

// --- Memory.

bool EventLoop::IsOverBudget() const {
  return counters_->buffer_bytes.load(std::memory_order_relaxed) +
                 counters_->posted_bytes.load(std::memory_order_relaxed) >
             options_.memory_budget_bytes &&
         !VARVE_PLANTED_BUG("net.turns_above_the_budget");
}

void EventLoop::KeepWithinBudget() {
  const size_t budget = options_.memory_budget_bytes;
  while (counters_->buffer_bytes.load(std::memory_order_relaxed) > budget / 2) {
    // Near the limit it is worth knowing who has how much.
    Connection* largest = nullptr;
    for (const auto& [id, connection] : connections_) {
      if (largest == nullptr || connection->buffer_bytes() > largest->buffer_bytes()) {
        largest = connection.get();
      }
    }
    const size_t bytes = largest == nullptr ? 0 : largest->buffer_bytes();
    largest_bytes_.store(bytes, std::memory_order_relaxed);
    if (bytes == 0 || counters_->buffer_bytes.load(std::memory_order_relaxed) <= budget) return;
    if (is_largest_ && !is_largest_(bytes)) return;
    counters_->cut_for_memory.fetch_add(1, std::memory_order_relaxed);
    largest->Drop();
    Settle(largest);
  }
}

// --- The end.

// Whoever flushes calls back into this loop.
void EventLoop::AwaitFlush() {
  while (is_flushing_) {
    pollfd wake{.fd = wake_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wake, 1, -1) == 1) RunPosted();
  }
}

void EventLoop::Drain() {
  for (const Listening& listening : listeners_) {
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listening.listener->descriptor.get(), nullptr);
  }
  AwaitFlush();
  const uint64_t until = NowMillis() + options_.drain_millis;
  std::vector<uint64_t> ids;
  for (const auto& [id, connection] : connections_) {
    while (connection->state() == Connection::State::kOpen &&
           connection->next() == Turn::Next::kMore && NowMillis() < until &&
           !IsOverBudget()) {
      if (connection->is_paused() && handler_->BeforeSend()) {
        connection->AllowAll();
        connection->Flush();
      }
      if (connection->is_paused()) break;
      connection->TurnAgain();
    }
    ids.push_back(id);
  }
  const bool may_send = handler_->BeforeSend();
  std::array<epoll_event, kMaxEvents> events;
  for (const uint64_t id : ids) {
    Connection* const connection = connections_.find(id)->second.get();
    if (!may_send) connection->Drop();
    connection->is_turned = false;
    connection->BeginClose();
    connection->AllowAll();
    connection->Flush();
    // What is left unread would turn the close into a reset, and replies on their way would be lost.
    if (connection->state() == Connection::State::kLingers) {
      connection->ReadAndTurn({scratch_.get(), kScratchBytes});
    }
    if (!connection->wants_write()) connection->Drop();
    Settle(connection);
  }
  while (!connections_.empty() && NowMillis() < until) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), kMaxEvents, 10);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kWakeKey) ClearWake();  // of Stop; what is posted is not done any more
      const auto found = connections_.find(events[i].data.u64);
      if (found == connections_.end()) continue;
      found->second->Flush();
      const bool is_broken = (events[i].events & (EPOLLHUP | EPOLLERR)) != 0;
      if (is_broken || !found->second->wants_write()) found->second->Drop();
      Settle(found->second.get());
    }
  }
  counters_->open.fetch_sub(connections_.size(), std::memory_order_relaxed);
  connection_count_.store(0, std::memory_order_relaxed);
  connections_.clear();
  handler_.reset();
}

}  // namespace varve::net
