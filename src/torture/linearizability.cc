#include "torture/linearizability.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/hash.h"
#include "torture/now.h"

namespace varve::torture {
namespace {

std::string Quote(const KeyState& state) {
  if (!state.has_value()) return "absent";
  constexpr size_t kShown = 24;  // of either end
  if (state->size() <= 2 * kShown) return "\"" + *state + "\"";
  return "\"" + state->substr(0, kShown) + "..." + state->substr(state->size() - kShown) + "\" (" +
         std::to_string(state->size()) + " bytes)";
}

// The number that a state stands for, to be counted up.
std::optional<int64_t> NumberIn(const KeyState& state) {
  if (!state.has_value()) return 0;
  int64_t number = 0;
  const char* const end = state->data() + state->size();
  const auto [parsed_to, error] = std::from_chars(state->data(), end, number);
  if (error != std::errc() || parsed_to != end) return std::nullopt;
  return number;
}

// The set of operations that have been given their moment.
class OperationSet {
 public:
  explicit OperationSet(size_t size) : words_((size + 63) / 64) {}
  void Add(size_t i) { words_[i / 64] |= uint64_t{1} << (i % 64); }
  void Remove(size_t i) { words_[i / 64] &= ~(uint64_t{1} << (i % 64)); }
  bool Contains(size_t i) const { return (words_[i / 64] >> (i % 64) & 1) != 0; }
  std::string_view bytes() const {
    return {reinterpret_cast<const char*>(words_.data()), words_.size() * sizeof(uint64_t)};
  }

 private:
  std::vector<uint64_t> words_;
};

// Gives every state a small number, so that the cache compares numbers and not long values.
class StateTable {
 public:
  uint32_t Number(const KeyState& state) {
    const auto [it, is_new] = numbers_.try_emplace(state.has_value() ? "+" + *state : "-",
                                                   static_cast<uint32_t>(states_.size()));
    if (is_new) states_.push_back(state);
    return it->second;
  }
  const KeyState& state(uint32_t number) const { return states_[number]; }

 private:
  std::unordered_map<std::string, uint32_t> numbers_;
  std::vector<KeyState> states_;
};

// The search for one key. The entries, a call for each operation and a return for each that has
// one, form a list in the order of time, from which an operation is taken when it is linearized.
// Only operations called before the first return in the list may come next.
//
// Three cuts that lose no answer keep the search small:
//  - a read (or a compare-and-set that conflicted) that fits is taken at once and without an
//    alternative: no later moment suits it or the others better. A write that happens to change
//    nothing now is no such case: it may be the one that explains a later state. Nor is a read that was
//    called after the latest moment of an open-ended operation which could still come before it;
//  - an open-ended operation that would change nothing is left out;
//  - of equal open-ended operations the one called first goes first.
class KeySearch {
 public:
  KeySearch(std::string key, std::vector<const Operation*> operations, const CheckOptions& options)
      : key_(std::move(key)),
        operations_(std::move(operations)),
        options_(options),
        linearized_(operations_.size()) {
    BuildEntries();
    FindTwins();
    state_ = states_.Number(options_.initial);
    TakeFittingReads();
    entry_ = entries_[kHead].next;
  }

  const std::string& key() const { return key_; }

  // Goes on for about `step_limit` steps; kOutOfTime when that was not enough, to be called again.
  Verdict Run(uint64_t step_limit) {
    for (; open_count_ > 0; step_limit--) {
      if (step_limit == 0) return Verdict::kOutOfTime;
      // An operation with a return is still in the list, so its return ends every walk.
      if (!entries_[entry_].is_call) {
        KeepBest();
        if (!GoBack()) return Verdict::kNotLinearizable;
        continue;
      }
      const size_t operation = entries_[entry_].operation;
      uint32_t next_state = 0;
      if (MayComeNext(operation, &next_state) && Visit(operation, next_state)) {
        Take(entry_, next_state, false);
        TakeFittingReads();
        entry_ = entries_[kHead].next;
      } else {
        entry_ = entries_[entry_].next;
      }
    }
    return Verdict::kLinearizable;
  }

