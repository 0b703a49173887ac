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

Status Violation(std::string what) { return Status::Corruption(std::move(what)); }

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
  const char* kind = operation.kind == ClientOperation::Kind::kGet ? "get" : operation.kind == ClientOperation::Kind::kPut ? "put" : "delete";
  std::string name = std::string(kind) + " " + std::to_string(number) + " of " + operation.key;
  if (!operation.value.empty()) name += " = " + operation.value;
  return name + " (begun at " + std::to_string(operation.begun / kMicrosecond) + " us)";
}

ClusterHistory::Key& ClusterHistory::KeyNamed(std::string_view name) {
  const auto known = keys_.find(name);
  return known != keys_.end() ? known->second : keys_[std::string(name)];
}

size_t ClusterHistory::Begin(ClientOperation operation) {
  const size_t number = operations_.size();
  Key& key = KeyNamed(operation.key);
  const auto place = static_cast<uint32_t>(key.writes.size());
  if (operation.kind != ClientOperation::Kind::kGet) {
    const CausalContext& brought = operation.brought.context;
    for (size_t earlier = brought.empty() ? place : 0; earlier < place; ++earlier) {
      Write& write = key.writes[earlier];
      if (write.dot && brought.Covers(*write.dot)) write.overwriters.push_back(place);
    }
    key.writes.push_back({.number = number, .is_put = operation.kind == ClientOperation::Kind::kPut});
    if (operation.kind == ClientOperation::Kind::kPut) {
      const bool is_new = writer_of_.emplace(operation.value, number).second;
      VARVE_CHECK(is_new);
    }
  }
  operation.begun_as = ++order_;
  places_.push_back({&key, place});
  operations_.push_back(std::move(operation));
  return number;
}

void ClusterHistory::OnCoordinated(size_t number, uint32_t replicas, bool is_promised) {
  operations_[number].replicas = replicas;
  operations_[number].is_promised = is_promised;
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
  if (operation.kind == ClientOperation::Kind::kGet) return EndOfRead(number);
  WriteOf(number).has_failed = outcome == Outcome::kFailed;
  return EndOfWrite(number);
}

Status ClusterHistory::BindDot(size_t number, Dot dot) {
  std::optional<Dot>& known = WriteOf(number).dot;
  if (options_.repeats) {
    known = dot;
    return Status::Ok();
  }
  if (known == dot) return Status::Ok();
  const cluster::PartitionId partition = options_.partition_of(operations_[number].key);
  const auto [bearer, is_new] = bearer_of_.emplace(DotName{partition, dot}, number);
  if (bearer->second != number) {
    return Violation("I8: one dot, " + std::to_string(Value(dot.actor)) + ":" + std::to_string(dot.counter) +
                     ", names " + Name(bearer->second) + " and " + Name(number));
  }
  if (known) return Violation("I8: written twice: " + Name(number));
  known = dot;
  return Status::Ok();
}

Status ClusterHistory::EndOfWrite(size_t number) {
  const ClientOperation& operation = operations_[number];
  if (operation.outcome == Outcome::kFailed) {
    return WriteOf(number).dot ? Violation("I13: failed and is stored: " + Name(number)) : Status::Ok();
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
  Write& write = WriteOf(number);
  write.stamp = operation.seen.stamp;
  acknowledged_ += operation.outcome == Outcome::kOk ? 1 : 0;
  write.has_shown |= operation.outcome == Outcome::kOk;
  if (operation.outcome == Outcome::kOk) write.acknowledged_as = operation.ended_as;
  return BindDot(number, dots[0]);
}

Status ClusterHistory::EndOfRead(size_t number) {
  const ClientOperation& read = operations_[number];
  if (read.outcome != Outcome::kOk) return Status::Ok();
  ++answered_;
  VARVE_RETURN_IF_ERROR(CheckValues(number));
  if (options_.repeats) return Status::Ok();
  for (const std::string& value : read.values) WriteOf(writer_of_.find(value)->second).has_shown = true;
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
    if (writer == writer_of_.end() || places_[writer->second].key != places_[read].key) {
      return Violation("I4: " + Name(read) + " shows what nobody wrote to it: " + value);
    }
    if (WriteOf(writer->second).has_failed) {
      return Violation("I13: " + Name(read) + " shows what has failed: " + Name(writer->second));
    }
    if (std::count(operation.values.begin(), operation.values.end(), value) != 1) {
      return Violation("I3: " + Name(read) + " shows twice: " + value);
    }
  }
  return Status::Ok();
}

