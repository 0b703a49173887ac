// EventLoop: how connections come.
#include <sys/epoll.h>

#include <memory>
#include <utility>

#include "base/planted_bug.h"
#include "net/event_loop.h"

namespace varve::net {

namespace {
constexpr uint64_t kAcceptPauseMillis = 100;
// What a task takes beside the bytes that it brings.
constexpr size_t kTaskBytes = 128;
// Connections taken from a listener in one wake-up.
constexpr int kMaxAccepts = 64;
}  // namespace

void EventLoop::AcceptAll(Listening* listening) {
  for (int i = 0; i < kMaxAccepts && !listening->is_paused; ++i) {
    Result<Descriptor> descriptor = Accept(*listening->listener);
    if (!descriptor.ok()) {
      if (!descriptor.status().IsNotFound()) PauseAccepting();
      return;
    }
    if (!descriptor->is_open()) return PauseAccepting();
    listening->on_accept(std::move(*descriptor), *listening->listener);
  }
}

// Without a descriptor left a listener would be ready for ever.
void EventLoop::PauseAccepting() {
  counters_->accept_pauses.fetch_add(1, std::memory_order_relaxed);
  accept_again_at_ = NowMillis() + kAcceptPauseMillis;
  if (VARVE_PLANTED_BUG("net.accept_not_resumed")) accept_again_at_ = 0;
  for (Listening& listening : listeners_) {
    if (std::exchange(listening.is_paused, true)) continue;
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listening.listener->descriptor.get(), nullptr);
  }
}

void EventLoop::ResumeAccepting() {
  accept_again_at_ = 0;
  for (size_t i = 0; i < listeners_.size(); ++i) {
    if (!std::exchange(listeners_[i].is_paused, false)) continue;
    epoll_event event{.events = EPOLLIN, .data = {.u64 = kListenerKey | i}};
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listeners_[i].listener->descriptor.get(), &event);
  }
}

void EventLoop::Adopt(Descriptor descriptor, const Listener& listener, uint64_t id,
                      std::shared_ptr<const tls::Context> tls) {
  std::unique_ptr<tls::Session> session;
  if (tls != nullptr) {
    session = tls::Session::Create(std::move(tls));
    if (session == nullptr) return;  // no memory
  }
  Peer peer{.id = id};
  Prepare(listener, descriptor, &peer);
  const auto post_turn = [this, id](bool closes) {
    Post([this, id, closes] {
      const auto found = connections_.find(id);
      if (found == connections_.end()) return;
      Connection* const connection = found->second.get();
      if (closes) {
        connection->Drop();
      } else if (connection->next() == Turn::Next::kWait) {
        connection->deadline = 0;
        connection->TurnAgain();
      }
      NoteTurn(connection);
    });
  };
  peer.close = [post_turn] { post_turn(true); };
  peer.wake = [post_turn] { post_turn(false); };
  peer.write = [this, id](std::string bytes) {
    counters_->posted_bytes.fetch_add(bytes.size() + kTaskBytes, std::memory_order_relaxed);
    Post([this, id, bytes = std::move(bytes)] {
      counters_->posted_bytes.fetch_sub(bytes.size() + kTaskBytes, std::memory_order_relaxed);
      const auto found = connections_.find(id);
      if (found == connections_.end()) return;
      if (found->second->state() != Connection::State::kOpen) return;
      found->second->Write(bytes);
      NoteTurn(found->second.get());
    });
  };
  const int fd = descriptor.get();
  auto connection = std::make_unique<Connection>(id, std::move(descriptor),
                                                 handler_->OnConnect(peer), options_, counters_, &pool_,
                                                 std::move(session));
  connection->events = EPOLLIN;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = id}};
  counters_->open.fetch_add(1, std::memory_order_relaxed);
  connection_count_.fetch_add(1, std::memory_order_relaxed);
  Connection* const adopted = (connections_[id] = std::move(connection)).get();
  const uint64_t limit = adopted->limit_millis();
  if (limit != 0) SetDeadline(adopted, NowMillis() + limit);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    adopted->Drop();
    NoteTurn(adopted);
  }
}

namespace {
// Listens to nothing: for connections that are only told why they are not wanted.
class RefusedHandler : public ConnectionHandler {
 public:
  Turn OnInput(std::string_view input, std::string*) override { return {.consumed = input.size()}; }
};
}  // namespace

void EventLoop::Refuse(Descriptor descriptor) {
  Connection connection(0, std::move(descriptor), std::make_unique<RefusedHandler>(), options_, counters_, &pool_);
  connection.Write(options_.refusal);
  connection.BeginClose();
  connection.AllowAll();
  connection.Flush();
  // What it has already sent would turn the close into a reset, and the reason would be lost.
  if (connection.state() == Connection::State::kLingers) {
    while (connection.ReadAndTurn({scratch_.get(), kScratchBytes})) {
    }
  }
}

}  // namespace varve::net
