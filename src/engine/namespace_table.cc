#include "engine/namespace_table.h"

namespace varve {

NamespaceTable::Ref NamespaceTable::Find(std::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

NamespaceTable::Ref NamespaceTable::Find(uint32_t id) const {
  MutexLock lock(&mu_);
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second;
}

std::vector<NamespaceTable::Ref> NamespaceTable::List() const {
  std::vector<Ref> states;
  MutexLock lock(&mu_);
  states.reserve(by_name_.size());
  for (const auto& [name, state] : by_name_) states.push_back(state);
  return states;
}

void NamespaceTable::Add(Ref state) {
  MutexLock lock(&mu_);
  by_id_[state->id] = state;
  by_name_[state->name] = std::move(state);
}

void NamespaceTable::Remove(const NamespaceState& state) {
  MutexLock lock(&mu_);
  const auto found = by_name_.find(state.name);
  if (found != by_name_.end() && found->second->id == state.id) by_name_.erase(found);
  by_id_.erase(state.id);
}

}  // namespace varve
