#include "net/server.h"

#include <unistd.h>

#include <memory>
#include <utility>

#include "base/planted_bug.h"
#include "base/status_macros.h"

namespace varve::net {

Result<uint16_t> Server::ListenAtHosts(const ExtraPort& where) {
  Status failure;
  uint16_t port = where.port;
  const size_t before = listeners_.size();
  for (const std::string& host : where.hosts) {
    // A port that the system chose for the first is asked for by the others.
    Result<std::vector<Listener>> listeners = ListenTcp(host, port, options_.backlog);
    if (!listeners.ok()) {
      failure = listeners.status();
      continue;
    }
    for (Listener& listener : *listeners) {
      port = listener.port;
      listener.service = where.service;
      listeners_.push_back(std::move(listener));
    }
  }
  if (listeners_.size() == before) return failure;
  return port;
}

Status Server::Listen() {
  if (options_.has_tcp) {
    VARVE_ASSIGN_OR_RETURN(port_, ListenAtHosts({.service = 0, .hosts = options_.hosts, .port = options_.port}));
  }
  for (const ExtraPort& extra : options_.extra_ports) {
    VARVE_RETURN_IF_ERROR(ListenAtHosts(extra).status());
  }
  if (!options_.unix_socket.empty()) {
    VARVE_ASSIGN_OR_RETURN(Listener listener, ListenUnix(options_.unix_socket, options_.backlog));
    listeners_.push_back(std::move(listener));
  }
  return Status::Ok();
}

Status Server::Start(const LoopHandlerFactory& make_handler,
                     const std::function<void()>& on_listening) {
  VARVE_RETURN_IF_ERROR(Listen());
  if (on_listening) on_listening();
  loops_.clear();  // of an earlier start
  for (int i = 0; i < options_.loop_count; ++i) {
    auto loop = std::make_unique<EventLoop>(options_, &counters_, env_->clock());
    VARVE_RETURN_IF_ERROR(loop->Open(make_handler(i)));
    loop->set_is_largest([this, self = loop.get()](size_t bytes) { return IsLargest(self, bytes); });
    loops_.push_back(std::move(loop));
  }
  for (const Listener& listener : listeners_) {
    VARVE_RETURN_IF_ERROR(loops_[0]->AddListener(
        &listener, [this](Descriptor descriptor, const Listener& from) {
          Distribute(std::move(descriptor), from);
        }));
  }
  for (size_t i = 0; i < loops_.size(); ++i) {
    threads_.push_back(env_->StartThread("varve-loop" + std::to_string(i),
                                         [loop = loops_[i].get()] { loop->Run(); }));
    if (threads_.back() == nullptr) {
      threads_.pop_back();
      Stop();
      return Status::IoError("the system starts no thread");
    }
  }
  return Status::Ok();
}

// In the first loop. New connections go to the loop that has the fewest.
void Server::Distribute(Descriptor descriptor, const Listener& listener) {
  std::shared_ptr<const tls::Context> tls = TlsOf(listener.service);
  if (counters_.open.load(std::memory_order_relaxed) >= options_.max_connections) {
    counters_.refused.fetch_add(1, std::memory_order_relaxed);
    // Who wants TLS would not understand the reason.
    if (tls == nullptr) loops_[0]->Refuse(std::move(descriptor));
    return;
  }
  counters_.accepted.fetch_add(1, std::memory_order_relaxed);
  const uint64_t id = next_id_.fetch_add(1, std::memory_order_relaxed);
  EventLoop* chosen = loops_[id % loops_.size()].get();
  for (const auto& loop : loops_) {
    if (loop->connection_count() < chosen->connection_count()) chosen = loop.get();
  }
  if (chosen == loops_[0].get()) return chosen->Adopt(std::move(descriptor), listener, id, std::move(tls));
  auto shared = std::make_shared<Descriptor>(std::move(descriptor));
  chosen->Post([chosen, shared, &listener, id, tls] {
    chosen->Adopt(std::move(*shared), listener, id, tls);
  });
}

std::shared_ptr<const tls::Context> Server::TlsOf(int service) {
  MutexLock lock(&mu_);
  const auto found = tls_.find(service);
  return found == tls_.end() ? nullptr : found->second;
}

void Server::UseTls(int service, std::shared_ptr<const tls::Context> tls) {
  MutexLock lock(&mu_);
  if (VARVE_PLANTED_BUG("tls.first_certificate_stays") && tls_.contains(service)) return;
  tls_[service] = std::move(tls);
}

// The loop that asks has seen all of its own. If a connection elsewhere is larger, that loop is woken.
bool Server::IsLargest(const EventLoop* loop, size_t bytes) {
  for (const auto& other : loops_) {
    if (other.get() == loop || other->largest_bytes() <= bytes) continue;
    other->Post([] {});
    return false;
  }
  return true;
}

void Server::Stop() {
  for (const auto& loop : loops_) loop->Stop();
  threads_.clear();  // joins
  // They themselves stay: who has to wake a connection (Peer::wake) may not have heard yet that it is gone.
  for (const auto& loop : loops_) loop->End();
  if (!options_.unix_socket.empty() && !listeners_.empty()) ::unlink(options_.unix_socket.c_str());
  listeners_.clear();
}

std::vector<std::string> Server::addresses(int service) const {
  std::vector<std::string> addresses;
  for (const Listener& listener : listeners_) {
    if (listener.service == service) addresses.push_back(listener.address);
  }
  return addresses;
}

}  // namespace varve::net