  std::string Explanation() const {
    std::string text = "could order " + std::to_string(best_order_.size()) + " of " +
                       std::to_string(operations_.size()) + " operations, ending with\n";
    const size_t shown = std::min<size_t>(best_order_.size(), 8);
    for (size_t i = best_order_.size() - shown; i < best_order_.size(); i++) {
      text += "  " + operations_[best_order_[i]]->ToString() + "\n";
    }
    text += "state then: " + Quote(best_state_) + "; none of these can follow:\n";
    OperationSet in_order(operations_.size());
    for (size_t operation : best_order_) in_order.Add(operation);
    uint64_t first_return = Operation::kNever;
    for (size_t i = 0; i < operations_.size(); i++) {
      if (!in_order.Contains(i) && !IsOpenEnded(*operations_[i])) {
        first_return = std::min(first_return, operations_[i]->return_time);
      }
    }
    for (size_t i = 0; i < operations_.size(); i++) {
      if (in_order.Contains(i) || operations_[i]->call_time > first_return) continue;
      text += "  " + operations_[i]->ToString() + "\n";
    }
    return text;
  }

 private:
  static constexpr size_t kHead = 0;
  static constexpr size_t kNone = ~size_t{0};

  struct Entry {
    bool is_call = true;
    size_t operation = 0;
    size_t match = kNone;  // the entry of the operation's return
    size_t previous = kNone;
    size_t next = kNone;
  };
  struct Taken {
    size_t entry;
    uint32_t state_before;
    uint64_t last_call_before;
    bool is_forced;  // there was no alternative
  };

  static bool IsOpenEnded(const Operation& operation) {
    return operation.outcome == Outcome::kUnknown;
  }

  void BuildEntries() {
    struct Event {
      uint64_t time;
      bool is_return;
      size_t operation;
    };
    std::vector<Event> events;
    for (size_t i = 0; i < operations_.size(); i++) {
      events.push_back({operations_[i]->call_time, false, i});
      if (IsOpenEnded(*operations_[i])) continue;
      events.push_back({operations_[i]->return_time, true, i});
      open_count_++;
    }
    // At one moment calls come before returns: what touches overlaps.
    std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
      return std::tie(a.time, a.is_return, a.operation) <
             std::tie(b.time, b.is_return, b.operation);
    });
    entries_.resize(events.size() + 1);
    std::vector<size_t> calls(operations_.size());
    for (size_t i = 0; i < events.size(); i++) {
      Entry& entry = entries_[i + 1];
      entry.is_call = !events[i].is_return;
      entry.operation = events[i].operation;
      entry.previous = i;
      entries_[i].next = i + 1;
      if (entry.is_call) {
        calls[entry.operation] = i + 1;
      } else {
        entries_[calls[entry.operation]].match = i + 1;
      }
    }
  }

  static bool IsRead(const Operation& operation) {
    return operation.kind == OperationKind::kGet || operation.outcome == Outcome::kConflict;
  }
  static bool AreTwins(const Operation& a, const Operation& b) {
    return a.kind == b.kind && a.argument == b.argument && a.expected == b.expected &&
           a.latest <= b.latest;
  }
  void FindTwins() {
    twin_before_.assign(operations_.size(), kNone);
    std::vector<size_t> open_ended;  // in the order of calls
    for (size_t at = entries_[kHead].next; at != kNone; at = entries_[at].next) {
      const size_t operation = entries_[at].operation;
      if (!IsOpenEnded(*operations_[operation])) continue;
      if (operations_[operation]->latest != Operation::kNever) limited_.push_back(operation);
      for (size_t earlier : open_ended) {
        if (AreTwins(*operations_[earlier], *operations_[operation])) {
          twin_before_[operation] = earlier;
        }
      }
      open_ended.push_back(operation);
    }
  }

