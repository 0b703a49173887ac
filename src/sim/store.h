// The simulated topology store: a register with a revision, changed by compare and swap only, one request after
// the other. What can go wrong with it (stalls, stale reads, lost watches and replies) never changes what it holds.
#ifndef VARVE_SIM_STORE_H_
#define VARVE_SIM_STORE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace varve::sim {

class Store {
 public:
  explicit Store(std::string first) { versions_.push_back(std::move(first)); }

  // From 1 on.
  uint64_t revision() const { return versions_.size(); }
  const std::string& bytes() const { return versions_.back(); }
  // REQUIRES: 1 <= revision <= revision().
  const std::string& At(uint64_t revision) const { return versions_[revision - 1]; }
  bool Swap(uint64_t expected, std::string bytes) {
    if (expected != revision()) return false;
    versions_.push_back(std::move(bytes));
    return true;
  }
  // What a read may find that is stale by up to `versions`.
  uint64_t StaleBy(uint64_t versions) const { return revision() - std::min(versions, revision() - 1); }

 private:
  std::vector<std::string> versions_;
};

}  // namespace varve::sim

#endif  // VARVE_SIM_STORE_H_
