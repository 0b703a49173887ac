#include "sim/disk.h"

#include <utility>

#include "base/planted_bug.h"

namespace varve::sim {

void Disk::Apply(const Change& change, Records* records) {
  if (change.value) {
    (*records)[change.name] = *change.value;
  } else {
    records->erase(change.name);
  }
}

void Disk::Add(std::string name, std::optional<std::string> value, bool with_previous) {
  pending_.push_back({std::move(name), std::move(value), with_previous});
  Apply(pending_.back(), &visible_);
}

void Disk::Synced(uint64_t end) {
  for (; begin_ < end && !pending_.empty(); ++begin_) {
    Apply(pending_.front(), &durable_);
    pending_.pop_front();
  }
}

void Disk::PowerCut(Stream* random, bool may_tear) {
  ++power_cuts_;
  if (VARVE_PLANTED_BUG("sim.power_cut_takes_nothing")) return;
  uint64_t kept = random->Uniform(pending_.size() + 1);
  while (kept > 0 && kept < pending_.size() && pending_[kept].with_previous) --kept;
  const bool tears = may_tear && kept > 0 && random->Chance(500);
  if (tears && pending_[kept - 1].value) {
    std::string& last = *pending_[kept - 1].value;
    last.resize(random->Uniform(last.size() + 1));
  }
  Synced(begin_ + kept);
  begin_ += pending_.size();
  pending_.clear();
  visible_ = durable_;
}

void Disk::Restore(const Disk& earlier) {
  begin_ += pending_.size();
  pending_.clear();
  visible_ = durable_ = earlier.visible_;
}

void Disk::Wipe() {
  ++wipes_;
  begin_ += pending_.size();
  pending_.clear();
  visible_.clear();
  durable_.clear();
}

}  // namespace varve::sim
