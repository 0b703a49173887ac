#include "torture/set_history.h"

#include <algorithm>
#include <map>
#include <utility>

namespace varve::torture {
namespace {

constexpr uint64_t kNever = Operation::kNever;

// One element, and when it was known to be there, gone for ever, or there for ever, at the latest.
class Element {
 public:
  explicit Element(const std::vector<SetRead>& reads) : reads_(reads) {}

  // Empty, or why that cannot be.
  std::string Take(const SetChange& change) {
    const SetChange*& place = change.is_add ? add_ : remove_;
    if (place != nullptr) return change.element + " is changed twice in one way";
    place = &change;
    return "";
  }

  std::string Check(const std::string& name) const {
    if (add_ == nullptr) return remove_ == nullptr ? "" : name + " is removed and was never added";
    const bool overlap = remove_ != nullptr && (!add_->is_answered || remove_->call_time < add_->return_time);
    if (overlap) return name + " is removed before its add was acknowledged";
    const uint64_t there = ThereFrom(name);
    const uint64_t gone = GoneFrom(name, there);
    const uint64_t stays = StaysFrom(name);
    for (const SetRead& read : reads_) {
      if (read.elements.contains(name)) {
        if (read.return_time < add_->call_time) return name + " is there before it was added" + At(read);
        if (read.call_time > gone) return name + " has come back" + At(read);
      } else if (read.call_time > there) {
        const bool may_be_removed = remove_ != nullptr && remove_->call_time <= read.return_time;
        if (!may_be_removed || read.call_time > stays) return name + " is lost" + At(read);
      }
    }
    return "";
  }

 private:
  static std::string At(const SetRead& read) {
    return " in the read [" + std::to_string(read.call_time) + ", " + std::to_string(read.return_time) + "]";
  }
  // The least moment by which the add has taken effect for certain.
  uint64_t ThereFrom(const std::string& name) const {
    uint64_t from = add_->is_answered ? add_->return_time : kNever;
    for (const SetRead& read : reads_) {
      if (read.elements.contains(name)) from = std::min(from, read.return_time);
    }
    return from;
  }
  // By which it is absent and will be: it was removed, or its add is over without effect.
  uint64_t GoneFrom(const std::string& name, uint64_t there) const {
    uint64_t from = remove_ != nullptr && remove_->is_answered ? remove_->return_time : kNever;
    const uint64_t add_over = add_->is_answered ? add_->return_time : add_->latest;
    for (const SetRead& read : reads_) {
      if (read.elements.contains(name)) continue;
      if (read.call_time > std::min(there, add_over)) from = std::min(from, read.return_time);
    }
    return from;
  }
  // By which its remove is over without effect.
  uint64_t StaysFrom(const std::string& name) const {
    uint64_t from = kNever;
    if (remove_ == nullptr || remove_->is_answered) return from;
    for (const SetRead& read : reads_) {
      if (read.elements.contains(name) && read.call_time > remove_->latest) from = std::min(from, read.return_time);
    }
    return from;
  }

  const std::vector<SetRead>& reads_;
  const SetChange* add_ = nullptr;
  const SetChange* remove_ = nullptr;
};

}  // namespace

std::string FindSetAnomaly(const std::vector<SetChange>& changes, const std::vector<SetRead>& reads, std::string* element) {
  std::map<std::string, Element> elements;
  const auto tell = [element](const std::string& name, std::string problem) {
    if (element != nullptr) *element = name;
    return problem;
  };
  for (const SetChange& change : changes) {
    const auto at = elements.try_emplace(change.element, reads).first;
    if (std::string problem = at->second.Take(change); !problem.empty()) return tell(change.element, std::move(problem));
  }
  for (const SetRead& read : reads) {
    for (const std::string& name : read.elements) {
      if (!elements.contains(name)) return tell(name, name + " is there, and nobody added it");
    }
  }
  for (const auto& [name, one] : elements) {
    if (std::string problem = one.Check(name); !problem.empty()) return tell(name, std::move(problem));
  }
  return "";
}

}  // namespace varve::torture
