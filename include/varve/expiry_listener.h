// ExpiryListener: what Db::SetExpiryListener takes. docs/ttl.md.
#ifndef VARVE_EXPIRY_LISTENER_H_
#define VARVE_EXPIRY_LISTENER_H_

#include <cstdint>
#include <functional>
#include <string_view>

namespace varve {

// A key whose time to live is over. The views live for the call.
struct ExpiredKey {
  std::string_view name_space;  // the name; empty: the default one
  std::string_view key;
  uint64_t expired_at_millis = 0;  // its deadline, in milliseconds since 1970-01-01 UTC
};

using ExpiryListener = std::function<void(const ExpiredKey& expired)>;

}  // namespace varve

#endif  // VARVE_EXPIRY_LISTENER_H_