bool ClusterHistory::IsLww(std::string_view key) const {
  const cluster::ConflictPolicy policy = options_.policy_of ? options_.policy_of(key) : options_.policy;
  return policy == cluster::ConflictPolicy::kLww;
}

uint32_t ClusterHistory::CountOf(const ClientOperation& operation) const {
  if (operation.replicas != 0) return operation.replicas;
  if (operation.level == Level::kOne) return 1;
  return operation.level == Level::kAll ? options_.copies : options_.copies / 2 + 1;
}

bool ClusterHistory::MustLast(const ClientOperation& write) const {
  if (options_.forgets || write.level != Level::kOne) return !options_.forgets;
  const auto given_up = given_up_.find(options_.partition_of(write.key));
  return !options_.losses && (given_up == given_up_.end() || given_up->second < write.begun_as);
}

bool ClusterHistory::MustMeet(const ClientOperation& read, const ClientOperation& write) const {
  const uint32_t r = CountOf(read);
  const uint32_t w = CountOf(write);
  const bool is_small = read.level == Level::kOne || write.level == Level::kOne;
  return read.is_promised && r + w > options_.copies && !write.sloppy && MustLast(write) && !(options_.moves && is_small);
}

// I2.
Status ClusterHistory::CheckAcknowledged(size_t read) const {
  const ClientOperation& operation = operations_[read];
  for (const Write& write : places_[read].key->writes) {
    if (write.acknowledged_as == 0 || write.acknowledged_as > operation.begun_as) continue;
    if (operation.seen.context.Covers(*write.dot) || !MustMeet(operation, operations_[write.number])) continue;
    return Violation("I2: " + Name(read) + " misses " + Name(write.number) + ", acknowledged at " +
                     std::to_string(operations_[write.number].ended / kMicrosecond) + " us");
  }
  return Status::Ok();
}

bool ClusterHistory::IsEffective(const Write& write, const CausalContext& context) {
  return write.dot && context.Covers(*write.dot);
}

Status ClusterHistory::CheckNotOverwritten(std::string_view where, const Key& key, const Write& write,
                                           const CausalContext& context) const {
  for (const uint32_t other : write.overwriters) {
    if (!IsEffective(key.writes[other], context)) continue;
    return Violation("I3: " + std::string(where) + " shows " + Name(write.number) + ", which " +
                     Name(key.writes[other].number) + " has overwritten");
  }
  return Status::Ok();
}

// Of a delete without a dot nobody knows whether it has happened; nor of a put where states are not seen.
bool ClusterHistory::MayBeOverwritten(const Key& key, const Write& write, const CausalContext& context) const {
  const std::vector<uint32_t>& overwriters = write.overwriters;
  const auto may = [&](uint32_t other) {
    const Write& overwriter = key.writes[other];
    if (overwriter.dot) return context.Covers(*overwriter.dot);
    return (!overwriter.is_put || !options_.sees_states) && !overwriter.has_failed;
  };
  if (write.overwriter < overwriters.size() && may(overwriters[write.overwriter])) return true;
  const auto found = std::find_if(overwriters.begin(), overwriters.end(), may);
  if (found == overwriters.end()) return false;
  write.overwriter = static_cast<uint32_t>(found - overwriters.begin());
  return true;
}

