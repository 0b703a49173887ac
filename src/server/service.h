// Service: what all sessions of a server share.
#ifndef VARVE_SERVER_SERVICE_H_
#define VARVE_SERVER_SERVICE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "env/env.h"
#include "net/handler.h"
#include "net/options.h"
#include "server/acl.h"
#include "server/backups.h"
#include "server/clients.h"
#include "server/cluster_face.h"
#include "server/command_stats.h"
#include "server/databases.h"
#include "server/events.h"
#include "server/latency_monitor.h"
#include "server/monitors.h"
#include "server/options.h"
#include "server/pubsub.h"
#include "server/rates.h"
#include "server/scan_cursors.h"
#include "server/slowlog.h"
#include "server/syncer.h"
#include "server/totals.h"
#include "server/tracking.h"
#include "varve/db.h"

namespace varve::server {

class Session;

// Thread-safe.
class Service {
 public:
  // Borrows the store and `env`. `on_shutdown` is called when a client asks for the end.
  Service(Db* db, const Options& options, Env* env, std::function<void()> on_shutdown);

  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Before anything else. Of the databases, and of the users.
  Status Load();
  std::unique_ptr<net::LoopHandler> NewLoop(int loop_index);

  Db* db() { return databases_.db(); }
  Databases& databases() { return databases_; }
  Clients& clients() { return clients_; }
  ScanCursors& scan_cursors() { return scan_cursors_; }
  PubSub& pubsub() { return pubsub_; }
  Tracking& tracking() { return tracking_; }
  Slowlog& slowlog() { return slowlog_; }
  const Slowlog& slowlog() const { return slowlog_; }
  Monitors& monitors() { return monitors_; }
  Acl& acl() { return acl_; }
  const Acl& acl() const { return acl_; }
  AclLog& acl_log() { return acl_log_; }
  const AclLog& acl_log() const { return acl_log_; }
  CommandStats& command_stats() { return command_stats_; }
  LatencyMonitor& latency() { return latency_; }
  const LatencyMonitor& latency() const { return latency_; }
  Backups& backups() { return backups_; }
  Syncer& syncer() { return syncer_; }
  // Notes that the store has failed, `reply` being what a client was told; and why it is not to be relied on now: its
  // background work fails, or it has failed somebody within the last seconds, or does so still. Empty: it works.
  void NoteStoreFailure(std::string_view reply) VARVE_EXCLUDES(mu_);
  std::string StoreFailure() VARVE_EXCLUDES(mu_);
  // Keeps the users in the store, where they survive loss of power.
  Status SaveUsers();
  // Takes those that are kept; without any, nothing changes. An error text when they make no sense.
  Result<std::string> LoadUsers();
  // Ends the connections that `is_one` is true of; that of `caller` when it has its reply.
  void CutClients(const std::function<bool(const Client&)>& is_one, Session& caller);

  // EventFlags: which happenings are published.
  uint32_t event_flags() const { return event_flags_.load(std::memory_order_relaxed); }
  bool HasListenersFor(uint32_t flag) const {
    const uint32_t flags = event_flags();
    return (flags & flag) != 0 && (flags & (kEventKeyspace | kEventKeyevent)) != 0 && !pubsub_.empty();
  }
  Status set_event_flags(uint32_t flags) VARVE_EXCLUDES(events_mu_);
  // Whether anybody wants to know of it.
  bool IsHeard(uint32_t flag) const { return tracking_.is_active() || HasListenersFor(flag); }
  // After these have happened and were committed. `changer`: of the client that did it; 0: none.
  void Publish(const std::vector<Event>& events, uint64_t changer);
  // Has the store tell of keys that expire, from now on.
  Status HearExpiry() VARVE_EXCLUDES(events_mu_);
  const Options& options() const { return options_; }
  // nullptr: this server is no node of a cluster.
  ClusterFace* cluster() const { return options_.cluster; }
  uint64_t NowMillis() const { return env_->clock()->WallMillis(); }
  uint64_t NowNanos() const { return env_->clock()->MonotonicNanos(); }
  void Sleep(uint64_t nanos) { env_->clock()->SleepNanos(nanos); }
  uint64_t NewSeed() const { return env_->RandomSeed(); }
  uint64_t started_at() const { return started_at_; }
  const std::string& run_id() const { return run_id_; }
  void Shutdown() { on_shutdown_(); }

  // What single writes ask for; unset: the store's default. With Options::syncs the loops flush, before anybody is
  // answered who could have seen what is not durable.
  std::optional<Durability> write_durability() const {
    return options_.syncs ? std::optional(Durability::kNone) : std::nullopt;
  }

  // That of the user "default", as it was set last.
  void SetPassword(std::string_view password) VARVE_EXCLUDES(mu_);
  std::string password() const VARVE_EXCLUDES(mu_);

  int64_t max_bulk_bytes() const { return max_bulk_bytes_.load(std::memory_order_relaxed); }
  void set_max_bulk_bytes(int64_t bytes) { max_bulk_bytes_.store(bytes, std::memory_order_relaxed); }

  // A larger reply is an error instead. Its connection can have as much besides.
  size_t max_reply_bytes() const { return options_.net.max_output_bytes - options_.net.pause_output_bytes; }
  // What sessions keep between requests, queued commands and names of channels, together has no more bytes
  // than connections may have. False: there is no room.
  bool Keep(size_t bytes) {
    if (kept_bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= options_.net.memory_budget_bytes) return true;
    Release(bytes);
    return false;
  }
  void Release(size_t bytes) { kept_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

  // Nobody's commands (or writes) are executed before this time; 0: no pause.
  void Pause(uint64_t until, bool only_writes);
  void Unpause();
  // How long `is_write` must wait, in milliseconds.
  uint64_t PauseLeft(bool is_write, uint64_t now) const;

  // The network, once it runs; nullptr in tests without one.
  void set_counters(const net::Counters* counters, uint16_t port) {
    counters_ = counters;
    port_ = port;
  }
  const net::Counters* counters() const { return counters_; }
  uint16_t port() const { return port_; }

  // Since the start, or CONFIG RESETSTAT.
  Totals& totals() { return totals_; }
  Rates& rates() { return rates_; }

 private:
  void PublishMessages(const Event& event);

  const Options options_;
  Env* const env_;
  const std::function<void()> on_shutdown_;
  Databases databases_;
  Clients clients_;
  Tracking tracking_{&clients_};
  ScanCursors scan_cursors_;
  const uint64_t started_at_;
  Rates rates_;
  std::string run_id_;
  std::atomic<int64_t> max_bulk_bytes_;
  std::atomic<size_t> kept_bytes_{0};
  std::atomic<uint64_t> paused_until_{0};
  std::atomic<bool> pauses_only_writes_{false};
  const net::Counters* counters_ = nullptr;
  uint16_t port_ = 0;
  Totals totals_;
  PubSub pubsub_;
  Slowlog slowlog_;
  Monitors monitors_;
  Acl acl_;
  AclLog acl_log_;
  CommandStats command_stats_;
  LatencyMonitor latency_;
  Backups backups_;
  std::atomic<uint32_t> event_flags_{0};
  Mutex events_mu_;
  bool hears_expiry_ VARVE_GUARDED_BY(events_mu_) = false;
  mutable Mutex mu_;
  std::string failure_ VARVE_GUARDED_BY(mu_);
  uint64_t failed_at_ VARVE_GUARDED_BY(mu_) = 0;  // monotonic nanoseconds
  std::string password_ VARVE_GUARDED_BY(mu_);
  Syncer syncer_;
};

}  // namespace varve::server

#endif  // VARVE_SERVER_SERVICE_H_
