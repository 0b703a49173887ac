// Watch: the keys that a session watches, in transactions that have read them.
//
// The store tells at a commit whether what a transaction has read has changed since it began; that is what
// EXEC needs to know, but its commands must see the newest state. So each WATCH begins a transaction, which
// commits nothing but a mark, so that the store checks it, after the one of EXEC has begun. What changes
// after that is the business of EXEC's own.
#ifndef VARVE_SERVER_WATCH_H_
#define VARVE_SERVER_WATCH_H_

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/db.h"

namespace varve::server {

// Thread-compatible. While keys are watched the store keeps the state of that moment.
class Watch {
 public:
  bool empty() const { return seen_.empty(); }
  // From now on. Keys that are watched already stay watched from then on.
  Status Add(Db* db, Namespace* space, const std::vector<std::string_view>& keys);
  void Clear() {
    seen_.clear();
    watched_.clear();
  }

  // Whether all keys are as they were when they were watched. They are read by `transaction`, which has
  // already begun, and are watched from now on. `mark` is where the marks go.
  Result<bool> Renew(Db* db, Namespace* mark, Transaction* transaction);

 private:
  struct Key {
    Namespace* space;
    std::string key;
    bool was_present;
  };
  struct Seen {
    std::unique_ptr<Transaction> transaction;
    std::vector<Key> keys;
  };

  std::vector<Seen> seen_;
  std::set<std::pair<const Namespace*, std::string>> watched_;  // all keys of seen_
};

}  // namespace varve::server

#endif  // VARVE_SERVER_WATCH_H_
