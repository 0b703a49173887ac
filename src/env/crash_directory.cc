#include "env/crash_directory.h"

namespace varve::crash {
namespace {

void SetEntry(Entries* entries, const std::string& name, const NodePtr& node) {
  if (node == nullptr) {
    entries->erase(name);
  } else {
    (*entries)[name] = node;
  }
}

void ApplyTo(Entries* entries, const Change& change) {
  for (const auto& [name, node] : change.sets) SetEntry(entries, name, node);
}

NodePtr FindIn(const Entries& entries, const std::string& name) {
  const auto found = entries.find(name);
  return found == entries.end() ? nullptr : found->second;
}

}  // namespace

NodePtr DirectoryState::Find(const std::string& name) const { return FindIn(current_, name); }

void DirectoryState::Apply(Change change) {
  ApplyTo(&current_, change);
  for (const auto& [name, node] : change.sets) abandoned_.erase(name);
  pending_.push_back(std::move(change));
}

void DirectoryState::Sync() {
  for (const Change& change : pending_) ApplyTo(&durable_, change);
  pending_.clear();
}

void DirectoryState::SyncPartly(Random* random) {
  for (const Change& change : pending_) {
    if (random->OneIn(2)) {
      ApplyTo(&durable_, change);
    } else {
      for (const auto& [name, node] : change.sets) abandoned_.insert(name);
    }
  }
  pending_.clear();
}

void DirectoryState::Plant(const std::string& name, const NodePtr& node) {
  SetEntry(&current_, name, node);
  SetEntry(&durable_, name, node);
}

void DirectoryState::CopyAfterProcessCrash(const DirectoryState& original, const CopyNode& copy) {
  for (const auto& [name, node] : original.current_) current_[name] = copy(node);
  for (const auto& [name, node] : original.durable_) durable_[name] = copy(node);
  for (const Change& change : original.pending_) {
    Change mine = {change.id, {}};
    for (const auto& [name, node] : change.sets) {
      mine.sets.emplace_back(name, node == nullptr ? nullptr : copy(node));
    }
    pending_.push_back(std::move(mine));
  }
  abandoned_ = original.abandoned_;
}

void DirectoryState::CopyAfterPowerCut(const DirectoryState& original, const PowerCut& cut,
                                       const CopyNode& copy) {
  for (const auto& [name, node] : original.EntriesAfter(cut)) current_[name] = copy(node);
  durable_ = current_;
}

Entries DirectoryState::EntriesAfter(const PowerCut& cut) const {
  if (cut.unsynced == PowerCut::Unsynced::kLost) return durable_;
  if (cut.unsynced == PowerCut::Unsynced::kKept) return current_;
  // Drawn from the change's id, so that both halves of a rename between directories fare alike.
  const uint64_t kept_percent = 10 + Random(cut.seed).Uniform(81);
  Entries entries = durable_;
  for (const Change& change : pending_) {
    if (Random(cut.seed ^ (change.id << 32)).Uniform(100) < kept_percent) ApplyTo(&entries, change);
  }
  Random random(cut.seed ^ 0xABA);
  for (const std::string& name : abandoned_) {
    if (random.OneIn(2)) SetEntry(&entries, name, Find(name));
  }
  return entries;
}

}  // namespace varve::crash
