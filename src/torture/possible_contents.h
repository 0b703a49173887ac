// What each key of a store may hold when some writes were answered with an error: such a write has taken effect or not.
#ifndef VARVE_TORTURE_POSSIBLE_CONTENTS_H_
#define VARVE_TORTURE_POSSIBLE_CONTENTS_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "torture/store_script.h"

namespace varve::torture {

// Steps are numbered in the order in which they were done. Thread-compatible.
class PossibleContents {
 public:
  // nullopt: nothing.
  using State = std::optional<std::string>;

  void Record(const std::string& key, State state, bool is_acknowledged, size_t step) {
    versions_[key].push_back({std::move(state), is_acknowledged, step});
  }
  void Record(const Command& command, bool is_acknowledged, size_t step) {
    if (command.kind == Command::Kind::kCompareAndSet) {
      return Record(command.changes[0].key, command.desired, is_acknowledged, step);
    }
    for (const Change& change : command.changes) {
      switch (change.kind) {
        case Change::Kind::kPut: Record(change.key, change.value, is_acknowledged, step); break;
        case Change::Kind::kDelete: Record(change.key, std::nullopt, is_acknowledged, step); break;
        case Change::Kind::kRange: RecordRange(change.key, change.value, is_acknowledged, step); break;
      }
    }
  }
  // All keys from `first` to before `end` were deleted.
  void RecordRange(const std::string& first, const std::string& end, bool is_acknowledged, size_t step) {
    for (auto it = versions_.lower_bound(first); it != versions_.end() && it->first < end; ++it) {
      it->second.push_back({std::nullopt, is_acknowledged, step});
    }
  }
  // A store that was opened shows this: from now on it is what was acknowledged.
  void Settle(const Contents& found, size_t step) {
    for (auto& [key, versions] : versions_) {
      const auto at = found.find(key);
      versions.push_back({at == found.end() ? State() : State(at->second), true, step});
    }
  }
  // Nothing older can be seen any more.
  void Forget() {
    for (auto& [key, versions] : versions_) versions.erase(versions.begin(), versions.end() - 1);
  }

  // Whether all that was acknowledged up to the step `kept` is still there, or overwritten by what came later, and
  // nothing is there that nobody wrote. nullopt: nothing needs to be there.
  bool IsPossible(const std::string& key, const State& seen, std::optional<size_t> kept) const {
    const auto at = versions_.find(key);
    if (at == versions_.end()) return !seen;
    // From the newest backwards, down to one that nothing older can be seen behind.
    for (auto version = at->second.rbegin(); version != at->second.rend(); ++version) {
      if (version->state == seen) return true;
      if (version->is_acknowledged && kept && version->step <= *kept) return false;
    }
    return !seen;
  }
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    for (const auto& [key, versions] : versions_) keys.push_back(key);
    return keys;
  }

 private:
  struct Version {
    State state;
    bool is_acknowledged = false;
    size_t step = 0;
  };
  std::map<std::string, std::vector<Version>> versions_;
};

}  // namespace varve::torture

#endif  // VARVE_TORTURE_POSSIBLE_CONTENTS_H_