  // Whether `operation` could have answered as it did in `state`; and the state after it.
  bool Apply(const Operation& operation, uint32_t state, uint32_t* after) {
    const KeyState& before = states_.state(state);
    *after = state;
    switch (operation.kind) {
      case OperationKind::kGet:
        if (operation.observed == before) return true;
        return options_.absent_reads_as_empty && !before.has_value() && operation.observed == "";
      case OperationKind::kPut:
        *after = states_.Number(operation.argument);
        return true;
      case OperationKind::kDelete:
        if (operation.observed && operation.observed != (before.has_value() ? "1" : "0")) return false;
        *after = states_.Number(std::nullopt);
        return true;
      case OperationKind::kAppend: {
        const std::string value = before.value_or("") + operation.argument.value_or("");
        if (operation.observed && operation.observed != std::to_string(value.size())) return false;
        *after = states_.Number(value);
        return true;
      }
      case OperationKind::kIncrement: {
        const std::optional<int64_t> number = NumberIn(before);
        if (operation.outcome == Outcome::kConflict) return !number.has_value();
        if (!number.has_value()) return operation.outcome == Outcome::kUnknown;
        const std::string sum = std::to_string(*number + 1);
        if (operation.outcome == Outcome::kOk && operation.observed != sum) return false;
        *after = states_.Number(sum);
        return true;
      }
      case OperationKind::kSwap:
        if (operation.outcome == Outcome::kOk && operation.observed != before) return false;
        *after = states_.Number(operation.argument);
        return true;
      case OperationKind::kCompareAndSet: {
        const bool matches = before == operation.expected;
        if (operation.outcome == Outcome::kConflict) return !matches;
        if (operation.outcome == Outcome::kOk && !matches) return false;
        if (matches) *after = states_.Number(operation.argument);
        return true;
      }
    }
    return false;
  }

  bool MayComeNext(size_t operation, uint32_t* next_state) {
    if (!Apply(*operations_[operation], state_, next_state)) return false;
    if (!IsOpenEnded(*operations_[operation])) return true;
    if (*next_state == state_ || IsTooLate(operation)) return false;
    const size_t twin = twin_before_[operation];
    return twin == kNone || linearized_.Contains(twin) || IsTooLate(twin);
  }
  // Whether something has been taken that was called after the latest moment of `operation`.
  bool IsTooLate(size_t operation) const { return operations_[operation]->latest < last_call_; }
  // Whether taking `operation` would make one too late that could still come now.
  bool MakesOthersTooLate(size_t operation) const {
    const uint64_t call = operations_[operation]->call_time;
    for (const size_t limited : limited_) {
      if (operations_[limited]->latest < call && !IsTooLate(limited) && !linearized_.Contains(limited)) {
        return true;
      }
    }
    return false;
  }

  void TakeFittingReads() {
    size_t at = entries_[kHead].next;
    while (at != kNone && entries_[at].is_call) {
      const size_t operation = entries_[at].operation;
      const size_t next = entries_[at].next;
      uint32_t next_state = 0;
      const bool fits =
          IsRead(*operations_[operation]) &&
          Apply(*operations_[operation], state_, &next_state) && !MakesOthersTooLate(operation);
      if (!fits) {
        at = next;
        continue;
      }
      linearized_.Add(operation);
      Take(at, state_, true);
      at = entries_[kHead].next;  // the first return may have gone: more may be called before it
    }
  }

  // Adds `operation` to the set; false, with the set unchanged, when the search has been there.
  bool Visit(size_t operation, uint32_t state) {
    linearized_.Add(operation);
    std::string point(linearized_.bytes());
    point.append(reinterpret_cast<const char*>(&state), sizeof(state));
    if (visited_.insert(std::move(point)).second) return true;
    linearized_.Remove(operation);
    return false;
  }

  void Unlink(size_t entry) {
    const Entry& e = entries_[entry];
    entries_[e.previous].next = e.next;
    if (e.next != kNone) entries_[e.next].previous = e.previous;
  }
  void Relink(size_t entry) {
    const Entry& e = entries_[entry];
    entries_[e.previous].next = entry;
    if (e.next != kNone) entries_[e.next].previous = entry;
  }
  void Take(size_t call, uint32_t state_after, bool is_forced) {
    taken_.push_back({call, state_, last_call_, is_forced});
    state_ = state_after;
    last_call_ = std::max(last_call_, operations_[entries_[call].operation]->call_time);
    Unlink(call);
    if (entries_[call].match == kNone) return;
    Unlink(entries_[call].match);
    open_count_--;
  }
  // Undoes the last choice; the next entry to try is the one after it. False when there was none.
  bool GoBack() {
    while (!taken_.empty()) {
      const Taken taken = taken_.back();
      taken_.pop_back();
      state_ = taken.state_before;
      last_call_ = taken.last_call_before;
      PutBack(taken.entry);
      linearized_.Remove(entries_[taken.entry].operation);
      if (taken.is_forced) continue;
      entry_ = entries_[taken.entry].next;
      return true;
    }
    return false;
  }
  // In the reverse order of Take, as linked lists want it.
  void PutBack(size_t call) {
    if (entries_[call].match != kNone) {
      Relink(entries_[call].match);
      open_count_++;
    }
    Relink(call);
  }

