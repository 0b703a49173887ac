// Server: listeners and event loops, one thread each.
#ifndef VARVE_NET_SERVER_H_
#define VARVE_NET_SERVER_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "net/event_loop.h"
#include "net/handler.h"
#include "net/options.h"
#include "net/socket.h"
#include "tls/context.h"

namespace varve::net {

// Start and Stop by one thread; the rest is thread-safe while it runs.
class Server {
 public:
  // Borrows `env`.
  Server(ServerOptions options, Env* env) : options_(std::move(options)), env_(env) {}
  ~Server() { Stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens, and serves in threads of its own. kIoError when an address cannot be had. Of several hosts
  // some may be missing (a machine without IPv6), but not all.
  // `on_listening`, if there is one, is called when port() is known and nothing is served yet.
  Status Start(const LoopHandlerFactory& make_handler,
               const std::function<void()>& on_listening = {});
  // Takes no more connections, answers what has been read, sends that, and ends the threads.
  // Idempotent.
  void Stop();

  // After Start: where it listens, and the port of TCP.
  std::vector<std::string> addresses(int service = 0) const;
  uint16_t port() const { return port_; }
  Counters& counters() { return counters_; }
  // Connections to the ports of `service` that come from now on speak TLS: before Start, and again for other
  // certificates. Thread-safe.
  void UseTls(int service, std::shared_ptr<const tls::Context> tls) VARVE_EXCLUDES(mu_);

 private:
  Status Listen();
  // At all hosts that can be had, at least one; returns the port.
  Result<uint16_t> ListenAtHosts(const ExtraPort& where);
  // nullptr: connections of this service do not speak TLS.
  std::shared_ptr<const tls::Context> TlsOf(int service) VARVE_EXCLUDES(mu_);
  void Distribute(Descriptor descriptor, const Listener& listener);
  bool IsLargest(const EventLoop* loop, size_t bytes);

  const ServerOptions options_;
  Env* const env_;
  Counters counters_;
  std::vector<Listener> listeners_;
  std::vector<std::unique_ptr<EventLoop>> loops_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::atomic<uint64_t> next_id_{1};
  uint16_t port_ = 0;
  Mutex mu_;
  std::map<int, std::shared_ptr<const tls::Context>> tls_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::net

#endif  // VARVE_NET_SERVER_H_
