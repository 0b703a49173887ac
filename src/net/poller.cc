#include "net/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace varve::net {

namespace {
constexpr uint64_t kWakeKey = 0;
constexpr int kMaxReady = 256;
constexpr uint64_t kMaxWaitMillis = 60'000;

epoll_event EventOf(uint64_t key, bool wants_write) {
  return {.events = EPOLLIN | (wants_write ? uint32_t{EPOLLOUT} : 0), .data = {.u64 = key}};
}
}  // namespace

Status Poller::Open() {
  epoll_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return SocketError("epoll_create1");
  wake_ = Descriptor(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake_.is_open()) return SocketError("eventfd");
  return Add(wake_.get(), kWakeKey, false);
}

Status Poller::Add(int descriptor, uint64_t key, bool wants_write) {
  epoll_event event = EventOf(key, wants_write);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) return SocketError("epoll_ctl");
  return Status::Ok();
}

void Poller::Remove(int descriptor) {
  // Fails only for a descriptor that was not added.
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr));
}

void Poller::SetWantsWrite(int descriptor, uint64_t key, bool wants_write) {
  epoll_event event = EventOf(key, wants_write);
  // Fails only for a descriptor that was not added.
  static_cast<void>(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event));
}

void Poller::Wait(uint64_t timeout_nanos, std::vector<Event>* events) {
  events->clear();
  const uint64_t millis = std::min(timeout_nanos / 1'000'000 + (timeout_nanos % 1'000'000 != 0), kMaxWaitMillis);
  std::array<epoll_event, kMaxReady> ready;
  const int count = ::epoll_wait(epoll_.get(), ready.data(), kMaxReady, static_cast<int>(millis));
  for (int i = 0; i < count; ++i) {
    if (ready[i].data.u64 == kWakeKey) {
      uint64_t wakes = 0;
      [[maybe_unused]] const ssize_t size = ::read(wake_.get(), &wakes, sizeof(wakes));
      continue;
    }
    const uint32_t bits = ready[i].events;
    events->push_back({.key = ready[i].data.u64,
                       .can_read = (bits & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0,
                       .can_write = (bits & (EPOLLOUT | EPOLLERR)) != 0});
  }
}

void Poller::Wake() {
  const uint64_t one = 1;
  // Full means that it is awake already.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
}

}  // namespace varve::net
