// Decides whether what clients saw of registers is causally consistent: nobody sees an effect without its cause.
//
// What a client did comes before what it does later, and a write before who reads it; and so on (causal order). Every
// written value of a key is new, so that a read names its write. A history is not causally consistent if the order has
// a cycle, or a read sees a value, or absence, that another write had replaced in that order (the "bad patterns" of
// Bouajjani, Enea, Guerraoui and Hamza, POPL 2017).
#ifndef VARVE_TORTURE_CAUSAL_H_
#define VARVE_TORTURE_CAUSAL_H_

#include <string>
#include <vector>

#include "torture/linearizability.h"

namespace varve::torture {

// Empty, or what is wrong. Gets and puts; the operations of a client are in the order of their calls. A put without
// an answer counts where somebody reads it. O(n * clients) in time and memory.
std::string FindCausalAnomaly(const std::vector<Operation>& history);

}  // namespace varve::torture

#endif  // VARVE_TORTURE_CAUSAL_H_
