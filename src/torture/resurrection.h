// Decides whether anything that was overwritten or deleted came back: of keys that one client writes, in the order of
// its calls, whatever others read meanwhile, over crashes, flushes, merges and restores. Linear, for histories of any
// length.
#ifndef VARVE_TORTURE_RESURRECTION_H_
#define VARVE_TORTURE_RESURRECTION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "torture/linearizability.h"

namespace varve::torture {

// Empty, or what is wrong: a read that goes back behind what was acknowledged, or read, before it was called; that
// sees what nobody wrote, or not yet. Gets, puts and deletes; keys of which several clients write, or of which other
// kinds are among the operations, are passed over. A write without an answer may have taken effect at any
// time after its call, or never; but not after a later one of its client is known to be there. Each value of a key must be new. A deadline is a
// delete that is called when it comes. `checked`, unless null: receives how many reads were judged.
// `key`, unless null: receives that of what is wrong. O(n log n).
std::string FindResurrection(const std::vector<Operation>& history, uint64_t* checked = nullptr, std::string* key = nullptr);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_RESURRECTION_H_