Status ClusterHistory::CheckExact(std::string_view where, std::string_view name, const std::vector<std::string>& values,
                                  const CausalContext& context) const {
  const auto found = keys_.find(name);
  if (found == keys_.end()) return Status::Ok();
  const Key& key = found->second;
  std::vector<size_t> shown;
  for (const std::string& value : values) {
    if (const auto writer = writer_of_.find(value); writer != writer_of_.end()) shown.push_back(writer->second);
  }
  const bool keeps_all = !IsLww(name);
  if (!keeps_all && values.size() > 1) return Violation("I3: " + std::string(where) + " shows several, and the last writer wins");
  for (const Write& write : key.writes) {
    if (!write.is_put || !write.dot) continue;
    const bool is_shown = std::find(shown.begin(), shown.end(), write.number) != shown.end();
    if (!is_shown && !(keeps_all && write.has_shown)) continue;
    const bool is_known = context.Covers(*write.dot);
    if (is_shown && !is_known) {
      return Violation("I3: " + std::string(where) + " has a context without what it shows: " + Name(write.number));
    }
    if (is_shown) {
      VARVE_RETURN_IF_ERROR(CheckNotOverwritten(where, key, write, context));
    } else if (is_known && !MayBeOverwritten(key, write, context)) {
      return Violation("I3: " + std::string(where) + " leaves out " + Name(write.number) +
                       ", which nobody has overwritten");
    }
  }
  return Status::Ok();
}

// I5. What ended before this one began is not beyond it.
Status ClusterHistory::CheckChain(size_t read) {
  const ClientOperation& operation = operations_[read];
  if (operation.level != Level::kLinear || options_.forgets) return Status::Ok();
  std::vector<size_t>& reads = places_[read].key->linear_reads;
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
  const auto found = keys_.find(key);
  for (const cluster::Sibling& sibling : state.siblings()) {
    if (sibling.tombstone) {
      if (found == keys_.end()) return Violation("I4: deleted, and nobody wrote to it: " + std::string(key));
      found->second.tombstones.try_emplace(sibling.dot, Tombstone{sibling.stamp});
      continue;
    }
    const auto writer = writer_of_.find(sibling.value);
    if (writer == writer_of_.end() || found == keys_.end() || places_[writer->second].key != &found->second) {
      return Violation("I4: stored under " + std::string(key) + ", and nobody wrote it there: " + sibling.value);
    }
    Write& put = WriteOf(writer->second);
    if (put.has_failed) {
      return Violation("I13: failed and is stored: " + Name(writer->second));
    }
    if (put.stored_as == 0) put.stored_as = ++order_;
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

void ClusterHistory::OnGivenUp(cluster::PartitionId partition) { given_up_[partition] = ++order_; }

Status ClusterHistory::CheckFinal(std::string_view key, const cluster::KeyState& state) const {
  std::vector<std::string> values;
  for (const cluster::Sibling& sibling : state.siblings()) {
    if (!sibling.tombstone) values.push_back(sibling.value);
  }
  const auto found = keys_.find(key);
  if (found == keys_.end() || options_.repeats) return Status::Ok();
  const bool is_lww = IsLww(key);
  for (const Write& write : found->second.writes) {
    if (write.acknowledged_as == 0 || !MustLast(operations_[write.number])) continue;
    if (!state.context().Covers(*write.dot)) return Violation("I1: lost: " + Name(write.number));
    if (is_lww && !values.empty() && write.stamp > state.stamp() &&
        !HasLostToTheForgotten(write, found->second, state)) {
      return Violation("I3: there is an older value than that of " + Name(write.number));
    }
  }
  return CheckExact("the end", key, values, state.context());
}

// When all replicas have a delete it goes, and its stamp with it: a value that is made after that may have any, also an
// earlier one than what had lost to the delete.
bool ClusterHistory::HasLostToTheForgotten(const Write& write, const Key& key, const cluster::KeyState& state) const {
  const auto last = writer_of_.find(state.siblings().front().value);
  if (last == writer_of_.end()) return false;
  const uint64_t stored_as = WriteOf(last->second).stored_as;
  return std::any_of(key.tombstones.begin(), key.tombstones.end(), [&](const auto& entry) {
    const auto& [dot, tombstone] = entry;
    const bool is_forgotten = tombstone.forgotten_as != 0 && tombstone.forgotten_as < stored_as;
    return is_forgotten && tombstone.stamp >= write.stamp && state.context().Covers(dot);
  });
}

bool ClusterHistory::IsStored(std::string_view value) const {
  const auto writer = writer_of_.find(value);
  return writer != writer_of_.end() && WriteOf(writer->second).dot.has_value();
}

std::vector<std::string> ClusterHistory::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : keys_) keys.push_back(key);
  return keys;
}

}  // namespace varve::sim
