// A linearizability checker for histories of single-key operations.
//
// A history is linearizable when every operation can be given one moment between its call and its
// return so that, executed at those moments one after another, each would have answered what it
// did. The property composes: a history is linearizable if and only if its part for every key is,
// so keys are checked one by one (Herlihy and Wing). The search for one key follows Wing and Gong
// with Lowe's cache: it never visits the same pair (set of linearized operations, state) twice.
#ifndef VARVE_TORTURE_LINEARIZABILITY_H_
#define VARVE_TORTURE_LINEARIZABILITY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace varve::torture {

// Absent, or a value. The state of one key, and what a read of it saw.
using KeyState = std::optional<std::string>;

enum class OperationKind {
  kGet,
  kPut,
  kDelete,
  kAppend,
  kCompareAndSet,
  kIncrement,  // by one, from 0 if absent; kConflict: the value was no number
  kSwap,       // puts the argument, or deletes, and answers what was there
};

// How an operation ended, as its client saw it.
enum class Outcome {
  kOk,        // took effect between call and return
  kConflict,  // a compare-and-set that found another value
  kUnknown,   // no answer: may take effect at any time after the call until `latest`, or never
};

struct Operation {
  // A return time for operations without one.
  static constexpr uint64_t kNever = ~uint64_t{0};

  int client = 0;
  OperationKind kind = OperationKind::kGet;
  std::string key;
  // What put, append and swap were given; the desired state of a compare-and-set.
  KeyState argument;
  // What a compare-and-set expected.
  KeyState expected;
  // What a get or a swap saw, and the number that an increment came to. Where it is known: the length that an
  // append came to, and "1" or "0" for whether a delete found anything.
  KeyState observed;
  Outcome outcome = Outcome::kOk;
  // Any clock that all clients share. An operation that returns at t overlaps one called at t.
  uint64_t call_time = 0;
  uint64_t return_time = kNever;  // ignored when the outcome is kUnknown
  // Of one without an answer: it has not taken effect after this, since whoever would have executed it was
  // gone by then.
  uint64_t latest = kNever;

  // "client 3: get \"k\" = \"v\" [10, 20]".
  std::string ToString() const;
};

enum class Verdict { kLinearizable, kNotLinearizable, kOutOfTime };

struct CheckOptions {
  // The state of every key before the history.
  KeyState initial;
  // What a get of an absent key answers, for stores that do not tell absent from empty.
  bool absent_reads_as_empty = false;
  // For all keys together.
  uint64_t time_limit_ms = 60'000;
};

struct CheckResult {
  Verdict verdict = Verdict::kLinearizable;
  // The key that is not linearizable, or whose check ran out of time.
  std::string key;
  // For people: the longest explanation found and the operations that did not fit into it.
  std::string explanation;
};

// Checks `history`, in any order. Exponential in the number of overlapping operations in the worst
// case, close to linear for histories of a few clients. Thread-safe.
CheckResult CheckLinearizability(const std::vector<Operation>& history,
                                 const CheckOptions& options = {});

}  // namespace varve::torture

#endif  // VARVE_TORTURE_LINEARIZABILITY_H_
