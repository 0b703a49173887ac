// Clients: who is connected, for CLIENT LIST and CLIENT KILL.
#ifndef VARVE_SERVER_CLIENTS_H_
#define VARVE_SERVER_CLIENTS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "net/handler.h"
#include "server/command.h"

namespace varve::server {

// What others may know of a session. Numbers are written by its loop and read by all.
struct Client {
  net::Peer peer;
  uint64_t connected_at = 0;  // milliseconds
  std::atomic<uint64_t> active_at{0};
  std::atomic<int> database{0};
  std::atomic<int> protocol{2};
  std::atomic<int> queued{-1};  // commands of a MULTI; -1: none
  std::atomic<bool> watches{false};
  std::atomic<bool> monitors{false};
  // By Subscription: how many.
  std::atomic<int> subscriptions[3] = {0, 0, 0};
  std::atomic<bool> is_killed{false};
  // What others may know of CLIENT TRACKING (server/tracking.h).
  enum TrackingFlag : uint32_t { kTracks = 1, kTracksPrefixes = 2, kRedirectIsGone = 4 };
  std::atomic<uint32_t> tracking{0};
  std::atomic<int64_t> redirect{-1};  // -1: does not track; 0: is told itself
  std::atomic<const Command*> last_command{nullptr};

  // Texts, which change seldom.
  struct Names {
    std::string name;
    std::string user = "default";  // of the ACL
    std::string library;
    std::string library_version;
  };
  Names names() const {
    MutexLock lock(&mu_);
    return names_;
  }
  void SetNames(Names names) {
    MutexLock lock(&mu_);
    names_ = std::move(names);
  }

 private:
  mutable Mutex mu_;
  Names names_ VARVE_GUARDED_BY(mu_);
};

// To anything.
bool IsSubscribed(const Client& client);

// One line of CLIENT LIST, without the end of the line.
std::string Describe(const Client& client, uint64_t now);

// Thread-safe.
class Clients {
 public:
  void Add(std::shared_ptr<Client> client) {
    MutexLock lock(&mu_);
    clients_[client->peer.id] = std::move(client);
  }
  void Remove(uint64_t id) {
    MutexLock lock(&mu_);
    clients_.erase(id);
  }
  // nullptr: gone.
  std::shared_ptr<Client> Find(uint64_t id) const {
    MutexLock lock(&mu_);
    const auto found = clients_.find(id);
    return found == clients_.end() ? nullptr : found->second;
  }
  // In the order of their numbers.
  std::vector<std::shared_ptr<Client>> All() const {
    std::vector<std::shared_ptr<Client>> all;
    MutexLock lock(&mu_);
    for (const auto& [id, client] : clients_) all.push_back(client);
    return all;
  }

 private:
  mutable Mutex mu_;
  std::map<uint64_t, std::shared_ptr<Client>> clients_ VARVE_GUARDED_BY(mu_);
};

}  // namespace varve::server

#endif  // VARVE_SERVER_CLIENTS_H_
