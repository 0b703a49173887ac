// Acl: the users of a server, and what they were refused.
#ifndef VARVE_SERVER_ACL_H_
#define VARVE_SERVER_ACL_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/thread_annotations.h"
#include "server/acl_user.h"

namespace varve::server {

// Thread-safe. There is always a user "default".
class Acl {
 public:
  using User = std::shared_ptr<const AclUser>;

  Acl();

  // Grows with every change; who holds a user looks again when it has.
  uint64_t version() const { return version_.load(std::memory_order_acquire); }
  // Whether those who have not authenticated may do nothing.
  bool asks_for_password() const { return asks_for_password_.load(std::memory_order_acquire); }

  // nullptr: there is none.
  User Find(std::string_view name) const VARVE_EXCLUDES(mu_);
  // In the order of their names.
  std::vector<User> All() const VARVE_EXCLUDES(mu_);
  // nullptr: no such user, or not with this password, or it is off.
  User Authenticate(std::string_view name, std::string_view password) const VARVE_EXCLUDES(mu_);

  // Makes the user or changes it, by all words of ACL SETUSER or, when one is wrong, by none. An error text;
  // empty: done.
  std::string Set(std::string_view name, std::vector<std::string> rules) VARVE_EXCLUDES(mu_);
  // Only the password of "default"; empty: none is needed.
  void SetDefaultPassword(std::string_view password) VARVE_EXCLUDES(mu_);
  // False: there is none. REQUIRES: not "default".
  bool Delete(std::string_view name) VARVE_EXCLUDES(mu_);

  // All users as lines of text, and the reverse, which replaces them all or none. An error text; empty: done.
  std::string Write() const VARVE_EXCLUDES(mu_);
  std::string Read(std::string_view text) VARVE_EXCLUDES(mu_);

 private:
  using Users = std::map<std::string, User, std::less<>>;

  void Install(AclUser user) VARVE_REQUIRES(mu_);
  void NoteChange() VARVE_REQUIRES(mu_);

  std::atomic<uint64_t> version_{1};
  std::atomic<bool> asks_for_password_{false};
  mutable Mutex mu_;
  uint64_t last_number_ VARVE_GUARDED_BY(mu_) = 0;
  Users users_ VARVE_GUARDED_BY(mu_);
};

// AclLog: what was refused, the newest first. Thread-safe.
class AclLog {
 public:
  struct Entry {
    uint64_t count = 0;
    std::string_view reason;   // "command", "key", "channel" or "auth"
    std::string_view context;  // "toplevel" or "multi"
    std::string object;        // the command, key or channel
    std::string user;
    std::string client;  // a line of CLIENT LIST
    uint64_t at_millis = 0;
  };

  // What happens again within a minute counts as one.
  void Add(Entry entry) VARVE_EXCLUDES(mu_);
  std::vector<Entry> Newest(size_t count) const VARVE_EXCLUDES(mu_);
  void Clear() VARVE_EXCLUDES(mu_);

  int64_t max_entries() const { return max_entries_.load(std::memory_order_relaxed); }
  void set_max_entries(int64_t count) VARVE_EXCLUDES(mu_);

 private:
  std::atomic<int64_t> max_entries_{128};
  mutable Mutex mu_;
  std::deque<Entry> entries_ VARVE_GUARDED_BY(mu_);
};

std::string_view AclReasonName(AclDenial::Reason reason);

}  // namespace varve::server

#endif  // VARVE_SERVER_ACL_H_
