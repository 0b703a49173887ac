// Decides whether a history of transactions could have come about one transaction after the other.
//
// The transactions work on registers whose versions can be told apart: every written value is new, and
// who writes a key has read it before, so that each version names the one before it. Then the order in
// which the transactions must stand follows from what they saw (Adya's dependencies):
//
//   wr   who wrote a version            before   who read it
//   ww   who wrote a version            before   who replaced it
//   rw   who read a version             before   who replaced it
//   time who had ended                  before   who began after that
//
// A cycle is an anomaly. A list to which transactions append is such a register. A range read counts as
// a read of every key of the universe that lies in the range, absent ones too: phantoms are rw cycles.
#ifndef VARVE_TORTURE_SERIALIZABILITY_H_
#define VARVE_TORTURE_SERIALIZABILITY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "varve/transaction.h"

namespace varve::torture {

struct TransactionAccess {
  bool is_write = false;
  std::string key;
  std::string value;  // empty: the key is absent, as all are in the beginning
};

struct TransactionRecord {
  // Moments of one clock: before anything of it ran, and after the commit had returned.
  uint64_t begin = 0;
  uint64_t end = 0;
  bool is_committed = false;
  std::vector<TransactionAccess> accesses;  // in order
};

// Empty, or what is wrong: a cycle, or a value that nobody should have seen. With kSnapshot only what
// snapshot isolation forbids: cycles in which no two rw follow each other.
std::string FindAnomaly(const std::vector<TransactionRecord>& history, Isolation isolation);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_SERIALIZABILITY_H_
