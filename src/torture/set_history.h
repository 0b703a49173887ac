// Decides whether what readers saw of a set can be: what was acknowledged is there, nothing is there that nobody
// added, and what was removed stays away.
//
// Each element is added once and removed at most once, after its add was acknowledged. A read shows the whole set as
// of one moment between its call and its return.
#ifndef VARVE_TORTURE_SET_HISTORY_H_
#define VARVE_TORTURE_SET_HISTORY_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "torture/linearizability.h"

namespace varve::torture {

struct SetChange {
  bool is_add = true;
  std::string element;
  // As in Operation: without an answer it takes effect until `latest`, or never.
  uint64_t call_time = 0;
  uint64_t return_time = 0;
  bool is_answered = true;
  uint64_t latest = Operation::kNever;
};

struct SetRead {
  uint64_t call_time = 0;
  uint64_t return_time = 0;
  std::set<std::string> elements;
};

// Empty, or what is wrong, in words: an element that is lost, that comes back, or that nobody added. O(elements *
// reads * log(elements)). `element`, unless null: receives which.
std::string FindSetAnomaly(const std::vector<SetChange>& changes, const std::vector<SetRead>& reads,
                           std::string* element = nullptr);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_SET_HISTORY_H_