  void KeepBest() {
    if (!best_order_.empty() && taken_.size() <= best_order_.size()) return;
    best_order_.clear();
    for (const Taken& taken : taken_) best_order_.push_back(entries_[taken.entry].operation);
    best_state_ = states_.state(state_);
  }

  struct PointHash {
    size_t operator()(const std::string& point) const { return Hash64(point); }
  };

  const std::string key_;
  const std::vector<const Operation*> operations_;
  const CheckOptions& options_;
  std::vector<Entry> entries_;
  std::vector<size_t> twin_before_;  // of an open-ended operation: the equal one called before it
  size_t entry_ = kHead;             // the next to try
  uint32_t state_ = 0;
  uint64_t last_call_ = 0;       // of those taken
  std::vector<size_t> limited_;  // open-ended operations that have a latest moment
  size_t open_count_ = 0;        // returns in the list
  std::vector<Taken> taken_;
  OperationSet linearized_;
  StateTable states_;
  std::unordered_set<std::string, PointHash> visited_;
  std::vector<size_t> best_order_;
  KeyState best_state_;
};

}  // namespace

std::string Operation::ToString() const {
  std::string text = "client " + std::to_string(client) + ": ";
  switch (kind) {
    case OperationKind::kGet:
      text += "get \"" + key + "\" = " + Quote(observed);
      break;
    case OperationKind::kPut:
      text += "put \"" + key + "\" " + Quote(argument);
      break;
    case OperationKind::kDelete:
      text += "delete \"" + key + "\"";
      break;
    case OperationKind::kAppend:
      text += "append \"" + key + "\" " + Quote(argument);
      break;
    case OperationKind::kCompareAndSet:
      text += "compare-and-set \"" + key + "\" " + Quote(expected) + " -> " + Quote(argument);
      break;
    case OperationKind::kIncrement:
      text += "increment \"" + key + "\" = " + Quote(observed);
      break;
    case OperationKind::kSwap:
      text += "swap \"" + key + "\" " + Quote(argument) + " = " + Quote(observed);
      break;
  }
  if (outcome == Outcome::kConflict) text += ", conflict";
  if (outcome == Outcome::kUnknown && latest != kNever) text += ", until " + std::to_string(latest);
  text += " [" + std::to_string(call_time) + ", ";
  text += outcome == Outcome::kUnknown ? "unknown" : std::to_string(return_time);
  return text + "]";
}

CheckResult CheckLinearizability(const std::vector<Operation>& history,
                                 const CheckOptions& options) {
  const uint64_t deadline = MonotonicNow() + options.time_limit_ms * 1'000'000;
  std::map<std::string, std::vector<const Operation*>> by_key;
  for (const Operation& operation : history) {
    // A get without an answer says nothing.
    if (operation.kind == OperationKind::kGet && operation.outcome == Outcome::kUnknown) continue;
    by_key[operation.key].push_back(&operation);
  }
  std::vector<std::unique_ptr<KeySearch>> searches;
  for (auto& [key, operations] : by_key) {
    searches.push_back(std::make_unique<KeySearch>(key, std::move(operations), options));
  }
  // All keys get ever longer turns, so that one hard key does not hide a plain error in another.
  constexpr uint64_t kLongestTurn = 1 << 16;
  for (uint64_t step_limit = 1 << 10;; step_limit = std::min(step_limit * 2, kLongestTurn)) {
    for (size_t i = 0; i < searches.size();) {
      const Verdict verdict = searches[i]->Run(step_limit);
      if (verdict == Verdict::kLinearizable) {
        searches.erase(searches.begin() + static_cast<ptrdiff_t>(i));
        continue;
      }
      const bool is_late = MonotonicNow() > deadline;
      if (verdict == Verdict::kNotLinearizable || is_late) {
        return {verdict, searches[i]->key(), searches[i]->Explanation()};
      }
      i++;
    }
    if (searches.empty()) return {};
  }
}

}  // namespace varve::torture
