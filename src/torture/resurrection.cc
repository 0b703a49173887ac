#include "torture/resurrection.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <unordered_map>
#include <utility>

namespace varve::torture {
namespace {

// The operations of one key. Version 0 is the key before anybody wrote it, version i what write i - 1 left.
class KeyHistory {
 public:
  void Add(const Operation* operation) {
    if (operation->kind == OperationKind::kGet) {
      if (operation->outcome == Outcome::kOk) reads_.push_back(operation);
      return;
    }
    const bool is_plain = operation->kind == OperationKind::kPut || operation->kind == OperationKind::kDelete;
    is_of_one_ &= is_plain && (writes_.empty() || writes_.front()->client == operation->client);
    writes_.push_back(operation);
  }

  std::string Check(uint64_t* checked) {
    if (!is_of_one_) return "";
    const auto by_call = [](const Operation* a, const Operation* b) { return a->call_time < b->call_time; };
    std::sort(writes_.begin(), writes_.end(), by_call);
    std::sort(reads_.begin(), reads_.end(), by_call);
    for (size_t i = 0; i < writes_.size(); ++i) {
      if (IsAbsent(i + 1)) continue;
      if (!versions_.try_emplace(*writes_[i]->argument, i + 1).second) return "written twice: " + writes_[i]->ToString();
    }
    NoteKnown();
    for (const Operation* read : reads_) {
      if (std::string problem = CheckRead(*read); !problem.empty()) return problem;
      ++*checked;
    }
    return "";
  }

 private:
  bool IsAbsent(size_t version) const {
    return version == 0 || writes_[version - 1]->kind == OperationKind::kDelete;
  }
  // From when on a version, or a later one, is known to be there: it was acknowledged, or read.
  void NoteKnown() {
    for (size_t i = 0; i < writes_.size(); ++i) {
      if (writes_[i]->outcome == Outcome::kOk) known_.push_back({writes_[i]->return_time, i + 1});
    }
    for (const Operation* read : reads_) {
      const auto at = read->observed ? versions_.find(*read->observed) : versions_.end();
      if (at != versions_.end()) known_.push_back({read->return_time, at->second});
    }
    std::sort(known_.begin(), known_.end());
  }

  // Reads come in the order of their calls.
  std::string CheckRead(const Operation& read) {
    for (; next_known_ < known_.size() && known_[next_known_].first < read.call_time; ++next_known_) {
      floor_ = std::max(floor_, known_[next_known_].second);
    }
    const auto begun_end = std::upper_bound(writes_.begin(), writes_.end(), read.return_time,
                                            [](uint64_t time, const Operation* write) { return time < write->call_time; });
    const auto begun = static_cast<size_t>(begun_end - writes_.begin());
    if (!read.observed) {
      for (size_t version = floor_; version <= begun; ++version) {
        if (IsAbsent(version)) return "";
      }
      return "lost: " + read.ToString() + " after " + writes_[floor_ - 1]->ToString();
    }
    const auto at = versions_.find(*read.observed);
    if (at == versions_.end()) return "nobody wrote what is seen by " + read.ToString();
    if (at->second > begun) return "seen before it was written: " + read.ToString();
    if (at->second < floor_) return "came back: " + read.ToString() + " after " + writes_[floor_ - 1]->ToString();
    return "";
  }

  bool is_of_one_ = true;
  std::vector<const Operation*> writes_;
  std::vector<const Operation*> reads_;
  std::unordered_map<std::string, size_t> versions_;
  std::vector<std::pair<uint64_t, size_t>> known_;
  size_t next_known_ = 0;
  size_t floor_ = 0;  // the least version that the next read may see
};

}  // namespace

std::string FindResurrection(const std::vector<Operation>& history, uint64_t* checked, std::string* key) {
  std::map<std::string, KeyHistory> keys;
  for (const Operation& operation : history) keys[operation.key].Add(&operation);
  uint64_t reads = 0;
  for (auto& [name, operations] : keys) {
    std::string problem = operations.Check(&reads);
    if (problem.empty()) continue;
    if (key != nullptr) *key = name;
    return problem;
  }
  if (checked != nullptr) *checked = reads;
  return "";
}

}  // namespace varve::torture
