// The times that SET, GETEX and EXPIRE and their kin take.
#ifndef VARVE_SERVER_EXPIRY_OPTIONS_H_
#define VARVE_SERVER_EXPIRY_OPTIONS_H_

#include <cstdint>
#include <optional>

#include "server/call.h"

namespace varve::server {

enum class TimeUnit : uint8_t { kSeconds, kMillis };

// What SET and GETEX say behind their operands.
struct SetOptions {
  bool if_absent = false;   // NX
  bool if_present = false;  // XX
  bool gets = false;        // GET
  bool keeps_ttl = false;   // KEEPTTL
  bool persists = false;    // PERSIST
  // EX, PX, EXAT, PXAT and the argument behind it.
  struct Expiry {
    size_t argument = 0;
    TimeUnit unit = TimeUnit::kSeconds;
    bool is_absolute = false;
  };
  std::optional<Expiry> expiry;
};

// Reads the options from args[first] on. False after replying a syntax error.
bool ParseSetOptions(Call& call, size_t first, bool is_set, SetOptions* options);

// The moment that args[i] stands for, in milliseconds since 1970; more than 0. False after replying why it is
// none.
bool TakeExpiry(Call& call, size_t i, TimeUnit unit, bool is_absolute, uint64_t* expire_at);
inline bool TakeExpiry(Call& call, const SetOptions::Expiry& expiry, uint64_t* expire_at) {
  return TakeExpiry(call, expiry.argument, expiry.unit, expiry.is_absolute, expire_at);
}

}  // namespace varve::server

#endif  // VARVE_SERVER_EXPIRY_OPTIONS_H_
