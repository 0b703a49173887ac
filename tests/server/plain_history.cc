#include "tests/server/plain_history.h"

#include <utility>

#include "base/status_macros.h"

namespace varve::test {
namespace {

using cluster::Outcome;
using Kind = PlainOperation::Kind;

bool IsAcknowledged(const PlainOperation& operation) {
  return operation.is_ended && operation.outcome == Outcome::kOk;
}
bool HasFailed(const PlainOperation& operation) {
  return operation.is_ended && operation.outcome == Outcome::kFailed;
}
// The first was over when the second began.
bool IsBefore(const PlainOperation& first, const PlainOperation& second) {
  return IsAcknowledged(first) && first.ended_as < second.begun_as;
}

}  // namespace

size_t PlainHistory::Begin(PlainOperation operation) {
  std::vector<size_t>& writes = keys_[operation.key];
  if (operation.kind != Kind::kGet) writes.push_back(operations_.size());
  operation.begun_as = ++order_;
  operations_.push_back(std::move(operation));
  return operations_.size() - 1;
}

void PlainHistory::End(size_t number, Outcome outcome, std::vector<std::string> values) {
  PlainOperation& operation = operations_[number];
  operation.is_ended = true;
  operation.outcome = outcome;
  operation.values = std::move(values);
  operation.ended_as = ++order_;
}

std::string PlainHistory::Name(size_t number) const {
  const PlainOperation& operation = operations_[number];
  const char* kind = operation.kind == Kind::kGet ? "GET" : operation.kind == Kind::kSet ? "SET" : "DEL";
  return std::string(kind) + " " + operation.key + (operation.value.empty() ? "" : " = " + operation.value) + " (begun as " +
         std::to_string(operation.begun_as) + ")";
}

Status PlainHistory::CheckShown(const std::string& where, const std::string& key, const std::string& value, uint64_t begun,
                                uint64_t ended) const {
  const std::vector<size_t>& writes = keys_.at(key);
  const PlainOperation* writer = nullptr;
  for (const size_t number : writes) {
    if (operations_[number].kind == Kind::kSet && operations_[number].value == value) writer = &operations_[number];
  }
  if (writer == nullptr || writer->begun_as > ended) {
    return Status::Corruption("I4: " + where + " shows what nobody wrote to it: " + value);
  }
  if (HasFailed(*writer)) return Status::Corruption("I13: " + where + " shows what has failed: " + value);
  for (const size_t number : writes) {
    const PlainOperation& write = operations_[number];
    if (!IsAcknowledged(write) || write.ended_as > begun || !IsBefore(*writer, write)) continue;
    return Status::Corruption("I7: " + where + " shows " + value + ", in whose place was put " + Name(number));
  }
  return Status::Ok();
}

Status PlainHistory::CheckAbsent(const std::string& where, const std::string& key, uint64_t begun, uint64_t ended) const {
  const std::vector<size_t>& writes = keys_.at(key);
  for (const size_t number : writes) {
    const PlainOperation& write = operations_[number];
    if (write.kind != Kind::kSet || !IsAcknowledged(write) || write.ended_as > begun) continue;
    bool is_deleted = false;
    for (const size_t other : writes) {
      const PlainOperation& removal = operations_[other];
      if (removal.kind != Kind::kDelete || removal.begun_as > ended || HasFailed(removal)) continue;
      const bool had_nothing = IsAcknowledged(removal) && !removal.values.empty() && removal.values[0] == "0";
      is_deleted |= !had_nothing && !IsBefore(removal, write);
    }
    if (!is_deleted) return Status::Corruption("I2: " + where + " misses " + Name(number));
  }
  return Status::Ok();
}

Status PlainHistory::Check() const {
  for (size_t i = 0; i < operations_.size(); ++i) {
    const PlainOperation& read = operations_[i];
    if (read.kind != Kind::kGet || !IsAcknowledged(read) || read.values.size() > 1) continue;
    if (read.values.empty()) {
      VARVE_RETURN_IF_ERROR(CheckAbsent(Name(i), read.key, read.begun_as, read.ended_as));
    } else {
      VARVE_RETURN_IF_ERROR(CheckShown(Name(i), read.key, read.values[0], read.begun_as, read.ended_as));
    }
  }
  return Status::Ok();
}

std::vector<std::string> PlainHistory::Keys() const {
  std::vector<std::string> keys;
  for (const auto& [key, writes] : keys_) keys.push_back(key);
  return keys;
}

Status PlainHistory::CheckFinal(const std::string& key, const std::vector<std::string>& values) const {
  const std::string where = "the end of " + key;
  if (values.empty()) return CheckAbsent(where, key, order_, order_);
  for (const std::string& value : values) VARVE_RETURN_IF_ERROR(CheckShown(where, key, value, order_, order_));
  return Status::Ok();
}

}  // namespace varve::test
