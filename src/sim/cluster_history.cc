#include "sim/cluster_history.h"

#include <algorithm>

#include "base/check.h"
#include "base/status_macros.h"

namespace varve::sim {
namespace {

using cluster::CausalContext;
using cluster::Dot;
using cluster::Level;
using cluster::Outcome;
using Kind = ClientOperation::Kind;

Status Violation(std::string what) { return Status::Corruption(std::move(what)); }

bool Has(const std::vector<std::string>& values, std::string_view value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// The dots that `after` has and `before` has not, as far as they are the last of their actors.
std::vector<Dot> NewDots(const CausalContext& before, const CausalContext& after) {
  std::vector<Dot> dots;
  const auto add = [&](cluster::ActorId actor) {
    const Dot dot{actor, after.HighestOf(actor)};
    if (!before.Covers(dot) && std::find(dots.begin(), dots.end(), dot) == dots.end()) dots.push_back(dot);
  };
  for (const auto& entry : after.vector().entries()) add(entry.actor);
  for (const Dot& dot : after.cloud()) add(dot.actor);
  return dots;
}

}  // namespace

std::string ClusterHistory::Name(size_t number) const {
  const ClientOperation& operation = operations_[number];
  const char* kind = operation.kind == Kind::kGet ? "get" : operation.kind == Kind::kPut ? "put" : "delete";
  std::string name = std::string(kind) + " " + std::to_string(number) + " of " + operation.key;
  if (!operation.value.empty()) name += " = " + operation.value;
  return name + " (begun at " + std::to_string(operation.begun / kMicrosecond) + " us)";
}

size_t ClusterHistory::Begin(ClientOperation operation) {
  const size_t number = operations_.size();
  Key& key = keys_[operation.key];
  if (operation.kind != Kind::kGet) {
    for (const size_t earlier : key.writes) {
      Write& write = writes_[earlier];
      if (write.dot && operation.brought.context.Covers(*write.dot)) write.overwriters.push_back(number);
    }
    key.writes.push_back(number);
    if (operation.kind == Kind::kPut) {
      const bool is_new = writer_of_.emplace(operation.value, number).second;
      VARVE_CHECK(is_new);
    }
  }
  operation.begun_as = ++order_;
  writes_.emplace_back();
  operations_.push_back(std::move(operation));
  return number;
}

Status ClusterHistory::End(size_t number, Nanos now, Outcome outcome, cluster::SeenContext seen,
                           std::vector<std::string> values) {
  ClientOperation& operation = operations_[number];
  if (operation.is_ended) return Violation("I13: told twice: " + Name(number));
  operation.is_ended = true;
  operation.ended = now;
  operation.ended_as = ++order_;
  operation.outcome = outcome;
  operation.seen = std::move(seen);
  operation.values = std::move(values);
  return operation.kind == Kind::kGet ? EndOfRead(number) : EndOfWrite(number);
}

Status ClusterHistory::BindDot(size_t number, Dot dot) {
  if (options_.repeats) {
    writes_[number].dot = dot;
    return Status::Ok();
  }
  const cluster::PartitionId partition = options_.partition_of(operations_[number].key);
  const auto [bearer, is_new] = bearer_of_.emplace(DotName{partition, dot}, number);
  if (bearer->second != number) {
    return Violation("I8: one dot, " + std::to_string(Value(dot.actor)) + ":" + std::to_string(dot.counter) +
                     ", names " + Name(bearer->second) + " and " + Name(number));
  }
  std::optional<Dot>& known = writes_[number].dot;
  if (known && *known != dot) return Violation("I8: written twice: " + Name(number));
  known = dot;
  return Status::Ok();
}

Status ClusterHistory::EndOfWrite(size_t number) {
  const ClientOperation& operation = operations_[number];
  if (operation.outcome == Outcome::kFailed) {
    return writes_[number].dot ? Violation("I13: failed and is stored: " + Name(number)) : Status::Ok();
  }
  if (options_.repeats) {
    acknowledged_ += operation.outcome == Outcome::kOk ? 1 : 0;
    return Status::Ok();
  }
  // One that is unknown may bring no context.
  const CausalContext& seen = operation.seen.context;
  if (operation.outcome == Outcome::kUnknown && seen.empty()) return Status::Ok();
  const std::vector<Dot> dots = NewDots(operation.brought.context, seen);
  if (operation.outcome == Outcome::kUnknown && dots.empty()) return Status::Ok();
  CausalContext expected = operation.brought.context;
  if (dots.size() == 1) expected.Add(dots[0]);
  if (dots.size() != 1 || !(expected == seen)) {
    return Violation("I3: its context is not what its client has seen and one dot: " + Name(number));
  }
  writes_[number].stamp = operation.seen.stamp;
  acknowledged_ += operation.outcome == Outcome::kOk ? 1 : 0;
  writes_[number].has_shown |= operation.outcome == Outcome::kOk;
  return BindDot(number, dots[0]);
}

Status ClusterHistory::EndOfRead(size_t number) {
  const ClientOperation& read = operations_[number];
  if (read.outcome != Outcome::kOk) return Status::Ok();
  ++answered_;
  VARVE_RETURN_IF_ERROR(CheckValues(number));
  if (options_.repeats) return Status::Ok();
  for (const std::string& value : read.values) writes_[writer_of_.find(value)->second].has_shown = true;
  VARVE_RETURN_IF_ERROR(CheckAcknowledged(number));
  VARVE_RETURN_IF_ERROR(CheckExact(Name(number), read.key, read.values, read.seen.context));
  return CheckChain(number);
}

// I4, I13.
Status ClusterHistory::CheckValues(size_t read) const {
  const ClientOperation& operation = operations_[read];
  for (size_t i = 0; i < operation.values.size(); ++i) {
    const std::string& value = operation.values[i];
    const auto writer = writer_of_.find(value);
    if (writer == writer_of_.end() || operations_[writer->second].key != operation.key) {
      return Violation("I4: " + Name(read) + " shows what nobody wrote to it: " + value);
    }
    const ClientOperation& put = operations_[writer->second];
    if (put.is_ended && put.outcome == Outcome::kFailed) {
      return Violation("I13: " + Name(read) + " shows what has failed: " + Name(writer->second));
    }
    if (std::count(operation.values.begin(), operation.values.end(), value) != 1) {
      return Violation("I3: " + Name(read) + " shows twice: " + value);
    }
  }
  return Status::Ok();
}

uint32_t ClusterHistory::CountOf(Level level) const {
  if (level == Level::kOne) return 1;
  return level == Level::kAll ? options_.copies : options_.copies / 2 + 1;
}

bool ClusterHistory::MustLast(const ClientOperation& write) const {
  return !options_.forgets && (!options_.losses || write.level != Level::kOne);
}

bool ClusterHistory::MustMeet(const ClientOperation& read, const ClientOperation& write) const {
  const uint32_t r = CountOf(read.level);
  const uint32_t w = CountOf(write.level);
  const bool is_small = read.level == Level::kOne || write.level == Level::kOne;
  return r + w > options_.copies && !write.sloppy && MustLast(write) && !(options_.moves && is_small);
}

// I2.
Status ClusterHistory::CheckAcknowledged(size_t read) const {
  const ClientOperation& operation = operations_[read];
  for (const size_t number : keys_.find(operation.key)->second.writes) {
    const ClientOperation& write = operations_[number];
    if (!write.is_ended || write.outcome != Outcome::kOk || write.ended_as > operation.begun_as) continue;
    if (!MustMeet(operation, write) || operation.seen.context.Covers(*writes_[number].dot)) continue;
    return Violation("I2: " + Name(read) + " misses " + Name(number) + ", acknowledged at " +
                     std::to_string(write.ended / kMicrosecond) + " us");
  }
  return Status::Ok();
}

bool ClusterHistory::IsEffective(size_t number, const CausalContext& context) const {
  const auto& dot = writes_[number].dot;
  return dot && context.Covers(*dot);
}

Status ClusterHistory::CheckNotOverwritten(std::string_view where, size_t number, const CausalContext& context) const {
  for (const size_t other : writes_[number].overwriters) {
    if (!IsEffective(other, context)) continue;
    return Violation("I3: " + std::string(where) + " shows " + Name(number) + ", which " + Name(other) +
                     " has overwritten");
  }
  return Status::Ok();
}

// Of a delete without a dot nobody knows whether it has happened; nor of a put where states are not seen.
bool ClusterHistory::MayBeOverwritten(size_t number, const CausalContext& context) const {
  const std::vector<size_t>& overwriters = writes_[number].overwriters;
  return std::any_of(overwriters.begin(), overwriters.end(), [&](size_t other) {
    const ClientOperation& overwriter = operations_[other];
    const bool has_failed = overwriter.is_ended && overwriter.outcome == Outcome::kFailed;
    const bool is_unseen = overwriter.kind == Kind::kDelete || !options_.sees_states;
    const bool is_possible = is_unseen && !writes_[other].dot && !has_failed;
    return is_possible || IsEffective(other, context);
  });
}

Status ClusterHistory::CheckExact(std::string_view where, std::string_view key, const std::vector<std::string>& values,
                                  const CausalContext& context) const {
  const auto found = keys_.find(key);
  if (found == keys_.end()) return Status::Ok();
  const bool keeps_all = options_.policy == cluster::ConflictPolicy::kSiblings;
  for (const size_t number : found->second.writes) {
    const ClientOperation& operation = operations_[number];
    const Write& write = writes_[number];
    if (operation.kind != Kind::kPut || !write.dot) continue;
    const bool is_shown = Has(values, operation.value);
    const bool is_known = context.Covers(*write.dot);
    if (is_shown && !is_known) {
      return Violation("I3: " + std::string(where) + " has a context without what it shows: " + Name(number));
    }
    if (is_shown) {
      VARVE_RETURN_IF_ERROR(CheckNotOverwritten(where, number, context));
    } else if (keeps_all && write.has_shown && is_known && !MayBeOverwritten(number, context)) {
      return Violation("I3: " + std::string(where) + " leaves out " + Name(number) + ", which nobody has overwritten");
    }
  }
  return Status::Ok();
}

// I5. What ended before this one began is not beyond it.
Status ClusterHistory::CheckChain(size_t read) {
  const ClientOperation& operation = operations_[read];
  if (operation.level != Level::kLinear || options_.forgets) return Status::Ok();
  std::vector<size_t>& reads = keys_.find(operation.key)->second.linear_reads;
  for (const size_t other : reads) {
    const ClientOperation& earlier = operations_[other];
    const bool covers = operation.seen.context.Covers(earlier.seen.context);
    if (!covers && !earlier.seen.context.Covers(operation.seen.context)) {
      return Violation("I5: neither has seen the other: " + Name(read) + ", " + Name(other));
    }
    if (!covers && earlier.ended_as < operation.begun_as) {
      return Violation("I5: " + Name(read) + " goes back behind " + Name(other));
    }
  }
  reads.push_back(read);
  return Status::Ok();
}

Status ClusterHistory::OnStored(std::string_view key, const cluster::KeyState& state) {
  for (const cluster::Sibling& sibling : state.siblings()) {
    if (sibling.tombstone) {
      const auto found = keys_.find(key);
      if (found == keys_.end()) return Violation("I4: deleted, and nobody wrote to it: " + std::string(key));
      found->second.tombstones.try_emplace(sibling.dot, Tombstone{sibling.stamp});
      continue;
    }
    const auto writer = writer_of_.find(sibling.value);
    if (writer == writer_of_.end() || operations_[writer->second].key != key) {
      return Violation("I4: stored under " + std::string(key) + ", and nobody wrote it there: " + sibling.value);
    }
    const ClientOperation& put = operations_[writer->second];
    if (put.is_ended && put.outcome == Outcome::kFailed) {
      return Violation("I13: failed and is stored: " + Name(writer->second));
    }
    if (uint64_t& stored_as = writes_[writer->second].stored_as; stored_as == 0) stored_as = ++order_;
    VARVE_RETURN_IF_ERROR(BindDot(writer->second, sibling.dot));
  }
  return Status::Ok();
}

void ClusterHistory::OnFloor(cluster::PartitionId partition, const cluster::VersionVector& floor) {
  ++order_;
  for (auto& [name, key] : keys_) {
    if (options_.partition_of(name) != partition) continue;
    for (auto& [dot, tombstone] : key.tombstones) {
      if (tombstone.forgotten_as == 0 && floor.Covers(dot)) tombstone.forgotten_as = order_;
    }
  }
}

Status ClusterHistory::CheckFinal(std::string_view key, const cluster::KeyState& state) const {
  std::vector<std::string> values;
  for (const cluster::Sibling& sibling : state.siblings()) {
    if (!sibling.tombstone) values.push_back(sibling.value);
  }
  const auto found = keys_.find(key);
  if (found == keys_.end() || options_.repeats) return Status::Ok();
  for (const size_t number : found->second.writes) {
    const ClientOperation& write = operations_[number];
    if (!write.is_ended || write.outcome != Outcome::kOk || !MustLast(write)) continue;
    if (!state.context().Covers(*writes_[number].dot)) return Violation("I1: lost: " + Name(number));
    const bool is_lww = options_.policy == cluster::ConflictPolicy::kLww;
    if (is_lww && !values.empty() && writes_[number].stamp > state.stamp() && !HasLostToTheForgotten(number, state)) {
      return Violation("I3: there is an older value than that of " + Name(number));
    }
  }
  return CheckExact("the end", key, values, state.context());
}

// When all replicas have a delete it goes, and its stamp with it: a value that is made after that may have any, also an
// earlier one than what had lost to the delete.
bool ClusterHistory::HasLostToTheForgotten(size_t write, const cluster::KeyState& state) const {
  const auto last = writer_of_.find(state.siblings().front().value);
  if (last == writer_of_.end()) return false;
  const uint64_t stored_as = writes_[last->second].stored_as;
  const auto& tombstones = keys_.find(operations_[write].key)->second.tombstones;
  return std::any_of(tombstones.begin(), tombstones.end(), [&](const auto& entry) {
    const auto& [dot, tombstone] = entry;
    const bool is_forgotten = tombstone.forgotten_as != 0 && tombstone.forgotten_as < stored_as;
    return is_forgotten && tombstone.stamp >= writes_[write].stamp && state.context().Covers(dot);
  });
}

bool ClusterHistory::IsStored(std::string_view value) const {
  const auto writer = writer_of_.find(value);
  return writer != writer_of_.end() && writes_[writer->second].dot.has_value();
}

std::vector<std::string> ClusterHistory::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : keys_) keys.push_back(key);
  return keys;
}

}  // namespace varve::sim
