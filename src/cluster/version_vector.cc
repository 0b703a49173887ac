#include "cluster/version_vector.h"

#include <algorithm>

#include "cluster/wire.h"

namespace varve::cluster {
namespace {

auto Find(auto& entries, ActorId actor) {
  return std::lower_bound(entries.begin(), entries.end(), actor,
                          [](const VersionVector::Entry& e, ActorId a) { return e.actor < a; });
}

}  // namespace

uint64_t VersionVector::Of(ActorId actor) const {
  const auto found = Find(entries_, actor);
  return found != entries_.end() && found->actor == actor ? found->counter : 0;
}

bool VersionVector::Covers(const VersionVector& other) const {
  return std::all_of(other.entries_.begin(), other.entries_.end(),
                     [this](const Entry& e) { return e.counter <= Of(e.actor); });
}

void VersionVector::Raise(ActorId actor, uint64_t counter) {
  if (counter == 0) return;
  const auto found = Find(entries_, actor);
  if (found != entries_.end() && found->actor == actor) {
    found->counter = std::max(found->counter, counter);
  } else {
    entries_.insert(found, Entry{actor, counter});
  }
}

void VersionVector::Merge(const VersionVector& other) {
  for (const Entry& entry : other.entries_) Raise(entry.actor, entry.counter);
}

void VersionVector::Strip(const VersionVector& floor) {
  std::erase_if(entries_, [&floor](const Entry& e) { return e.counter <= floor.Of(e.actor); });
}

void VersionVector::AppendTo(std::string* to) const {
  AppendVarint(to, entries_.size());
  for (const Entry& entry : entries_) {
    AppendVarint(to, Value(entry.actor));
    AppendVarint(to, entry.counter);
  }
}

bool VersionVector::Consume(std::string_view* input, VersionVector* vector) {
  uint64_t count = 0;
  if (!ConsumeCanonicalVarint(input, &count)) return false;
  if (count > input->size() / 2) return false;
  vector->entries_.clear();
  vector->entries_.reserve(count);
  ActorId last = kNoActor;
  for (; count > 0; --count) {
    Entry entry{};
    if (!ConsumeActor(input, &entry.actor) || entry.actor <= last) return false;
    if (!ConsumeCanonicalVarint(input, &entry.counter) || entry.counter == 0) return false;
    last = entry.actor;
    vector->entries_.push_back(entry);
  }
  return true;
}

}  // namespace varve::cluster
