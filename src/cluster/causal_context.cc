#include "cluster/causal_context.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "cluster/wire.h"

namespace varve::cluster {

bool CausalContext::Covers(Dot dot) const {
  return vector_.Covers(dot) || std::binary_search(cloud_.begin(), cloud_.end(), dot);
}

bool CausalContext::Covers(const CausalContext& other) const {
  // As both are compact, a prefix is covered by a prefix or not at all.
  return vector_.Covers(other.vector_) &&
         std::all_of(other.cloud_.begin(), other.cloud_.end(), [this](Dot d) { return Covers(d); });
}

void CausalContext::Add(Dot dot) {
  if (Covers(dot)) return;
  cloud_.insert(std::lower_bound(cloud_.begin(), cloud_.end(), dot), dot);
  Compact();
}

void CausalContext::Raise(ActorId actor, uint64_t counter) {
  vector_.Raise(actor, counter);
  Compact();
}

void CausalContext::Merge(const CausalContext& other) {
  vector_.Merge(other.vector_);
  if (!other.cloud_.empty()) {
    std::vector<Dot> both;
    both.reserve(cloud_.size() + other.cloud_.size());
    std::set_union(cloud_.begin(), cloud_.end(), other.cloud_.begin(), other.cloud_.end(),
                   std::back_inserter(both));
    cloud_ = std::move(both);
  }
  Compact();
}

void CausalContext::Merge(const VersionVector& vector) {
  vector_.Merge(vector);
  Compact();
}

void CausalContext::Strip(const VersionVector& floor) { vector_.Strip(floor); }

uint64_t CausalContext::HighestOf(ActorId actor) const {
  uint64_t highest = vector_.Of(actor);
  for (const Dot& dot : cloud_) {
    if (dot.actor == actor) highest = std::max(highest, dot.counter);
  }
  return highest;
}

void CausalContext::Compact() {
  size_t kept = 0;
  // Ascending, so that a dot that joins the vector lets its successor join.
  for (const Dot& dot : cloud_) {
    const uint64_t prefix = vector_.Of(dot.actor);
    if (dot.counter <= prefix) continue;
    if (dot.counter == prefix + 1) {
      vector_.Raise(dot.actor, dot.counter);
    } else {
      cloud_[kept++] = dot;
    }
  }
  cloud_.resize(kept);
}

void CausalContext::AppendTo(std::string* to) const {
  vector_.AppendTo(to);
  AppendVarint(to, cloud_.size());
  for (const Dot& dot : cloud_) {
    AppendVarint(to, Value(dot.actor));
    AppendVarint(to, dot.counter);
  }
}

bool CausalContext::Consume(std::string_view* input, CausalContext* context) {
  if (!VersionVector::Consume(input, &context->vector_)) return false;
  uint64_t count = 0;
  if (!ConsumeCanonicalVarint(input, &count) || count > input->size() / 2) return false;
  context->cloud_.clear();
  context->cloud_.reserve(count);
  Dot last;
  for (; count > 0; --count) {
    Dot dot;
    if (!ConsumeActor(input, &dot.actor) || !ConsumeCanonicalVarint(input, &dot.counter)) return false;
    // Not compact: somebody else's bytes. The subtraction cannot wrap behind the first condition.
    const uint64_t prefix = context->vector_.Of(dot.actor);
    if (dot <= last || dot.counter <= prefix || dot.counter - prefix == 1) return false;
    last = dot;
    context->cloud_.push_back(dot);
  }
  return true;
}

}  // namespace varve::cluster
