// Faults, and schedules of them: everything bad that happens in a run, as a list that can be printed, read back, cut
// down and run again.
#ifndef VARVE_SIM_FAULT_H_
#define VARVE_SIM_FAULT_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "sim/node.h"
#include "varve/status.h"

namespace varve::sim {

// What `a`, `b` and `amount` mean. Where nothing else is said a fault ends after `length`.
enum class FaultKind : uint8_t {
  kCut,           // nothing gets from a to b (one way)
  kSplit,         // nothing gets between the endpoints whose bits are set in amount, and the others
  kClog,          // what goes from a to b waits until the end
  kLose,          // amount of 1000 messages from a are lost
  kDuplicate,     // amount of 1000 messages from a come twice
  kDelay,         // messages from a take up to amount ns longer
  kCrash,         // process a ends, and starts again after length. What it had written stays
  kPowerCut,      // machine a loses its power for length, and with it what was not synced (disk.h)
  kWipe,          // machine a stops for length, and its disk is empty afterwards
  kPause,         // nothing happens at a; all of it happens at the end
  kClockJump,     // the wall clock of a jumps by amount - 2^63 ns. Stays so
  kClockRate,     // the clocks of a run too fast by amount - 2^31 millionths
  kSlowDisk,      // syncs of a take up to amount ns longer
  kFailedSync,    // syncs of a fail
  kStoreStall,    // the topology store answers nobody before the end
  kStoreStale,    // its reads give what was true up to amount versions before
  kStoreNoWatch,  // its watches are lost
  kStoreNoReply,  // it does what it is asked for, and the answers are lost
  kRestore,       // machine a is, at the end, put back to what it was at the beginning, and does not know
};
inline constexpr size_t kFaultKinds = 19;
// All but kRestore, after which hardly anything is promised.
inline constexpr uint64_t kOrdinaryFaults = (uint64_t{1} << static_cast<int>(FaultKind::kRestore)) - 1;

// The name of a kind, as in texts: "cut", "power_cut".
std::string_view FaultName(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kCut;
  Nanos at = 0;
  Nanos length = 0;
  Endpoint a = 0;
  Endpoint b = 0;
  uint64_t amount = 0;

  friend bool operator==(const Fault&, const Fault&) = default;
};
using Schedule = std::vector<Fault>;

// One fault a line: name, at, length, a, b, amount. ParseSchedule: kInvalidArgument, and the line.
std::string ToText(const Schedule& schedule);
Result<Schedule> ParseSchedule(std::string_view text);

// Which faults may happen, how many and how long.
struct FaultOptions {
  Nanos duration = 10 * kSecond;  // all have ended by then
  uint32_t most = 20;             // per run
  Nanos longest = 2 * kSecond;
  uint64_t kinds = kOrdinaryFaults;  // a bit each
  uint32_t most_down = 1;  // servers that may be down (crashed, without power) at the same time
  uint32_t most_wiped = 0;  // servers whose disk may be wiped during the run

  FaultOptions& With(FaultKind kind) {
    kinds |= uint64_t{1} << static_cast<int>(kind);
    return *this;
  }
  FaultOptions& Only(std::initializer_list<FaultKind> some) {
    kinds = 0;
    for (const FaultKind kind : some) With(kind);
    return *this;
  }
  FaultOptions& Without(FaultKind kind) {
    kinds &= ~(uint64_t{1} << static_cast<int>(kind));
    return *this;
  }
};

// A schedule by chance: each run draws which of the allowed kinds it has at all, so that the rare ones also
// meet by themselves, then the faults. In the order of their times.
Schedule RandomSchedule(uint64_t seed, uint32_t servers, uint32_t clients, const FaultOptions& options);

}  // namespace varve::sim

#endif  // VARVE_SIM_FAULT_H_
